"""The back office: who comes in, what can be changed there, and what the journal says of it."""

from collections.abc import Callable

import pytest
from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from apps.accounts.admin import UserAdmin
from apps.accounts.models import Role, User
from apps.accounts.policy import CLINICAL, noun_of
from apps.audit.models import Event, Kind
from apps.audit.services import Origin, record, seal
from apps.orders.models import Order, Procedure
from apps.patients.models import Patient
from tests.factories import (
    AppointmentFactory,
    OrderFactory,
    PatientFactory,
    PatientIdentifierFactory,
    ProcedureFactory,
    RequestedProcedureFactory,
    ResourceFactory,
    ScheduledStepFactory,
    make_user,
)

pytestmark = pytest.mark.django_db
As = Callable[[str], Client]
LIST_QUERIES = 12  # session, user, roles, filters, counting, the rows and what they bring
PROCEDURE = {
    "code": "CTX",
    "scheme": "99OPACS",
    "meaning": "CT of the wrist",
    "modality": "CT",
    "duration_minutes": "15",
}


@pytest.mark.parametrize(
    ("role", "status"),
    [
        ("front-desk", 403),
        ("technologist", 403),
        ("referrer", 403),
        ("radiologist", 200),  # keeps report templates
        ("resident", 200),
        ("pacs-administrator", 200),
        ("system-administrator", 200),
        ("auditor", 200),
    ],
)
def test_the_back_office_opens_by_role(as_role: As, role: str, status: int) -> None:
    assert as_role(role).get("/admin/", follow=True).status_code == status


def test_staff_and_superuser_flags_open_nothing(client: Client) -> None:
    user = make_user(is_staff=True, is_superuser=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/admin/", follow=True).status_code == 403


def test_the_first_page_is_ordered_by_purpose(as_role: As) -> None:
    page = as_role("pacs-administrator").get("/admin/").text
    groups = ["Department", "Connections", "People and journal", "Records, to look at"]
    places = [page.index(f"<caption>{group}</caption>") for group in groups]
    assert places == sorted(places)


@pytest.mark.parametrize("role", Role.values)
def test_nobody_adds_changes_or_deletes_clinical_rows(as_role: As, role: str) -> None:
    client = as_role(role)
    request = client.get("/account/password/").wsgi_request
    for model, model_admin in admin.site._registry.items():
        if not hasattr(model, "policy_noun") or noun_of(model) not in CLINICAL:
            continue
        assert not model_admin.has_add_permission(request)
        assert not model_admin.has_change_permission(request)
        assert not model_admin.has_delete_permission(request)


def test_a_clinical_row_is_shown_without_a_form(as_role: As) -> None:
    order = RequestedProcedureFactory().order
    page = as_role("pacs-administrator").get(reverse("admin:orders_order_change", args=[order.pk]))
    assert page.status_code == 200
    assert 'name="_save"' not in page.text
    assert 'name="status"' not in page.text


def test_a_forged_post_to_a_clinical_row_is_refused(as_role: As) -> None:
    order = OrderFactory()
    url = reverse("admin:orders_order_change", args=[order.pk])
    assert as_role("pacs-administrator").post(url, {"status": "reported"}).status_code == 403
    assert Order.objects.get().status == Order.Status.REQUESTED


def test_a_system_administrator_finds_no_patients(as_role: As) -> None:
    patient = PatientFactory()
    client = as_role("system-administrator")
    assert client.get(reverse("admin:patients_patient_changelist")).status_code == 403
    page = client.get(reverse("admin:patients_patient_change", args=[patient.pk]))
    assert page.status_code in (302, 403)


def test_an_auditor_changes_nothing(as_role: As) -> None:
    procedure = ProcedureFactory()
    client = as_role("auditor")
    url = reverse("admin:orders_procedure_change", args=[procedure.pk])
    assert client.get(url).status_code == 200
    assert client.post(url, PROCEDURE).status_code == 403
    assert client.get(reverse("admin:orders_procedure_add")).status_code == 403


def test_a_change_of_the_catalogue_is_in_the_journal(as_role: As) -> None:
    client = as_role("pacs-administrator")
    assert client.post(reverse("admin:orders_procedure_add"), PROCEDURE).status_code == 302
    procedure = Procedure.objects.get(code="CTX")
    changed = {**PROCEDURE, "duration_minutes": "20", "active": "on"}
    url = reverse("admin:orders_procedure_change", args=[procedure.pk])
    assert client.post(url, changed).status_code == 302
    assert client.post(url.replace("change", "delete"), {"post": "yes"}).status_code == 302
    events = Event.objects.filter(kind=Kind.SITE_CHANGED).order_by("id")
    assert [event.details["verb"] for event in events] == ["added", "changed", "deleted"]
    assert events[1].details["fields"] == ["Can be ordered", "Duration in minutes"] or events[
        1
    ].details["fields"] == ["Duration in minutes", "Can be ordered"]
    assert {event.user and event.user.username for event in events} == {"pacs-administrator"}


def test_a_user_is_created_with_a_role_and_noted(as_role: As) -> None:
    client = as_role("system-administrator")
    role = Group.objects.get(name="technologist")
    fields = {
        "username": "grace",
        "password1": "a quiet lamp in the corridor",
        "password2": "a quiet lamp in the corridor",
        "groups": [role.pk],
        "must_change_password": "on",
    }
    assert client.post(reverse("admin:accounts_user_add"), fields).status_code == 302
    user = User.objects.get(username="grace")
    assert user.roles == {Role.TECHNOLOGIST}
    assert user.must_change_password
    assert not user.is_staff
    assert Event.objects.get(kind=Kind.USER_CREATED).subject_id == str(user.pk)


def test_the_form_of_a_user_offers_no_django_permissions(as_role: As) -> None:
    client = as_role("system-administrator")
    user = User.objects.get(username="system-administrator")
    page = client.get(reverse("admin:accounts_user_change", args=[user.pk])).text
    assert "System administrator" in page
    for name in ("is_superuser", "is_staff", "user_permissions"):
        assert f'name="{name}"' not in page


def test_accounts_are_not_deleted(as_role: As) -> None:
    client = as_role("system-administrator")
    user = make_user("radiologist")
    url = reverse("admin:accounts_user_delete", args=[user.pk])
    assert client.post(url, {"post": "yes"}).status_code == 403


def test_a_locked_account_is_unlocked(as_role: As) -> None:
    client = as_role("system-administrator")
    user = make_user("radiologist")
    AccessAttempt.objects.create(
        username=user.username, ip_address="10.0.0.1", failures_since_start=5
    )
    fields = {"action": "unlock", "_selected_action": [user.pk]}
    page = client.post(reverse("admin:accounts_user_changelist"), fields, follow=True)
    assert "1 account was locked and is open again." in page.text
    assert not AccessAttempt.objects.exists()


def test_roles_are_looked_at_only(as_role: As) -> None:
    client = as_role("system-administrator")
    page = client.get(reverse("admin:auth_group_changelist")).text
    assert "Report: view, create, change, sign" in page
    assert client.get(reverse("admin:auth_group_add")).status_code == 403


def test_the_journal_is_searched_by_exact_numbers(as_role: As, origin: Origin) -> None:
    for number in ("A1", "A2"):
        record(Kind.ORDER_PLACED, None, origin=origin, accession_number=number, patient_id=7)
    client = as_role("auditor")
    url = reverse("admin:audit_event_changelist")
    assert client.get(url, {"q": "A1"}).context["cl"].result_count == 1
    assert client.get(url, {"q": "A"}).context["cl"].result_count == 0
    assert client.get(url, {"q": "7"}).context["cl"].result_count == 2
    assert client.get(url, {"q": "auditor"}).context["cl"].result_count == 1


def test_the_journal_cannot_be_written(as_role: As, origin: Origin) -> None:
    event = record(Kind.ORDER_PLACED, None, origin=origin)
    client = as_role("system-administrator")
    assert client.get(reverse("admin:audit_event_add")).status_code == 403
    change = reverse("admin:audit_event_change", args=[event.pk])
    assert client.post(change, {"peer": "x"}).status_code == 403
    delete = reverse("admin:audit_event_delete", args=[event.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403


def test_an_auditor_takes_the_journal_away_and_that_is_noted(as_role: As, origin: Origin) -> None:
    event = record(Kind.SIGN_IN_FAILED, None, origin=Origin(protocol="web", peer="=cmd()"))
    fields = {"action": "export", "_selected_action": [event.pk]}
    response = as_role("auditor").post(reverse("admin:audit_event_changelist"), fields)
    text = response.getvalue().decode()
    assert text.startswith("id,at,kind,")
    assert "'=cmd()" in text, "a spreadsheet must not run what a stranger typed"
    assert Event.objects.get(kind=Kind.JOURNAL_EXPORTED).details == {"rows": 1}


def test_others_do_not_take_the_journal_away(as_role: As, origin: Origin) -> None:
    event = record(Kind.ORDER_PLACED, None, origin=origin)
    fields = {"action": "export", "_selected_action": [event.pk]}
    as_role("pacs-administrator").post(reverse("admin:audit_event_changelist"), fields)
    assert not Event.objects.filter(kind=Kind.JOURNAL_EXPORTED).exists()


def test_the_chain_is_checked_from_the_list(as_role: As, origin: Origin) -> None:
    record(Kind.ORDER_PLACED, None, origin=origin)
    seal()
    client = as_role("auditor")
    url = reverse("admin:audit_event_check")
    assert client.get(url).status_code == 405
    assert "The chain holds" in client.post(url, follow=True).text


@pytest.mark.parametrize(
    ("route", "make"),
    [
        ("admin:audit_event_changelist", None),
        ("admin:orders_order_changelist", RequestedProcedureFactory),
        ("admin:patients_patient_changelist", PatientIdentifierFactory),
        ("admin:scheduling_appointment_changelist", AppointmentFactory),
        ("admin:scheduling_resource_changelist", ResourceFactory),
        ("admin:worklist_scheduledstep_changelist", ScheduledStepFactory),
    ],
)
def test_a_list_asks_as_often_for_twenty_rows_as_for_one(
    as_role: As,
    origin: Origin,
    django_assert_max_num_queries: Callable[..., object],
    route: str,
    make: Callable[[], object] | None,
) -> None:
    client = as_role("pacs-administrator")
    for number in range(20):
        if make:
            make()
        else:
            record(Kind.ORDER_PLACED, None, origin=origin, patient_id=number)
    with django_assert_max_num_queries(LIST_QUERIES):  # type: ignore[attr-defined]
        assert client.get(reverse(route)).status_code == 200


def test_the_list_of_users_does_not_ask_per_user(
    as_role: As, django_assert_max_num_queries: Callable[..., object]
) -> None:
    client = as_role("system-administrator")
    for number in range(20):
        make_user("radiologist", username=f"r{number}")
    with django_assert_max_num_queries(LIST_QUERIES):  # type: ignore[attr-defined]
        assert client.get(reverse("admin:accounts_user_changelist")).status_code == 200


def test_patients_are_found_by_name_and_number(as_role: As) -> None:
    PatientIdentifierFactory(patient__family_name="Müller", value="P77")
    PatientIdentifierFactory(patient__family_name="Okonkwo")
    client = as_role("pacs-administrator")
    url = reverse("admin:patients_patient_changelist")
    assert client.get(url, {"q": "P77"}).context["cl"].result_count == 1
    assert client.get(url, {"q": "okonkwo"}).context["cl"].result_count == 1
    assert Patient.objects.count() == 2


def test_the_user_admin_is_registered_once() -> None:
    assert isinstance(admin.site._registry[User], UserAdmin)
