"""Scripts take studies, series and instances out of use."""

from typing import Any

import pytest

from apps.accounts.models import Scope
from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.studies.models import Instance, Rejection, Study
from apps.studies.services import restore
from apps.studies.spool import Spool
from tests.api.conftest import Script
from tests.api.world import make_world

pytestmark = pytest.mark.django_db
WHY = {"code": "113037", "reason": "the wrong patient"}


@pytest.fixture
def world(db: None, spool: Spool, origin: Origin) -> dict[str, Any]:
    return make_world(spool, origin)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/studies/{study}/reject", (False, False, 0)),
        ("/studies/{study}/series/{waste_series}/reject", (True, False, 1)),
        ("/instances/{waste_instance}/reject", (False, True, 2)),
    ],
)
def test_what_is_rejected_is_gone_and_comes_back(
    path: str,
    expected: tuple[bool, bool, int],
    world: dict[str, Any],
    script_of: Script,
    origin: Origin,
) -> None:
    keeper = script_of("pacs-administrator")
    address = "/api/v1" + path.format(**world)
    told = keeper.post(address, WHY, content_type="application/json")
    assert told.status_code == 200
    made = Rejection.objects.get()
    said = told.json()
    assert (said["id"], said["study_instance_uid"], said["reason"]) == (
        *(made.pk, world["study"]),
        "the wrong patient",
    )
    given = [said[name] is not None for name in ("series_instance_uid", "sop_instance_uid")]
    assert (*given, Instance.objects.count()) == expected
    assert made.user is not None
    assert made.user.username == "pacs-administrator"
    (event,) = Event.objects.filter(kind=Kind.OBJECTS_REJECTED)
    assert (event.protocol, event.peer) == ("rest", "pacs-administrator")
    assert keeper.post(address, WHY, content_type="application/json").status_code == 404
    restore(made, origin=origin)
    assert Instance.objects.count() == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"code": "113037"}, "reason"),
        ({"code": "113037", "reason": "  "}, "reason"),
        ({"code": "113037", "reason": "x" * 201}, "reason"),
        ({"reason": "the wrong patient"}, "code"),
        ({"code": "superseded", "reason": "the wrong patient"}, "code"),
    ],
)
def test_nothing_is_rejected_without_a_reason(
    body: dict[str, str], field: str, world: dict[str, Any], script_of: Script
) -> None:
    address = f"/api/v1/studies/{world['study']}/reject"
    told = script_of("pacs-administrator").post(address, body, content_type="application/json")
    assert told.status_code == 400
    assert [one["field"] for one in told.json()["errors"]] == [field]
    assert Study.objects.filter(study_instance_uid=world["study"]).exists()


@pytest.mark.parametrize(
    ("role", "scopes", "status"),
    [
        ("radiologist", list(Scope), 403),
        ("technologist", list(Scope), 403),
        ("referrer", list(Scope), 403),
        ("pacs-administrator", [Scope.API_READ, Scope.DICOMWEB_WRITE], 403),
    ],
)
def test_who_may_not_reject_is_refused(
    role: str, scopes: list[Scope], status: int, world: dict[str, Any], script_of: Script
) -> None:
    for address in (f"studies/{world['study']}", f"instances/{world['instance']}"):
        told = script_of(role, scopes).post(
            f"/api/v1/{address}/reject", WHY, content_type="application/json"
        )
        assert told.status_code == status
    assert not Rejection.objects.exists()
