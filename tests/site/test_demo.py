"""The demo department is made through the services, once, with passwords nobody knows before."""

import re
from collections.abc import Callable

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client

from apps.accounts.models import Role, User
from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.orders.models import Order, Procedure
from apps.patients.models import Patient
from apps.reports.models import Report, ReportTemplate
from apps.scheduling.models import Appointment
from apps.site.demo.department import DemoRefused, Filled, fill_department
from apps.site.services import setup_link
from apps.worklist.models import Device, ScheduledStep
from tests.factories import PatientFactory
from tests.site.test_setup import CHOSEN, path_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def filled(origin: Origin, django_capture_on_commit_callbacks: Callable[..., object]) -> Filled:
    return fill_department(origin=origin, with_images=False)


def test_the_demo_is_a_whole_department(filled: Filled) -> None:
    assert filled.patients == Patient.objects.count() >= 25
    assert filled.orders == Order.objects.count() >= 20
    assert Procedure.objects.count() >= 15
    assert ReportTemplate.objects.count() >= 5
    assert set(Device.objects.values_list("modality", flat=True)) >= {"CT", "MR", "US", "CR"}
    assert {role for user in User.objects.all() for role in user.roles} == (
        set(Role) - {Role.SYSTEM_ADMINISTRATOR}
    )


@pytest.mark.parametrize("hour", ["03:10", "08:00", "11:31", "12:59", "17:45", "23:50"])
def test_exams_of_the_demo_are_in_every_state_at_any_hour(origin: Origin, hour: str) -> None:
    with time_machine.travel(f"2026-11-22T{hour}:00+00:00", tick=False):
        fill_department(origin=origin, with_images=False)
    states = set(ScheduledStep.objects.values_list("status", flat=True))
    assert states >= {"SCHEDULED", "ARRIVED", "STARTED", "COMPLETED"}
    assert set(Order.objects.values_list("status", flat=True)) >= {
        "requested",
        "scheduled",
        "in-progress",
        "performed",
        "reported",
    }
    assert Appointment.objects.filter(status="arrived").exists()


def test_the_demo_has_one_final_report_with_its_pdf(filled: Filled) -> None:
    report = Report.objects.get(status="final")
    version = report.versions.get()
    assert version.signer.username == "radiologist"
    assert bytes(version.pdf).startswith(b"%PDF")


def test_names_of_the_demo_are_written_in_many_scripts(filled: Filled) -> None:
    written = "".join(Patient.objects.values_list("ideographic_name", flat=True))
    for script in ("[\u0e01-\u0e5b]", "[\u0621-\u064a]", "[\u4e00-\u9fff]", "[\u0410-\u044f]"):
        assert re.search(script, written)
    assert Patient.objects.filter(family_name="MÜLLER").exists()


def test_passwords_of_the_demo_work_once_and_must_be_changed(filled: Filled) -> None:
    assert len({login.password for login in filled.logins}) == len(filled.logins) == 8
    for login in filled.logins:
        user = User.objects.get(username=login.username)
        assert user.check_password(login.password)
        assert user.must_change_password


def test_what_the_demo_did_is_in_the_journal(filled: Filled) -> None:
    assert Event.objects.filter(kind=Kind.PATIENT_REGISTERED).count() == filled.patients
    assert Event.objects.filter(kind=Kind.ORDER_PLACED).count() == filled.orders


def test_the_demo_refuses_where_there_are_patients(origin: Origin) -> None:
    PatientFactory.create()
    with pytest.raises(DemoRefused, match="patients already"):
        fill_department(origin=origin, with_images=False)
    with pytest.raises(CommandError, match="patients already"):
        call_command("demo", "--no-images")
    assert not User.objects.exists()


def test_the_command_prints_each_login_once(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("demo", "--no-images")
    out = capsys.readouterr().out
    assert re.search(r"^  radiologist +([0-9a-f]{4}-){4}[0-9a-f]{4} +Radiologist$", out, re.M)
    assert "No images were made." in out


def test_the_set_up_page_can_fill_in_the_demo(client: Client) -> None:
    page = client.post(path_of(setup_link()), {**CHOSEN, "demo": "yes"})
    assert page.status_code == 200
    assert "One-time password" in page.text
    assert Patient.objects.exists()


def test_a_system_administrator_can_fill_an_empty_department(
    as_role: Callable[[str], Client],
) -> None:
    client = as_role("system-administrator")
    assert "<button" in client.get("/demo/").text
    User.objects.filter(username="system-administrator").update(username="boss")
    page = client.post("/demo/")
    assert "technologist" in page.text
    assert page["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    again = client.post("/demo/", follow=True)
    assert "patients here already" in again.text


@pytest.mark.parametrize("role", [role for role in Role if role != "system-administrator"])
def test_nobody_else_may(as_role: Callable[[str], Client], role: str) -> None:
    assert as_role(role).post("/demo/").status_code == 403
