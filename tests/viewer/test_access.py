"""Images of others are shown to nobody: every address of the viewer and behind it, by person.

Each route of the viewer and of DICOMweb needs a line in EXPECTED: what somebody gets there who
may not see the study that is asked for. A route without one fails.
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver, reverse

from apps.accounts.models import User
from apps.orders.models import Order
from apps.studies.models import Instance
from tests.dicom.objects import ct_image, part10
from tests.dicomweb.conftest import Keep, keep, spool
from tests.factories import ReferrerFactory
from tests.reports.rows import make_order
from tests.test_routes import walk

__all__ = ["keep", "spool"]

pytestmark = pytest.mark.django_db
DICOM = "application/dicom"


class Refusal(StrEnum):
    HIDDEN = "hidden"  # as if the study did not exist: 404
    EMPTY = "empty"  # a list without it
    FORBIDDEN = "forbidden"  # needs a right that no referrer has: 403
    GENERAL = "general"  # says nothing about any study
    POSTED = "posted"  # takes POST only: what is sent there, and by whom, has tests of its own
    OTHERWISE = "otherwise"  # work items: another noun of the policy, tested with them


HIDDEN, EMPTY, FORBIDDEN, GENERAL, POSTED, OTHERWISE = Refusal
EXPECTED: dict[str, Refusal] = {
    "viewer:page": HIDDEN,
    "viewer:config": GENERAL,
    "viewer:open-several": HIDDEN,
    "viewer:open": HIDDEN,
    "viewer:inner-page": HIDDEN,
    **{
        f"viewer:{name}": HIDDEN
        for name in (
            *("layouts", "key-images", "key-marks", "compare", "about", "priors", "documents"),
            *("irregular", "elsewhere"),
        )
    },
    "viewer:regular-progress": HIDDEN,
    "viewer:next": FORBIDDEN,
    "viewer:key-marks-change": FORBIDDEN,
    "viewer:make-regular": FORBIDDEN,
    "viewer:send": FORBIDDEN,
    "viewer:layout-remove": POSTED,
    "viewer:preferences": POSTED,
    "viewer:launch": POSTED,
    "viewer:print-layout": POSTED,
    "viewer:print-rows": POSTED,
    "volview:page": HIDDEN,
    "volview:open": HIDDEN,
    "volview:manifest": HIDDEN,
    "dicomweb:capabilities": GENERAL,
    "dicomweb:studies": EMPTY,
    "dicomweb:all-series": EMPTY,
    "dicomweb:all-instances": EMPTY,
    **{
        f"dicomweb:{name}": HIDDEN
        for name in (
            *("study-series", "study-instances", "series-instances"),
            *("study-metadata", "series-metadata", "instance-metadata"),
            *("study", "series", "instance"),
            *("frames", "pixel-data", "study-pixel-data", "series-pixel-data"),
            *("bulk-data", "study-bulk-data", "series-bulk-data", "instance-bulk-data"),
            *("study-rendered", "series-rendered", "rendered", "frames-rendered"),
            *("study-thumbnail", "series-thumbnail", "thumbnail", "frame-thumbnail"),
        )
    },
    "dicomweb:study-archive": FORBIDDEN,
    "dicomweb:series-archive": FORBIDDEN,
    "dicomweb:instance-archive": FORBIDDEN,
    "wado-uri": HIDDEN,
    **{
        f"dicomweb:{name}": OTHERWISE
        for name in (
            *("workitems", "workitem", "workitem-state", "workitem-cancellation"),
            *("workitem-subscriber", "workitem-suspension"),
        )
    },
}
# What is not in the answer only because the request has to name it: said beside the path.
QUERY: dict[str, Callable[[Instance], dict[str, Any]]] = {
    "viewer:page": lambda one: {"StudyInstanceUIDs": one.series.study.study_instance_uid},
    "viewer:inner-page": lambda one: {"StudyInstanceUIDs": one.series.study.study_instance_uid},
    "viewer:layouts": lambda one: {"study": one.series.study.study_instance_uid},
    "volview:page": lambda one: {
        "urls": reverse(
            "volview:manifest",
            args=[one.series.study.study_instance_uid, one.series.series_instance_uid],
        )
    },
    "viewer:open-several": lambda one: {"study": one.series.study_id},
    "dicomweb:studies": lambda one: {"StudyInstanceUID": one.series.study.study_instance_uid},
    "dicomweb:all-series": lambda one: {"StudyInstanceUID": one.series.study.study_instance_uid},
    "dicomweb:all-instances": lambda one: {"SOPInstanceUID": one.sop_instance_uid},
    "wado-uri": lambda one: {
        "requestType": "WADO",
        "studyUID": one.series.study.study_instance_uid,
        "seriesUID": one.series.series_instance_uid,
        "objectUID": one.sop_instance_uid,
    },
}


# One image has no bulk data apart, nor a stack to be made regular.
WITHOUT = {"dicomweb:study-bulk-data", "dicomweb:series-bulk-data", "dicomweb:instance-bulk-data"}
WITHOUT |= {"viewer:regular-progress"}  # nobody has asked for a regular series
# The names in the path of every route.
PLACES = {
    name: re.findall(r"<(?:\w+:)?(\w+)>", path)
    for path, name, _ in walk(get_resolver().url_patterns)
    if path.startswith(("viewer/", "volview/", "dicom-web/")) or path == "wado"
}
ROUTES = sorted(PLACES)
GUARDED = [name for name in ROUTES if EXPECTED.get(name) is not OTHERWISE]


@dataclass(frozen=True)
class World:
    """A referrer's own study, and one that somebody else has ordered."""

    own: Instance
    foreign: Instance
    referrer: Client
    person: User

    def get(self, client: Client, name: str, instance: Instance) -> Any:
        values = {
            "study_instance_uid": instance.series.study.study_instance_uid,
            "study": instance.series.study.study_instance_uid,
            "uids": instance.series.study.study_instance_uid,
            "series": instance.series.series_instance_uid,
            "instance": instance.sop_instance_uid,
            "series_instance_uid": instance.series.series_instance_uid,
            "prior": instance.series.study.study_instance_uid,
            "launcher": 1,
            "pk": 1,
            "frames": "1",
            "path": "viewer" if name.startswith("viewer:") else "7FE00010",
        }
        address = reverse(name, kwargs={word: values[word] for word in PLACES[name]})
        asked = QUERY[name](instance) if name in QUERY else {}
        return client.get(address, asked)


@pytest.fixture
def world(keep: Keep, as_role: Callable[[str], Client], tmp_path: Path) -> World:
    referrer = as_role("referrer")
    for viewer in ("viewer", "volview"):
        page = tmp_path / viewer / "index.html"
        page.parent.mkdir()
        page.write_text("<!doctype html><title>viewer</title>")
    settings.BUILD_DIR = tmp_path
    user = User.objects.get(username="referrer")
    ordered = make_order(referrer=ReferrerFactory.create(user=user))
    return World(matched(keep, ordered), matched(keep, make_order()), referrer, user)


@pytest.fixture(autouse=True)
def _same_build() -> Iterator[None]:
    before = settings.BUILD_DIR
    yield
    settings.BUILD_DIR = before


def matched(keep: Keep, order: Order) -> Instance:
    """An image of the study that was ordered."""
    procedure = order.procedures.get()
    number = order.patient.identifiers.get().value
    image = keep(
        ct_image(
            StudyInstanceUID=procedure.study_instance_uid,
            SeriesInstanceUID=f"{procedure.study_instance_uid}.1",
            SOPInstanceUID=f"{procedure.study_instance_uid}.1.1",
            AccessionNumber=order.accession_number,
            PatientID=number,
        )
    )
    image.series.study.procedures.set([procedure])
    return image


def test_every_route_states_what_is_refused() -> None:
    assert set(ROUTES) == set(EXPECTED)


def test_a_referrer_sees_what_was_ordered_and_nothing_of_others(world: World) -> None:
    for name in GUARDED:
        own, foreign = (world.get(world.referrer, name, one) for one in (world.own, world.foreign))
        if EXPECTED[name] is EMPTY:
            assert len(own.json()) == 1, name
            assert (foreign.status_code, foreign.json()) == (200, []), name
        elif EXPECTED[name] is HIDDEN:
            # Something is there, even where this form of it is not to be had (406).
            assert own.status_code in (200, 302, 406) or name in WITHOUT, f"{name}: {own}"
            assert foreign.status_code == 404, name
        elif EXPECTED[name] is FORBIDDEN:
            assert (own.status_code, foreign.status_code) in ((403, 403), (403, 404)), name
        elif EXPECTED[name] is POSTED:
            assert (own.status_code, foreign.status_code) == (405, 405), name


def test_somebody_without_the_right_to_see_studies_is_refused(
    world: World, as_role: Callable[[str], Client]
) -> None:
    client = as_role("front-desk")
    found = {name: world.get(client, name, world.own).status_code for name in GUARDED}
    assert set(found.values()) == {403}, found


@pytest.mark.parametrize("began", ["never", "long ago", "away for long"])
def test_without_a_session_that_holds_there_is_only_the_door(world: World, began: str) -> None:
    for name in GUARDED:
        client = Client()
        if began != "never":
            client.force_login(world.person, backend=settings.AUTHENTICATION_BACKENDS[-1])
            end(client, began)
        answer = world.get(client, name, world.own)
        if name.startswith(("viewer:", "volview:")):
            assert answer.status_code == 302, name
            assert answer["Location"].startswith(reverse("accounts:login"))
        else:
            assert answer.status_code == 401, name


def end(client: Client, how: str) -> None:
    """As if the session had begun, or was last used, too long ago."""
    session = client.session
    now = int(time.time())
    session["began"] = now - (settings.SESSION_ABSOLUTE_SECONDS + 1 if how == "long ago" else 0)
    session["seen"] = now - (settings.SESSION_IDLE_SECONDS + 1 if how == "away for long" else 0)
    session.save()


def test_no_search_finds_studies_of_others(world: World) -> None:
    study = world.foreign.series.study
    number = study.patient_identifier
    asked = [
        *({"PatientID": number}, {"00100020": number}, {"PatientName": "*"}, {}),
        {"AccessionNumber": study.accession_number},
    ]
    for keys in asked:
        found = world.referrer.get("/dicom-web/studies", keys).json()
        assert study.study_instance_uid not in [one["0020000D"]["Value"][0] for one in found]


def test_every_study_of_a_list_must_be_ones_own(world: World) -> None:
    uids = [one.series.study.study_instance_uid for one in (world.own, world.foreign)]
    asked = {"StudyInstanceUIDs": ",".join(uids)}
    assert world.referrer.get("/viewer/viewer", asked).status_code == 404
    asked = {"StudyInstanceUID": "\\".join(uids)}
    assert len(world.referrer.get("/dicom-web/studies", asked).json()) == 1


def test_a_referrer_changes_nothing(world: World) -> None:
    """Not even in a study of their own: no storing, no rejecting."""
    body = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + part10(ct_image()) + b"\r\n--x--\r\n"
    kind = f'multipart/related; type="{DICOM}"; boundary=x'
    for one in (world.own, world.foreign):
        study = f"/dicom-web/studies/{one.series.study.study_instance_uid}"
        for address in ("/dicom-web/studies", study):
            answer = world.referrer.post(address, body, content_type=kind)
            assert answer.status_code in (403, 404)
        assert world.referrer.delete(study).status_code in (403, 404)
    assert Instance.objects.count() == 2


def test_the_configuration_of_a_referrer_offers_no_storing(world: World) -> None:
    assert '"mayStore": false' in world.referrer.get(reverse("viewer:config")).text
