"""The pages about patients: who may take them, what they say, how many queries they cost."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import Role
from apps.audit.models import Event, Kind
from apps.orders.models import Order
from apps.patients.models import Patient
from tests.factories import (
    IssuerFactory,
    OrderFactory,
    PatientFactory,
    PatientIdentifierFactory,
)

pytestmark = pytest.mark.django_db

SignIn = Callable[[str], Client]
READERS = {
    Role.FRONT_DESK,
    Role.TECHNOLOGIST,
    Role.RADIOLOGIST,
    Role.RESIDENT,
    Role.REFERRER,
    Role.PACS_ADMINISTRATOR,
    Role.AUDITOR,
}
WRITERS = {Role.FRONT_DESK, Role.TECHNOLOGIST, Role.PACS_ADMINISTRATOR}
NEW = {"family_name": "Doe", "given_name": "Jane", "sex": "F"}


@pytest.mark.parametrize("role", list(Role))
def test_each_role_sees_what_the_policy_lets_it(role: Role, as_role: SignIn) -> None:
    client, patient = as_role(role), PatientFactory()
    read = 200 if role in READERS else 403
    # A referrer's patients are those the referrer has sent here; others do not exist.
    one = 404 if role is Role.REFERRER else read
    create = 200 if role is Role.FRONT_DESK else 403
    update = 200 if role in WRITERS else 403
    assert client.get(reverse("patients:list")).status_code == read
    assert client.get(reverse("patients:detail", args=[patient.pk])).status_code == one
    assert client.get(reverse("patients:create")).status_code == create
    assert client.get(reverse("patients:update", args=[patient.pk])).status_code == update
    assert client.post(reverse("patients:duplicates"), NEW).status_code == create


def test_a_stranger_is_sent_to_the_login_page(client: Client) -> None:
    response = client.get(reverse("patients:list"))
    assert response.status_code == 302
    assert reverse("accounts:login") in response["Location"]


def test_looking_at_a_patient_is_written_down(as_role: SignIn) -> None:
    patient = PatientFactory()
    as_role("front-desk").get(reverse("patients:detail", args=[patient.pk]))
    event = Event.objects.get(kind=Kind.PATIENT_VIEWED)
    assert (event.patient_id, event.user is not None) == (patient.pk, True)


def test_registering_leads_to_the_patient(as_role: SignIn) -> None:
    response = as_role("front-desk").post(
        reverse("patients:create"),
        NEW
        | {
            "birth_year": "1980",
            "birth_month": "5",
            "identifier_value": "77",
            "identifier_namespace": "HOSPITAL",
        },
    )
    patient = Patient.objects.get()
    assert response["Location"] == reverse("patients:detail", args=[patient.pk])
    assert patient.display_birth_date == "1980-05"
    assert {str(one) for one in patient.identifiers.all()} == {"P0000001", "77"}


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("family_name", {"family_name": ""}),
        ("family_name", {"family_name": "A^B"}),
        ("birth_day", {"birth_year": "1980", "birth_month": "2", "birth_day": "30"}),
        ("birth_month", {"birth_year": "1980", "birth_day": "30"}),
        ("birth_year", {"birth_month": "2"}),
        ("birth_year", {"birth_year": "2999"}),
        ("birth_year", {"birth_year": "12"}),
        ("sex", {"sex": "Q"}),
        ("email", {"email": "nobody"}),
        ("identifier_namespace", {"identifier_value": "77"}),
        ("identifier_value", {"identifier_namespace": "HOSPITAL"}),
    ],
)
def test_a_fault_is_told_at_its_field(field: str, sent: dict[str, str], as_role: SignIn) -> None:
    response = as_role("front-desk").post(reverse("patients:create"), NEW | sent)
    assert response.status_code == 200
    assert field in response.context["form"].errors
    assert not Patient.objects.exists()


def test_a_leap_day_is_a_day(as_role: SignIn) -> None:
    sent = {"birth_year": "1980", "birth_month": "2", "birth_day": "29"}
    as_role("front-desk").post(reverse("patients:create"), NEW | sent)
    assert Patient.objects.get().display_birth_date == "1980-02-29"


def test_a_number_of_somebody_else_is_told_at_its_field(as_role: SignIn) -> None:
    taken = PatientIdentifierFactory(issuer=IssuerFactory(namespace="HOSPITAL"))
    sent = {
        "identifier_value": taken.value,
        "identifier_namespace": "HOSPITAL",
        "confirmed": "on",
    }
    response = as_role("front-desk").post(reverse("patients:create"), NEW | sent)
    assert "identifier_value" in response.context["form"].errors


def test_saving_over_a_likely_duplicate_needs_a_tick(as_role: SignIn) -> None:
    PatientFactory(family_name="Doe", given_name="Jane", search_name="DOE JANE")
    client, url = as_role("front-desk"), reverse("patients:create")
    sent = NEW | {"birth_year": "1980", "birth_month": "5", "birth_day": "17"}
    response = client.post(url, sent)
    assert response.status_code == 200
    assert "same name" in response.content.decode()
    assert Patient.objects.count() == 1
    assert client.post(url, sent | {"confirmed": "on"}).status_code == 302
    assert Patient.objects.count() == 2


def test_candidates_appear_while_typing(as_role: SignIn) -> None:
    PatientFactory(family_name="Doe", given_name="Jane", search_name="DOE JANE")
    response = as_role("front-desk").post(reverse("patients:duplicates"), NEW)
    assert "Perhaps: same name" in " ".join(response.content.decode().split())


def test_an_edit_shows_what_is_stored_and_changes_it(as_role: SignIn) -> None:
    patient = PatientFactory(family_name="Doe", birth_precision="month")
    client, url = as_role("front-desk"), reverse("patients:update", args=[patient.pk])
    form = client.get(url).context["form"]
    assert (form["birth_year"].value(), form["birth_day"].value()) == (1980, None)
    client.post(url, NEW | {"family_name": "Roe", "birth_year": "1981"})
    patient.refresh_from_db()
    assert (patient.family_name, patient.display_birth_date) == ("Roe", "1981")


@pytest.mark.parametrize("text", ["muller", "JÖRG", "Müller Jörg"])
def test_a_search_finds_names_in_any_spelling(text: str, as_role: SignIn) -> None:
    patient = PatientFactory(search_name="MULLER JORG")
    PatientFactory(search_name="SMITH JOHN")
    response = as_role("front-desk").post(reverse("patients:list"), {"q": text}, follow=True)
    assert list(response.context["patients"]) == [patient]


def test_a_scanned_number_opens_its_patient(as_role: SignIn) -> None:
    order: Order = OrderFactory(patient__phone="0123")
    number = PatientIdentifierFactory(patient=order.patient)
    client, url = as_role("front-desk"), reverse("patients:list")
    for text in (number.value.lower(), order.accession_number, "0123"):
        response = client.post(url, {"q": f" {text}"})
        assert response["Location"] == reverse("patients:detail", args=[order.patient_id])


def test_a_searched_name_never_stands_in_a_url(as_role: SignIn) -> None:
    response = as_role("front-desk").post(reverse("patients:list"), {"q": "Secret"})
    assert "Secret" not in response["Location"]


def test_nobody_found_is_said(as_role: SignIn) -> None:
    response = as_role("front-desk").post(reverse("patients:list"), {"q": "Xyz"}, follow=True)
    assert "Nobody found" in response.content.decode()


def test_a_merged_patient_points_to_its_survivor(as_role: SignIn) -> None:
    survivor = PatientFactory()
    merged = PatientFactory(status="merged", merged_into=survivor)
    client = as_role("front-desk")
    page = client.get(reverse("patients:detail", args=[merged.pk])).content.decode()
    assert reverse("patients:detail", args=[survivor.pk]) in page
    assert client.get(reverse("patients:update", args=[merged.pk])).status_code == 404


def test_fifty_patients_cost_as_many_queries_as_one(
    as_role: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for identifier in PatientIdentifierFactory.create_batch(50):
        assert identifier.patient_id
    client = as_role("front-desk")
    with django_assert_max_num_queries(12):
        response = client.get(reverse("patients:list"))
    assert len(response.context["patients"]) == 50
