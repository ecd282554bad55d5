"""Layouts: kept, chosen for a study, removed; whose they are, and what is refused."""

import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models.signals import pre_save
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.studies.models import Study
from apps.viewer.models import HangingProtocol
from apps.viewer.services import save_layout
from apps.viewer.shapes import check_layout
from tests.factories import RequestedProcedureFactory, make_user, signed_in
from tests.threads import at_once
from tests.viewer.rows import layout, shown_series, viewport

pytestmark = pytest.mark.django_db
AsRole = Callable[[str], Client]
UID = "2.25.1"


@pytest.fixture
def study() -> Study:
    made = make_study(UID, datetime.date(2026, 5, 1))
    made.procedures.add(RequestedProcedureFactory.create())
    return made


def make_study(uid: str, day: datetime.date, **fields: Any) -> Study:
    usual = {"modalities": "\\CT\\SR\\", "patient_identifier": "P1", "study_date": day}
    return Study.objects.create(
        study_instance_uid=uid, last_instance_at=timezone.now(), **{**usual, **fields}
    )


def send(client: Client, **changes: Any) -> Any:
    usual = {"name": "Mine", "modality": "CT", "is_default": True, "layout": layout()}
    return client.post(reverse("viewer:layouts"), {**usual, **changes}, "application/json")


def told(client: Client, uid: str = UID) -> Any:
    return client.get(reverse("viewer:layouts"), {"study": uid}).json()


def test_a_layout_kept_in_the_viewer_is_there_again(as_role: AsRole, study: Study) -> None:
    client = as_role("radiologist")
    assert send(client).status_code == 201
    answer = told(client)
    assert answer["modalities"] == ["CT", "SR"]
    (row,) = answer["layouts"]
    assert (row["name"], row["isDefault"], row["mayRemove"]) == ("Mine", True, True)
    assert row["layout"] == layout()
    event = Event.objects.get(kind=Kind.LAYOUT_SAVED)
    assert (event.peer, event.details) == ("radiologist", {"everybody": False})


def test_the_narrowest_comes_first_and_ones_own_before_everybodys(
    study: Study, origin: Origin
) -> None:
    reader = make_user("radiologist")
    asked = study.procedures.get().procedure
    aims = {
        "e-mod": (None, {"modality": "CT"}),
        "e-proc": (None, {"procedure": asked}),
        "m-mod": (reader, {"modality": "CT"}),
        "m-proc": (reader, {"procedure": asked}),
        "any": (None, {}),
        "other": (reader, {"modality": "MR"}),
    }
    for name, (owner, aim) in aims.items():
        save_layout(owner, name=name, layout=layout(), **aim, origin=origin)  # type: ignore[arg-type]
    found = told(signed_in(reader))["layouts"]
    assert [row["name"] for row in found] == ["m-proc", "m-mod", "e-proc", "e-mod", "any"]
    weights = [row["weight"] for row in found]
    assert weights == sorted(set(weights), reverse=True)


def test_a_layout_for_a_body_part_is_for_series_of_it(study: Study, origin: Origin) -> None:
    reader = make_user("radiologist")
    save_layout(reader, name="Chest", layout=layout(), body_part="chest", origin=origin)
    assert told(signed_in(reader))["layouts"] == []
    study.series.create(series_instance_uid="2.25.3", body_part="CHEST")
    assert [row["name"] for row in told(signed_in(reader))["layouts"]] == ["Chest"]


def test_a_new_default_takes_the_place_of_the_former(as_role: AsRole, study: Study) -> None:
    client = as_role("radiologist")
    send(client, name="First")
    send(client, name="Second")
    send(client, name="Second", layout=layout(viewport(), viewport(x=0.5)))
    found = {row["name"]: row for row in told(client)["layouts"]}
    assert {name: row["isDefault"] for name, row in found.items()} == {
        "First": False,
        "Second": True,
    }
    assert found["Second"]["layout"]["columns"] == 2


def test_the_database_refuses_two_defaults_of_a_kind_and_two_of_a_name(origin: Origin) -> None:
    first = save_layout(None, name="One", layout=layout(), modality="CT", origin=origin)
    again = {"layout": layout(), "modality": "CT"}
    for fields in ({"name": "Two", "is_default": True}, {"name": first.name}):
        with pytest.raises(IntegrityError), transaction.atomic():
            HangingProtocol.objects.create(**again, **fields)
        with pytest.raises(ValidationError):
            HangingProtocol(**again, **fields).full_clean()


def test_nobody_sees_or_removes_the_layouts_of_another(study: Study, origin: Origin) -> None:
    row = save_layout(make_user("resident"), name="Hers", layout=layout(), origin=origin)
    for role in ("radiologist", "pacs-administrator"):
        client = signed_in(make_user(role))
        assert told(client)["layouts"] == []
        assert client.post(reverse("viewer:layout-remove", args=[row.pk])).status_code == 404
    assert HangingProtocol.objects.filter(pk=row.pk).exists()


def test_everybodys_layouts_are_kept_and_removed_by_administrators(
    as_role: AsRole, study: Study
) -> None:
    assert send(as_role("radiologist"), for_everybody=True).status_code == 403
    administrator = as_role("pacs-administrator")
    key = send(administrator, for_everybody=True).json()["key"]
    reader = as_role("resident")
    (row,) = told(reader)["layouts"]
    assert (row["everybody"], row["mayRemove"]) == (True, False)
    address = reverse("viewer:layout-remove", args=[key])
    assert reader.post(address).status_code == 403
    assert administrator.post(address).status_code == 200
    assert not HangingProtocol.objects.exists()
    assert Event.objects.get(kind=Kind.LAYOUT_REMOVED).details == {"everybody": True}


def test_only_who_views_studies_may_ask_and_only_for_those_seen(
    as_role: AsRole, study: Study
) -> None:
    assert send(as_role("front-desk")).status_code == 403
    referrer = as_role("referrer")
    assert referrer.get(reverse("viewer:layouts"), {"study": UID}).status_code == 404
    assert as_role("radiologist").get(reverse("viewer:layouts")).status_code == 404


def test_the_prior_is_the_newest_earlier_study_of_the_patient_with_such_images(
    as_role: AsRole, study: Study
) -> None:
    client = as_role("radiologist")
    assert told(client)["prior"] is None
    make_study("2.25.10", datetime.date(2024, 1, 1))
    make_study("2.25.11", datetime.date(2025, 1, 1))
    make_study("2.25.12", datetime.date(2026, 1, 1), modalities="\\MR\\")
    make_study("2.25.13", datetime.date(2026, 6, 1))
    make_study("2.25.14", datetime.date(2026, 1, 1), patient_identifier="P2")
    make_study("2.25.15", datetime.date(2026, 1, 1), patient_identifier_issuer="ELSEWHERE")
    assert told(client)["prior"] == "2.25.11"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"version": 1}, "rows: This field is required."),
        (layout(viewport(kind="film")), 'viewports, 1, kind: "film" is not a valid choice.'),
        (
            layout(viewport(), viewport(series=[shown_series(slab=-3)])),
            "viewports, 2, series, 1, slab: Ensure this value is greater than or equal to 0.1.",
        ),
        (
            layout(viewport(series=[shown_series(colours={"name": "hsv", "opacity": "much"})])),
            "viewports, 1, series, 1, colours, opacity: A valid number is required.",
        ),
        ([], "Invalid data. Expected a dictionary, but got list."),
    ],
)
def test_a_layout_that_is_none_is_refused_with_the_place(given: Any, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        check_layout(given)
    assert said in refused.value.messages


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_json_does_not_have_are_refused(as_role: AsRole, number: str) -> None:
    sent = json.dumps({"name": "x", "layout": layout(viewport(x=0.25))}).replace("0.25", number)
    response = as_role("radiologist").post(reverse("viewer:layouts"), sent, "application/json")
    assert response.status_code == 400
    assert "viewports, 1, x: A valid number is required." in response.json()["errors"]


@pytest.mark.parametrize("body", ["{", "[]", "null", '{"name": "x"}', "9" * 70_000])
def test_bad_requests_are_told_what_is_wrong(as_role: AsRole, body: str) -> None:
    response = as_role("radiologist").post(reverse("viewer:layouts"), body, "application/json")
    assert response.status_code == 400
    assert response.json()["errors"]


def test_what_is_not_asked_for_is_not_kept(as_role: AsRole) -> None:
    odd = {**layout(), "script": "<b>"}
    row = send(as_role("radiologist"), layout=odd).json()
    assert row["layout"] == layout()


def test_the_back_office_holds_everybodys_layouts_alone(as_role: AsRole, origin: Origin) -> None:
    hers = save_layout(make_user("resident"), name="Hers", layout=layout(), origin=origin)
    ours = save_layout(None, name="Ours", layout=layout(), origin=origin)
    pages = "/admin/viewer/hangingprotocol/"
    client = as_role("pacs-administrator")
    listed = client.get(pages).text
    assert "Ours" in listed
    assert "Hers" not in listed
    assert client.get(f"{pages}{hers.pk}/change/").status_code == 302
    form = {"name": "Ours", "active": "on", "modality": "CT"}
    page = client.post(f"{pages}{ours.pk}/change/", {**form, "layout": '{"version": 1}'})
    assert "viewports: This field is required." in page.text
    page = client.post(
        f"{pages}{ours.pk}/change/", {**form, "modality": "ct", "layout": json.dumps(layout())}
    )
    ours.refresh_from_db()
    assert (page.status_code, ours.modality, ours.layout) == (302, "CT", layout())
    reader = as_role("radiologist")
    assert reader.post(f"{pages}{ours.pk}/change/", form).status_code == 403
    assert reader.get(f"{pages}add/").status_code == 403


def faster(times: int) -> Callable[..., None]:
    """Somebody who keeps a default for CT just before a layout "Mine" is written, so often."""
    left = iter(range(times))

    def keep_one(instance: HangingProtocol, **_sent: Any) -> None:
        if instance.name == "Mine" and (number := next(left, None)) is not None:
            others = {"name": f"Other {number}", "is_default": True, "layout": layout()}
            HangingProtocol.objects.create(owner=instance.owner, modality="CT", **others)

    return keep_one


@pytest.mark.parametrize(("times", "status"), [(1, 201), (9, 400)])
def test_who_keeps_a_default_when_somebody_was_faster_keeps_it_or_is_told(
    as_role: AsRole, times: int, status: int
) -> None:
    meanwhile = faster(times)
    pre_save.connect(meanwhile, sender=HangingProtocol)
    try:
        answer = send(as_role("pacs-administrator"), for_everybody=True)
    finally:
        pre_save.disconnect(meanwhile, sender=HangingProtocol)
    assert answer.status_code == status
    if status == 400:
        (said,) = answer.json()["errors"]
        assert said == "Somebody else keeps such a layout right now. Please try again."


@pytest.mark.django_db(transaction=True)
def test_of_two_defaults_kept_at_once_both_stay_and_one_is_the_default() -> None:
    def keep(name: str) -> str:
        origin = Origin(protocol="test")
        return save_layout(None, name=name, layout=layout(), modality="CT", origin=origin).name

    assert at_once(keep, ["One", "Two"]) == ["One", "Two"]
    assert HangingProtocol.objects.filter(is_default=True).count() == 1
