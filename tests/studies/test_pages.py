"""The pages of studies: finding them, looking at one, matching it to its order."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.audit.models import Event, Kind
from apps.dicom.names import search_form
from apps.studies.models import Series, Study
from tests.factories import (
    OrderFactory,
    PatientFactory,
    ReferrerFactory,
    RequestedProcedureFactory,
    make_user,
    signed_in,
)
from tests.reports.rows import make_order, make_study

pytestmark = pytest.mark.django_db
LIST = "studies:list"


@pytest.fixture
def keeper(as_role: Callable[[str], Client]) -> Client:
    """Somebody who may match studies."""
    return as_role("pacs-administrator")


def found(client: Client, **wanted: Any) -> list[Study]:
    response = client.get(reverse(LIST), wanted)
    assert response.status_code == 200
    return list(response.context["studies"])


def named(name: str, **fields: Any) -> Study:
    return make_study(patient_name=name, patient_search_name=search_form(name), **fields)


@pytest.mark.parametrize(
    ("role", "code"),
    [
        ("radiologist", 200),
        ("resident", 200),
        ("technologist", 200),
        ("pacs-administrator", 200),
        ("referrer", 200),
        ("front-desk", 403),
        ("auditor", 403),
        ("system-administrator", 403),
    ],
)
def test_who_sees_the_list(role: str, code: int, as_role: Callable[[str], Client]) -> None:
    assert as_role(role).get(reverse(LIST)).status_code == code


def test_studies_are_found_by_name_number_accession_and_uid(keeper: Client) -> None:
    study = named(
        "Müller^Jörg",
        patient_identifier="P123",
        accession_number="A77",
        study_instance_uid="2.25.5",
    )
    named("Other^One")
    for typed in ("muller jorg", "JÖRG", "P123", "A77", "2.25.5"):
        assert found(keeper, q=typed) == [study]
    assert found(keeper, q="nobody") == []


def test_studies_are_narrowed_by_modality_date_and_match(keeper: Client) -> None:
    old = make_study(study_date=datetime.date(2024, 1, 5), modalities="\\MR\\")
    new = make_study(make_order(), study_date=datetime.date(2026, 1, 5), modalities="\\CT\\PT\\")
    assert found(keeper, modality="pt") == [new]
    assert found(keeper, modality="P") == []
    assert found(keeper, since="2025-01-01") == [new]
    assert found(keeper, until="2025-01-01") == [old]
    assert found(keeper, match="open") == [old]
    assert found(keeper, match="matched") == [new]


def test_a_filter_that_makes_no_sense_is_told_and_left_out(keeper: Client) -> None:
    study = make_study()
    response = keeper.get(reverse(LIST), {"since": "yesterday", "match": "x"})
    assert list(response.context["studies"]) == [study]
    assert "Enter a valid date." in response.content.decode()


def test_pages_follow_one_another_without_gap_or_repeat(
    keeper: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.studies.services.listing.PAGE_SIZE", 3)
    days = [None, "2026-03-01", "2026-03-01", "2026-01-01", None, "2026-03-02", "2026-03-01", None]
    expected = [make_study(study_date=datetime.date.fromisoformat(d) if d else None) for d in days]
    expected.sort(
        key=lambda one: (
            one.study_date is None,
            one.study_date and -one.study_date.toordinal(),
            -one.pk,
        )
    )
    seen: list[Study] = []
    address = reverse(LIST)
    for _page in range(3):
        response = keeper.get(address)
        seen += response.context["studies"]
        address = response.context["next_address"]
    assert seen == expected
    assert address == ""


def test_a_broken_page_key_begins_anew(keeper: Client) -> None:
    study = make_study(study_date=datetime.date(2026, 1, 1))
    for key in ("x", "_", "2026-13-01_5", "²_²", "' OR 1=1"):
        assert found(keeper, after=key) == [study]


def test_the_list_takes_the_same_number_of_queries_for_any_length(
    keeper: Client, django_assert_max_num_queries: Any
) -> None:
    for _count in range(12):
        make_study(make_order())
    keeper.get(reverse(LIST))
    with django_assert_max_num_queries(11):
        keeper.get(reverse(LIST))


def test_a_study_shows_its_series_and_why_it_matched(keeper: Client) -> None:
    order = make_order()
    study = make_study(order, match_reason="accession number and patient agree")
    Series.objects.create(
        series_instance_uid="2.25.8", study=study, modality="CT", number=2, description="Lung 1mm"
    )
    page = keeper.get(reverse("studies:detail", args=[study.pk])).content.decode()
    for said in ("Lung 1mm", "accession number and patient agree", order.accession_number):
        assert said in page


def test_looking_at_a_study_is_journalled(keeper: Client) -> None:
    study = make_study(make_order())
    keeper.get(reverse("studies:detail", args=[study.pk]))
    row = Event.objects.get(kind=Kind.STUDY_VIEWED)
    assert (row.subject_id, row.study_instance_uid) == (str(study.pk), study.study_instance_uid)


def test_names_from_devices_are_escaped(keeper: Client) -> None:
    study = named("<script>alert(1)</script>^X", description="<b>x</b>")
    for url in (reverse(LIST), reverse("studies:detail", args=[study.pk])):
        page = keeper.get(url).content.decode()
        assert "<script>alert" not in page
        assert "<b>x</b>" not in page


def match_by_page(client: Client, study: Study, **data: Any) -> Any:
    given = {"accession_number": "", "reason": "seen at the device", **data}
    return client.post(reverse("studies:match", args=[study.pk]), given)


def test_a_study_is_matched_by_accession_number(keeper: Client) -> None:
    study, order = make_study(), make_order()
    response = match_by_page(keeper, study, accession_number=f" {order.accession_number.lower()} ")
    assert response.status_code == 302
    study.refresh_from_db()
    assert study.match == Study.Match.MATCHED
    assert study.patient == order.patient
    assert "seen at the device" in study.match_reason


def test_where_an_order_has_several_procedures_one_is_chosen(keeper: Client) -> None:
    study, order = make_study(), make_order()
    second = RequestedProcedureFactory.create(order=order, meaning="CT of the head")
    asked = match_by_page(keeper, study, accession_number=order.accession_number)
    assert asked.status_code == 422
    assert "CT of the head" in asked.content.decode()
    chosen = match_by_page(
        keeper, study, accession_number=order.accession_number, procedure=second.pk
    )
    assert chosen.status_code == 302
    assert list(study.procedures.all()) == [second]


def test_an_unknown_accession_number_is_told(keeper: Client) -> None:
    study = make_study()
    response = match_by_page(keeper, study, accession_number="NONE")
    assert response.status_code == 422
    assert "No order has this accession number." in response.content.decode()
    study.refresh_from_db()
    assert study.match == Study.Match.UNMATCHED


def test_matching_needs_a_reason(keeper: Client) -> None:
    study, order = make_study(), make_order()
    response = match_by_page(keeper, study, accession_number=order.accession_number, reason=" ")
    assert response.status_code == 422
    assert not study.procedures.exists()


@pytest.mark.parametrize(
    ("role", "code"),
    [("technologist", 302), ("pacs-administrator", 302), ("radiologist", 403), ("resident", 403)],
)
def test_who_matches_studies(role: str, code: int, as_role: Callable[[str], Client]) -> None:
    study, order = make_study(), make_order()
    client = as_role(role)
    response = match_by_page(client, study, accession_number=order.accession_number)
    assert response.status_code == code


def test_a_referrer_sees_studies_of_own_orders_only() -> None:
    user = make_user("referrer")
    client = signed_in(user)
    own = make_study(make_order(referrer=ReferrerFactory.create(user=user)))
    foreign = make_study(make_order())
    assert found(client) == [own]
    assert client.get(reverse("studies:detail", args=[own.pk])).status_code == 200
    assert client.get(reverse("studies:detail", args=[foreign.pk])).status_code == 404
    assert (
        "Match to an order"
        not in client.get(reverse("studies:detail", args=[own.pk])).content.decode()
    )


def test_panels_list_the_studies_of_a_patient_and_of_an_order(keeper: Client) -> None:
    order = make_order()
    study = make_study(order, description="Chest with contrast")
    make_study(make_order(), description="Somebody else")
    for name, key in (("patient-studies", order.patient.pk), ("order-studies", order.pk)):
        page = keeper.get(reverse(f"studies:{name}", args=[key])).content.decode()
        assert study.description in page
        assert "Somebody else" not in page


def test_panels_of_foreign_patients_and_orders_are_not_found(
    as_role: Callable[[str], Client],
) -> None:
    client = as_role("referrer")
    patient, order = PatientFactory.create(), OrderFactory.create()
    assert client.get(reverse("studies:patient-studies", args=[patient.pk])).status_code == 404
    assert client.get(reverse("studies:order-studies", args=[order.pk])).status_code == 404


def test_panels_tell_the_front_desk_that_images_are_not_for_it(
    as_role: Callable[[str], Client],
) -> None:
    order = make_order()
    make_study(order, description="Secret")
    page = as_role("front-desk").get(reverse("studies:order-studies", args=[order.pk]))
    assert "Images are not shown to your role." in page.content.decode()
    assert "Secret" not in page.content.decode()
