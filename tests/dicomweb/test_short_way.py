"""Most frames are answered past Django: as Django would, and only to who may have them."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import Group
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client, RequestFactory

from apps.accounts.models import User
from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.dicomweb import short_way
from apps.dicomweb.short_way import ShortWay
from apps.studies.models import Instance
from apps.studies.services import reject
from apps.studies.services.rejecting import Target
from openpacs.pieces import in_one_piece
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep, address_of

pytestmark = [pytest.mark.django_db, pytest.mark.engines]

ANY = "multipart/related; type=application/octet-stream; transfer-syntax=*"


class Answer(NamedTuple):
    status: str
    headers: dict[str, str]
    body: bytes

    def less_boundary(self) -> tuple[str, dict[str, str], bytes]:
        """What has to be the same in two answers."""
        kind = self.headers.get("Content-Type", "")
        boundary = kind.partition("boundary=")[2] or "none"
        others = {**self.headers, "Content-Type": kind.replace(boundary, ""), "Set-Cookie": ""}
        return self.status, others, self.body.replace(boundary.encode(), b"")


class Door:
    """Django with the short way before it; counts what Django is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self._django = in_one_piece(get_wsgi_application())
        self._application = ShortWay(self._counted)

    def _counted(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.asked += 1
        return self._django(environ, start_response)

    def get(self, client: Client | None, path: str, **more: str) -> Answer:
        cookies = client.cookies.output(header="", sep=";") if client else ""
        asked = RequestFactory().get(path, headers={"accept": ANY, "cookie": cookies})
        environ = asked.environ | {"PATH_INFO": path} | more
        said: list[Any] = []
        body = b"".join(self._application(environ, lambda *started: said.extend(started)))
        return Answer(said[0], dict(said[1]), body)


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """That of the test stays open, as Django's own test client keeps it."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def frames(keep: Keep) -> list[str]:
    """The addresses of the first frames of three images of a study."""
    first = ct_image()
    alike = {name: first[name].value for name in ("StudyInstanceUID", "SeriesInstanceUID")}
    rows = [keep(first), *(keep(ct_image(**alike)) for _ in range(2))]
    return [f"{address_of(row)}/frames/1" for row in rows]


@pytest.fixture
def known(door: Door, radiologist: Client, frames: list[str]) -> Client:
    """A reader whom Django has answered; at the very first it notes that they are there."""
    assert "Set-Cookie" in door.get(radiologist, frames[0]).headers
    assert "Set-Cookie" not in door.get(radiologist, frames[0]).headers
    door.asked = 0
    return radiologist


@pytest.mark.parametrize("accept", [ANY, "application/octet-stream; transfer-syntax=*"])
def test_the_next_frames_are_answered_without_django_and_as_django_would(
    door: Door, known: Client, frames: list[str], accept: str
) -> None:
    door.get(known, frames[0], HTTP_ACCEPT=accept)
    door.asked = 0
    short = [door.get(known, one, HTTP_ACCEPT=accept) for one in frames]
    assert door.asked == 0
    by_django = [Door().get(known, one, HTTP_ACCEPT=accept) for one in frames]
    assert [one.less_boundary() for one in short] == [one.less_boundary() for one in by_django]
    assert len({one.headers["ETag"] for one in short}) == 3
    assert all(len(one.body) == int(one.headers["Content-Length"]) for one in short)


@pytest.mark.parametrize(
    "more",
    [
        {"QUERY_STRING": "accept=image/jpeg"},
        {"REQUEST_METHOD": "HEAD"},
        {"REQUEST_METHOD": "DELETE"},
        {"HTTP_RANGE": "bytes=0-9"},
        {"HTTP_IF_NONE_MATCH": "*"},
        {"HTTP_AUTHORIZATION": "Bearer opk_nobody"},
        {"HTTP_ACCEPT": "application/octet-stream"},
        {"HTTP_ACCEPT": "image/x-unknown"},
        {"wsgi.url_scheme": "https"},
        {"REMOTE_ADDR": "127.0.0.2"},
    ],
    ids=str,
)
def test_what_is_not_the_very_same_question_takes_djangos_way(
    door: Door, known: Client, frames: list[str], more: dict[str, str]
) -> None:
    answer = door.get(known, frames[1], **more)
    assert door.asked == 1
    assert answer.less_boundary() == Door().get(known, frames[1], **more).less_boundary()


def test_a_host_that_is_not_ours_is_refused_as_ever(
    door: Door, known: Client, frames: list[str]
) -> None:
    assert door.get(known, frames[1], HTTP_HOST="elsewhere.example").status == "400 Bad Request"


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("/frames/1,1", "200 OK"),
        ("/frames/2", "400 Bad Request"),
        ("/frames/0", "400 Bad Request"),
        ("9/frames/1", "404 Not Found"),
    ],
)
def test_other_frames_than_one_that_is_there_take_djangos_way(
    door: Door, known: Client, frames: list[str], end: str, status: str
) -> None:
    assert door.get(known, frames[1].removesuffix("/frames/1") + end).status == status
    assert door.asked == 1


def test_who_looks_at_frames_stands_in_the_journal(
    door: Door, known: Client, frames: list[str]
) -> None:
    door.get(known, frames[1])
    seen = Event.objects.filter(kind=Kind.STUDY_VIEWED).values_list("user_id", flat=True)
    assert list(seen) == [int(known.session[SESSION_KEY])]


def test_each_study_is_asked_of_django_first(door: Door, known: Client, keep: Keep) -> None:
    other = f"{address_of(keep(ct_image()))}/frames/1"
    assert [door.get(known, other).status for _ in range(2)] == ["200 OK"] * 2
    assert door.asked == 1


def _sign_out(client: Client, user: User) -> None:
    client.logout()


def _lose_the_role(client: Client, user: User) -> None:
    user.groups.set(Group.objects.filter(name="front-desk"))


def _become_a_referrer(client: Client, user: User) -> None:
    user.groups.set(Group.objects.filter(name="referrer"))


def _be_locked(client: Client, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def _have_a_new_password(client: Client, user: User) -> None:
    user.set_password("another one of theirs")
    user.save()


def _have_to_choose_a_password(client: Client, user: User) -> None:
    User.objects.filter(pk=user.pk).update(must_change_password=True)


def _have_been_away(client: Client, user: User) -> None:
    session = client.session
    session["seen"] = int(time.time()) - 24 * 3600
    session.save()


@pytest.mark.parametrize(
    ("happens", "status"),
    [
        (_sign_out, "401 Unauthorized"),
        (_lose_the_role, "403 Forbidden"),
        (_become_a_referrer, "404 Not Found"),
        (_be_locked, "401 Unauthorized"),
        (_have_a_new_password, "401 Unauthorized"),
        (_have_to_choose_a_password, "403 Forbidden"),
        (_have_been_away, "401 Unauthorized"),
    ],
)
def test_what_ends_a_right_holds_for_the_next_frame(
    door: Door,
    known: Client,
    frames: list[str],
    happens: Callable[[Client, User], None],
    status: str,
) -> None:
    cookies = known.cookies.output(header="", sep=";")
    happens(known, User.objects.get(pk=known.session[SESSION_KEY]))
    assert door.get(None, frames[1], HTTP_COOKIE=cookies).status == status


def test_a_stranger_gets_nothing_of_what_somebody_else_was_answered(
    door: Door, known: Client, frames: list[str]
) -> None:
    assert door.get(None, frames[1]).status == "401 Unauthorized"
    foreign = door.get(None, frames[1], HTTP_COOKIE="sessionid=abcdefghijklmnopqrstuvwxyz012345")
    assert foreign.status == "401 Unauthorized"


def test_what_is_rejected_is_gone_at_once(
    door: Door, known: Client, frames: list[str], origin: Origin
) -> None:
    row = Instance.objects.get(sop_instance_uid=frames[1].split("/")[-3])
    reject(
        Target(row.series.study, instance=row), code="113001", reason="wrong patient", origin=origin
    )
    assert door.get(known, frames[1]).status == "410 Gone"
    assert door.get(known, frames[2]).status == "200 OK"


def test_django_is_asked_again_after_a_while(
    door: Door, known: Client, frames: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_way, "SECONDS", 0)
    door.get(known, frames[1])
    assert door.asked == 1
