"""UPS-RS over real HTTP, with a real WebSocket client that listens to what happens."""

import asyncio
import http.client
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

import orjson
import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.db import connection, connections
from pytest_django.live_server_helper import LiveServer
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from apps.accounts.models import Scope, User
from apps.audit.services import Origin
from apps.dicomweb.hub import Hub, Listener
from apps.workitems import services
from apps.workitems.models import Notice, Workitem
from openpacs.install import ROOT
from tests.api.conftest import token_of
from tests.factories import make_user, signed_in
from tests.servers import free_port
from tests.waiting import wait_for
from tests.workitems.samples import KEY, dataset, fresh_uid, performed, planned, state

pytestmark = pytest.mark.django_db(transaction=True)
BY = Origin(protocol="test")
START_SECONDS, WAIT_SECONDS = 30, 10


def address_of_database() -> str:
    """The DATABASE_URL of the tests' own database."""
    place = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{place['NAME']}"
    return f"postgres://{place['USER']}@{place['HOST']}:{place['PORT']}/{place['NAME']}"


@pytest.fixture(scope="module")
def port(django_db_setup: None, django_db_blocker: Any) -> Iterator[int]:
    """The part `events` as its container runs it, on the tests' database."""
    with django_db_blocker.unblock():
        database = address_of_database()
    number = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": database,
        "DJANGO_SETTINGS_MODULE": "openpacs.settings",
        "OPENPACS_EVENTS_PORT": str(number),
    }
    command = [sys.executable, "-m", "openpacs.supervisor", "events"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        wait_for(lambda: answers(number), seconds=START_SECONDS)
        yield number
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)


def answers(number: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", number, timeout=2)) as asking:
        try:
            asking.request("GET", "/")
            status = asking.getresponse().status
        except OSError:
            return False
    assert status == 426
    return True


Listen = Callable[..., ClientConnection]


@pytest.fixture
def listen(port: int) -> Iterator[Listen]:
    """Open a WebSocket: `listen("AI1", Authorization=...)`."""
    with ExitStack() as opened:

        def begin(title: str, **headers: str) -> ClientConnection:
            url = f"ws://localhost:{port}/dicom-web/ws/subscribers/{title}"
            connecting = connect(url, additional_headers=headers, open_timeout=WAIT_SECONDS)
            return opened.enter_context(connecting)

        yield begin


@pytest.fixture
def bearer(user_of: Callable[[str], User]) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(user_of('technologist'), [Scope.WORKLIST])}"}


def cookie(user: User) -> dict[str, str]:
    client = signed_in(user)
    return {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}


def heard(ears: ClientConnection, count: int) -> list[str]:
    """The next reports, as `type state`."""
    reports = [orjson.loads(ears.recv(timeout=WAIT_SECONDS)) for _ in range(count)]
    return [
        f"{one['00001002']['Value'][0]} {one.get('00741000', {'Value': ['']})['Value'][0]}".strip()
        for one in reports
    ]


class Worklist:
    """A performer over plain HTTP."""

    def __init__(self, server: LiveServer, headers: dict[str, str]) -> None:
        self.server, self.headers = server, headers

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = b"" if body is None else orjson.dumps(body)
        headers = {**self.headers, "Content-Type": "application/dicom+json"}
        asking = http.client.HTTPConnection(self.server.thread.host, self.server.thread.port)
        with closing(asking):
            asking.request(method, f"/dicom-web/workitems{path}", data, headers)
            answer = asking.getresponse()
            content = answer.read()
        return answer.status, orjson.loads(content) if content else dict(answer.headers)


def test_a_workitem_from_its_creation_to_its_end_with_somebody_listening(
    live_server: LiveServer, listen: Listen, bearer: dict[str, str]
) -> None:
    work, uid = Worklist(live_server, bearer), fresh_uid()
    status, headers = work.ask("POST", "/1.2.840.10008.5.1.4.34.5/subscribers/AI1")
    assert (status, headers["Content-Location"][:5]) == (201, "ws://")
    ears = listen("AI1", **bearer)
    assert work.ask("POST", f"?{uid}", planned())[0] == 201
    assert work.ask("PUT", f"/{uid}/state", state("IN PROGRESS"))[0] == 200
    progress = dataset(ProcedureStepProgressInformationSequence=dataset(ProcedureStepProgress=50))
    assert work.ask("POST", f"/{uid}?{KEY}", progress)[0] == 200
    assert work.ask("POST", f"/{uid}/cancelrequest")[0] == 202
    assert work.ask("POST", f"/{uid}?{KEY}", performed())[0] == 200
    assert work.ask("PUT", f"/{uid}/state", state("COMPLETED"))[0] == 200
    assert heard(ears, 5) == ["1 SCHEDULED", "1 IN PROGRESS", "3", "2", "1 COMPLETED"]
    assert work.ask("GET", f"/{uid}")[1][0]["00741000"]["Value"] == ["COMPLETED"]
    assert work.ask("GET", "?ProcedureStepState=IN%20PROGRESS")[0] == 204


def make() -> Workitem:
    return services.create_workitem(planned(), origin=BY).workitem


def test_what_happened_meanwhile_is_told_after_connecting_again_and_once(
    listen: Listen, bearer: dict[str, str]
) -> None:
    row = make()
    services.subscribe(row, "AI1", origin=BY)
    first = listen("AI1", **bearer)
    assert heard(first, 1) == ["1 SCHEDULED"]
    settled()
    first.close()
    services.change_state(row, state="IN PROGRESS", transaction_uid=KEY, origin=BY)
    services.subscribe(row, "SOMEBODY_ELSE", origin=BY)
    second = listen("AI1", **bearer)
    assert heard(second, 1) == ["1 IN PROGRESS"]
    settled()
    with pytest.raises(TimeoutError):
        second.recv(timeout=1.5)
    assert Notice.objects.filter(delivered_at=None).get().ae_title == "SOMEBODY_ELSE"


def settled() -> None:
    """What was sent is written down as told."""
    untold = Notice.objects.filter(ae_title="AI1", delivered_at=None)
    wait_for(lambda: not untold.exists(), seconds=WAIT_SECONDS)


def test_a_signed_in_user_listens_from_a_page_of_ours(
    listen: Listen, user_of: Callable[[str], User]
) -> None:
    services.subscribe(make(), "AI1", origin=BY)
    ears = listen("AI1", Origin="http://localhost:8000", **cookie(user_of("radiologist")))
    assert heard(ears, 1) == ["1 SCHEDULED"]


def with_token(*scopes: Scope) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(make_user('radiologist'), scopes)}"}


def with_session(role: str = "radiologist", **headers: str) -> dict[str, str]:
    return cookie(make_user(role)) | headers


def ended() -> dict[str, str]:
    headers = with_session()
    Session.objects.all().delete()
    return headers


def without_own_password() -> dict[str, str]:
    headers = with_token(Scope.WORKLIST)
    User.objects.update(must_change_password=True)
    return headers


@pytest.mark.parametrize(
    ("title", "headers"),
    [
        pytest.param("AI1", dict, id="nobody"),
        pytest.param("AI1", partial(with_session, Origin="https://evil.example"), id="other site"),
        pytest.param("AI1", partial(with_session, "referrer"), id="role"),
        pytest.param("AI1", partial(with_token, Scope.API_READ), id="scope"),
        pytest.param("AI1", lambda: {"Authorization": "Bearer opk_wrong"}, id="wrong token"),
        pytest.param("AI1", ended, id="ended session"),
        pytest.param("AI1", without_own_password, id="no password of their own"),
        pytest.param("AI1/more", partial(with_token, Scope.WORKLIST), id="path"),
        pytest.param("A" * 17, partial(with_token, Scope.WORKLIST), id="title"),
    ],
)
def test_who_may_not_listen_is_refused(
    listen: Listen, title: str, headers: Callable[[], dict[str, str]]
) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        listen(title, **headers())
    assert refusal.value.response.status_code == 403


def test_a_listener_that_vanishes_stops_nobody_else(listen: Listen, bearer: dict[str, str]) -> None:
    row = make()
    lost, other = listen("AI1", **bearer), listen("AI2", **bearer)
    # Gone without a word: the kernel answers what comes with a reset.
    lost.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    lost.socket.shutdown(socket.SHUT_RD)
    lost.socket.close()
    for title in ("AI1", "AI2"):
        services.subscribe(row, title, origin=BY)
    services.change_state(row, state="IN PROGRESS", transaction_uid=KEY, origin=BY)
    assert heard(other, 2) == ["1 SCHEDULED", "1 IN PROGRESS"]


def test_a_title_with_a_space_is_listened_to(listen: Listen, bearer: dict[str, str]) -> None:
    services.subscribe(make(), "AI 1", origin=BY)
    assert heard(listen("AI%201", **bearer), 1) == ["1 SCHEDULED"]


def test_what_a_listener_says_is_not_looked_at(listen: Listen, bearer: dict[str, str]) -> None:
    services.subscribe(make(), "AI1", origin=BY)
    ears = listen("AI1", **bearer)
    ears.send("[" * 100_000)
    ears.send(b"\0\xff" * 1000)
    assert heard(ears, 1) == ["1 SCHEDULED"]


def test_two_listeners_of_one_title_are_both_told(listen: Listen, bearer: dict[str, str]) -> None:
    row = make()
    sockets = [listen("AI1", **bearer), listen("AI1", **bearer)]
    services.subscribe(row, "AI1", origin=BY)
    assert [heard(one, 1) for one in sockets] == [["1 SCHEDULED"]] * 2


def listener(sent: list[dict[str, object]], *, broken: bool = False) -> Listener:
    """A connection that keeps what it is sent, or takes nothing."""

    async def send(message: dict[str, object]) -> None:
        if broken:
            raise ConnectionResetError
        sent.append(message)

    async def still_may() -> bool:
        return False

    return Listener("AI1", send, still_may)


def run(coroutine: Coroutine[Any, Any, object]) -> None:
    async def all_of_it() -> None:
        await coroutine
        await sync_to_async(connections.close_all)()

    asyncio.run(all_of_it())


def test_what_a_broken_connection_did_not_take_waits_for_the_next_one() -> None:
    services.subscribe(make(), "AI1", origin=BY)
    sent: list[dict[str, object]] = []
    hub = Hub()
    hub.listeners = {listener(sent, broken=True)}
    run(hub.tell_waiting())
    assert Notice.objects.filter(delivered_at=None).count() == 1
    hub.listeners |= {listener(sent)}
    run(hub.tell_waiting())
    assert Notice.objects.filter(delivered_at=None).count() == 0
    assert [one["type"] for one in sent] == ["websocket.send"]


def test_who_may_not_listen_any_more_is_dismissed() -> None:
    sent: list[dict[str, object]] = []
    hub = Hub()
    hub.listeners = {listener(sent)}
    run(hub.check())
    assert sent == [{"type": "websocket.close", "code": 1008}]
