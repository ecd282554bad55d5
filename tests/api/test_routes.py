"""Every operation: who may, what is told to who may not, and what its answer looks like."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from apps.accounts.models import Role, Scope, User
from apps.accounts.policy import Action, Noun, can
from apps.api.views.describing import METHODS, schema_document
from apps.audit.services import Origin
from apps.orders.models import Order, Referrer
from apps.patients.models import Patient
from apps.studies.models import Study
from apps.studies.services import label_study
from apps.studies.spool import Spool
from tests.api.conftest import Script, script, token_of
from tests.api.world import make_many, make_stranger, make_world, user_of
from tests.factories import signed_in

pytestmark = [pytest.mark.alike, pytest.mark.django_db]
V, C, E, X = Action.VIEW, Action.CREATE, Action.CHANGE, Action.EXPORT
D = Action.DELETE


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    path: str
    rights: tuple[tuple[Action, Noun], ...]
    scope: Scope = Scope.API_READ
    body: dict[str, Any] | None = None
    good: int = 200


W = Scope.API_WRITE
WHY = {"code": "113037", "reason": "the wrong patient"}
OPERATIONS = [
    Operation("list_patients", "GET", "/patients", ((V, Noun.PATIENT),)),
    Operation("find_patients", "POST", "/patients/search", ((V, Noun.PATIENT),), body={"q": "x"}),
    Operation("read_patient", "GET", "/patients/{patient}", ((V, Noun.PATIENT),)),
    Operation("list_procedures", "GET", "/procedures", ((V, Noun.CATALOGUE),)),
    Operation("find_orders", "GET", "/orders", ((V, Noun.ORDER),)),
    Operation("read_order", "GET", "/orders/{order}", ((V, Noun.ORDER),)),
    Operation(
        "place_order",
        "POST",
        "/orders",
        ((V, Noun.ORDER), (C, Noun.ORDER)),
        W,
        {"patient": "{patient}", "procedures": [{"code": "CT1"}]},
        201,
    ),
    Operation(
        "cancel_order",
        "POST",
        "/orders/{order}/cancel",
        ((V, Noun.ORDER), (E, Noun.APPOINTMENT)),
        W,
        {"reason": "twice"},
    ),
    Operation("list_appointments", "GET", "/appointments", ((V, Noun.APPOINTMENT),)),
    Operation("list_steps", "GET", "/steps", ((V, Noun.STEP),), Scope.WORKLIST),
    Operation("list_labels", "GET", "/labels", ((V, Noun.CATALOGUE),)),
    Operation("list_studies", "GET", "/studies", ((V, Noun.STUDY),)),
    Operation("find_studies", "POST", "/studies/search", ((V, Noun.STUDY),), body={}),
    Operation("read_study", "GET", "/studies/{study}", ((V, Noun.STUDY),)),
    Operation("list_series", "GET", "/studies/{study}/series", ((V, Noun.STUDY),)),
    Operation(
        "list_instances", "GET", "/studies/{study}/series/{series}/instances", ((V, Noun.STUDY),)
    ),
    Operation("download_instance", "GET", "/instances/{instance}/file", ((V, Noun.STUDY),)),
    Operation(
        "label_study",
        "PUT",
        "/studies/{study}/labels/teaching",
        ((V, Noun.STUDY), (C, Noun.STUDY)),
        W,
    ),
    Operation(
        "unlabel_study",
        "DELETE",
        "/studies/{study}/labels/teaching",
        ((V, Noun.STUDY), (C, Noun.STUDY)),
        W,
        good=204,
    ),
    Operation(
        "match_study",
        "POST",
        "/studies/{study}/match",
        ((V, Noun.STUDY), (E, Noun.STUDY)),
        W,
        {"accession_number": "A17", "reason": "mistyped"},
    ),
    Operation(
        "send_study",
        "POST",
        "/studies/{study}/send",
        ((V, Noun.STUDY), (X, Noun.STUDY)),
        W,
        {"device": "STATION"},
        202,
    ),
    Operation(
        "reject_instance",
        "POST",
        "/instances/{waste_instance}/reject",
        ((V, Noun.STUDY), (D, Noun.STUDY)),
        W,
        WHY,
    ),
    Operation(
        "reject_series",
        "POST",
        "/studies/{study}/series/{waste_series}/reject",
        ((V, Noun.STUDY), (D, Noun.STUDY)),
        W,
        WHY,
    ),
    Operation("find_reports", "GET", "/reports", ((V, Noun.REPORT),)),
    Operation("read_report", "GET", "/reports/{report}", ((V, Noun.REPORT),)),
    Operation("download_report", "GET", "/reports/{report}/versions/1/pdf", ((V, Noun.REPORT),)),
    Operation("list_devices", "GET", "/devices", ((V, Noun.DEVICE),)),
    Operation(
        "echo_device", "POST", "/devices/STATION/echo", ((V, Noun.DEVICE), (E, Noun.DEVICE)), W
    ),
    Operation("list_transfers", "GET", "/transfers", ((V, Noun.TRANSFER),)),
    Operation("read_transfer", "GET", "/transfers/{transfer}", ((V, Noun.TRANSFER),)),
    Operation(
        "retry_transfer",
        "POST",
        "/transfers/{transfer}/retry",
        ((V, Noun.TRANSFER), (E, Noun.TRANSFER)),
        W,
        good=202,
    ),
    Operation("follow_changes", "GET", "/changes", ((V, Noun.JOURNAL),)),
    Operation("read_system", "GET", "/system", ()),
    # The last: nothing is left of the study.
    Operation(
        "reject_study",
        "POST",
        "/studies/{study}/reject",
        ((V, Noun.STUDY), (D, Noun.STUDY)),
        W,
        WHY,
    ),
]
BY_NAME = {one.name: one for one in OPERATIONS}
LISTS = [one for one in OPERATIONS if one.name.startswith(("list_", "find_"))]


@pytest.fixture(autouse=True)
def _nothing_cached() -> None:
    cache.clear()


@pytest.fixture
def world(db: None, spool: Spool, origin: Origin) -> dict[str, Any]:
    return make_world(spool, origin)


def call(client: Client, one: Operation, keys: dict[str, Any]) -> HttpResponse:
    """Carry out an operation; its answer in JSON, problems included."""
    body = {
        name: keys["patient"] if value == "{patient}" else value
        for name, value in (one.body or {}).items()
    }
    sent = (
        {"data": json.dumps(body), "content_type": "application/json"}
        if one.body is not None
        else {}
    )
    return client.generic(one.method, f"/api/v1{one.path}".format(**keys), **sent)  # type: ignore[return-value, arg-type]


def test_every_operation_of_the_schema_is_asked_for_here() -> None:
    document = schema_document()
    described = {
        (document["paths"][path][method]["operationId"], document["paths"][path][method]["x-scope"])
        for path in document["paths"]
        for method in METHODS
        if method in document["paths"][path]
    }
    assert described == {(one.name, one.scope.value) for one in OPERATIONS}


@pytest.mark.parametrize("role", list(Role))
def test_a_role_does_what_the_policy_allows_and_nothing_else(
    role: Role, world: dict[str, Any], django_assert_max_num_queries: Any
) -> None:
    user = user_of(role)
    client = script(token_of(user))
    told = {}
    for one in OPERATIONS:
        allowed = all(can(user, action, noun) for action, noun in one.rights)
        answer = call(client, one, world)
        told[one.name] = (answer.status_code, one.good if allowed else 403)
        if answer.status_code >= 400:
            assert answer["Content-Type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code  # type: ignore[attr-defined]
        assert "no-store" in answer["Cache-Control"]
    assert {name: was for name, (was, wanted) in told.items() if was != wanted} == {}


@pytest.mark.parametrize("one", OPERATIONS, ids=[one.name for one in OPERATIONS])
def test_an_operation_needs_its_scope_and_no_other(one: Operation, user_of: Any) -> None:
    user = user_of("auditor")
    others = script(token_of(user, [scope for scope in Scope if scope is not one.scope]))
    keys: dict[str, Any] = dict.fromkeys(("patient", "order", "report", "transfer"), 1)
    keys |= dict.fromkeys(("study", "series", "instance", "device"), "1")
    keys |= dict.fromkeys(("waste_series", "waste_instance"), "1")
    refused = call(others, one, keys)
    assert refused.status_code == 403
    assert one.scope.value in refused.json()["detail"]  # type: ignore[attr-defined]
    assert call(Client(), one, keys).status_code == 401


def test_a_referrer_sees_the_own_patients_only(
    world: dict[str, Any], spool: Spool, origin: Origin
) -> None:
    stranger = make_stranger(spool, origin)
    client = script(token_of(user_of(Role.REFERRER)))
    for one in OPERATIONS:
        told = call(client, one, {**world, **stranger})
        assert "Secret" not in getattr(told, "text", ""), one.name
        own = one.name.startswith(("read_", "download_")) or "{study}" in one.path
        if own and one.name not in ("read_system", "read_transfer"):
            assert told.status_code == 404, one.name
    lists = ("list_patients", "find_orders", "list_studies", "find_reports")
    found = [call(client, BY_NAME[name], world).json() for name in lists]  # type: ignore[attr-defined]
    assert [len(one["results"]) for one in found] == [1, 2, 1, 1]
    assert found[0]["results"][0]["id"] == world["patient"]


def test_a_referrer_orders_in_the_own_name_only(world: dict[str, Any]) -> None:
    Referrer.objects.create(code="OTHER", family_name="Other")
    client = script(token_of(user_of(Role.REFERRER)))
    wanted = {"patient": world["patient"], "procedures": [{"code": "CT1"}]}
    placed = client.post("/api/v1/orders", wanted, content_type="application/json")
    assert placed.json()["referrer"] == "HOUSE"
    before = Order.objects.count()
    other = client.post(
        "/api/v1/orders", {**wanted, "referrer": "OTHER"}, content_type="application/json"
    )
    assert other.status_code == 403
    assert Order.objects.count() == before


def test_labels_are_shown_to_who_may_see_the_vocabulary(
    world: dict[str, Any], origin: Origin
) -> None:
    label_study(Study.objects.get(), name="complaint", origin=origin)
    shown = {}
    for role in (Role.REFERRER, Role.RESIDENT):
        client = script(token_of(user_of(role)))
        [study] = client.get("/api/v1/studies").json()["results"]
        found = client.get("/api/v1/studies?label=complaint")
        shown[role] = (study["labels"], found.status_code)
    assert shown == {Role.REFERRER: ([], 403), Role.RESIDENT: (["complaint"], 200)}


@pytest.mark.parametrize("one", LISTS, ids=[one.name for one in LISTS])
def test_a_list_asks_the_database_as_often_for_many_rows_as_for_few(
    one: Operation,
    world: dict[str, Any],
    spool: Spool,
    origin: Origin,
    django_assert_max_num_queries: Any,
) -> None:
    client = script(token_of(user_of(Role.PACS_ADMINISTRATOR)))
    call(client, one, world)  # what is cached or written down once
    make_many(4, spool, origin)
    with django_assert_max_num_queries(10):
        found = call(client, one, world)
    assert found.status_code == 200


@pytest.mark.parametrize(
    ("path", "rows"),
    [("/patients", Patient.objects), ("/orders", Order.objects), ("/studies", Study.objects)],
)
def test_pages_follow_one_another_without_gap_or_repetition(
    path: str, rows: Any, world: dict[str, Any], spool: Spool, origin: Origin
) -> None:
    make_many(6, spool, origin)
    client, seen, after = script(token_of(user_of(Role.PACS_ADMINISTRATOR))), [], ""
    while True:
        query: dict[str, Any] = {"limit": 2, **({"after": after} if after else {})}
        page = client.get(f"/api/v1{path}", query).json()
        assert len(page["results"]) <= 2
        seen += [one.get("study_instance_uid") or one["id"] for one in page["results"]]
        after = page["next"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == rows.count()


def test_a_page_of_the_site_may_call_with_its_session_and_csrf_token(
    user_of: Callable[[str], User],
) -> None:
    browser = signed_in(user_of("pacs-administrator"), enforce_csrf_checks=True)
    assert browser.get("/api/v1/studies").status_code == 200
    refused = browser.post("/api/v1/studies/search", {}, content_type="application/json")
    assert refused.status_code == 403
    assert refused["Content-Type"] == "application/problem+json"
    browser.get("/account/tokens/")
    csrf = browser.cookies["csrftoken"].value
    found = browser.post(
        "/api/v1/studies/search",
        {},
        content_type="application/json",
        headers={"X-CSRFToken": csrf},
    )
    assert found.status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"q": NaN}', 400),
        (b'{"q": "\\ud800"}', 400),
        (b"[" * 100_000, 400),
        (b'{"q": "a\\u0000b"}', 400),
        (b'{"q": "x", "colour": "red"}', 400),
        (b'["x"]', 400),
        (b'{"q": "' + b"x" * 300_000 + b'"}', 413),
    ],
)
def test_a_body_that_makes_no_sense_is_told_so(script_of: Script, body: bytes, status: int) -> None:
    client = script_of("front-desk")
    refused = client.generic(
        "POST", "/api/v1/patients/search", body, content_type="application/json"
    )
    assert refused.status_code == status
    assert refused["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/patients?limit=0", "limit"),
        ("/patients?limit=x", "limit"),
        ("/patients?name=DOE", "name"),
        ("/patients?after=x", "after"),
        ("/patients?after=99999999999999999999", "after"),
        ("/orders?status=lost", "status"),
        ("/appointments?day=9999-12-31", "day"),
        ("/steps?day=yesterday", "day"),
        ("/studies?PatientName=DOE", "PatientName"),
        ("/studies?match=perhaps", "match"),
        ("/transfers?status=lost", "status"),
        ("/changes?since=-1", "since"),
        ("/changes?kind=nothing", "kind"),
    ],
)
def test_a_query_that_makes_no_sense_names_its_field(
    script_of: Script, path: str, field: str
) -> None:
    refused = script_of("pacs-administrator").get(f"/api/v1{path}")
    assert refused.status_code == 400
    assert [one["field"] for one in refused.json()["errors"]] == [field]


def test_other_addresses_below_the_door_are_problems_too(script_of: Script) -> None:
    client = script_of("pacs-administrator")
    for path in ("/api/", "/api/v1/nothing", "/api/v2/studies", "/api/v1/patients/x"):
        refused = client.get(path)
        assert refused.status_code == 404
        assert refused["Content-Type"] == "application/problem+json"
    assert client.delete("/api/v1/patients").status_code == 405
