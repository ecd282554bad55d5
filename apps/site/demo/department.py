"""Filling an empty installation with an invented department, through the services."""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audit.services import Origin
from apps.orders.models import Order, Procedure, Referrer
from apps.orders.services import OrderDetails, Request, place_order
from apps.patients.models import Patient
from apps.patients.services import PatientDetails, register_patient
from apps.reports.models import ReportVersion
from apps.reports.services import claim_report, prepare_report, sign_report, text_of
from apps.scheduling.models import Appointment, Resource
from apps.site.demo.images import make_images
from apps.site.services import import_site, one_time_password
from apps.worklist.models import ScheduledStep
from apps.worklist.services.bookings import arrive, schedule_order
from apps.worklist.services.steps import complete_by_hand, start_by_hand

FOLDER = Path(__file__).parent
# The day is laid around the hour at which it is made, within these bounds, so that every
# room has something done, something running and something to come.
EARLIEST, LATEST = datetime.time(8), datetime.time(18)
LEAD = datetime.timedelta(minutes=70)
RASTER = datetime.timedelta(minutes=30)
WAITING_ROOM = datetime.timedelta(minutes=40)


class DemoRefused(Exception):
    """The demo is put into an empty installation only."""

    def __init__(self) -> None:
        super().__init__(_("There are patients already; the demo needs an empty installation."))


@dataclass(frozen=True, kw_only=True)
class Login:
    """A demo user with the password it can sign in with once."""

    username: str
    name: str
    roles: list[str]
    password: str


@dataclass(kw_only=True)
class Filled:
    """What the demo put in; `remarks` say what it could not."""

    logins: list[Login] = field(default_factory=list)
    patients: int = 0
    orders: int = 0
    studies: int = 0
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Exam:
    """A line of the demo's schedule, placed; `starts_at` None: not booked."""

    order: Order
    plan: dict[str, Any]
    appointment: Appointment | None = None


def may_be_filled() -> bool:
    """Is there no patient yet?"""
    return not Patient.objects.exists()


def fill_department(
    *, origin: Origin, images: Path | None = None, with_images: bool = True
) -> Filled:
    """Put the demo department in. Raises DemoRefused where there are patients.

    `images`: a folder of DICOM files to take instead of the simulator's own phantom.
    """
    filled = Filled()
    with transaction.atomic():
        if not may_be_filled():
            raise DemoRefused
        exams = _fill_rows(filled, origin)
    if with_images:
        filled.studies, remarks = make_images(
            _steps_for_images(exams), origin=origin, folder=images
        )
        filled.remarks += remarks
    else:
        filled.remarks.append(_("No images were made."))
    _finish_by_hand(exams, origin)
    _report(exams, origin)
    return filled


def _fill_rows(filled: Filled, origin: Origin) -> list[Exam]:
    import_site((FOLDER / "site.yaml").read_text(encoding="utf-8"), origin=origin)
    filled.logins = [_login(user, origin) for user in _staff()]
    patients = [register_patient(one, origin=origin) for one in _people()]
    exams = list(_exams(patients, origin))
    filled.patients, filled.orders = len(patients), len(exams)
    for exam in exams:
        _bring_to_state(exam, origin)
    return exams


def _staff() -> list[User]:
    named = [row["username"] for row in _load("site.yaml")["users"]]
    return list(User.objects.filter(username__in=named).order_by("pk"))


def _login(user: User, origin: Origin) -> Login:
    return Login(
        username=user.username,
        name=str(user),
        roles=sorted(str(role.label) for role in user.roles),
        password=one_time_password(user, origin=origin),
    )


def _people() -> list[PatientDetails]:
    return [
        PatientDetails(
            family_name=row["family"],
            given_name=row["given"],
            ideographic_name=row.get("native", ""),
            phonetic_name=row.get("phonetic", ""),
            birth_date=row["born"],
            sex=row["sex"],
            language=row["language"],
        )
        for row in _load("patients.yaml")
    ]


def _exams(patients: Sequence[Patient], origin: Origin) -> Iterator[Exam]:
    rooms = {room.name: room for room in Resource.objects.all()}
    for name, plans in _load("schedule.yaml").items():
        start = _raster(_moment() - LEAD)
        for plan in plans:
            order = _order(patients[plan["patient"]], plan, origin)
            if not name:
                yield Exam(order=order, plan=plan)
                continue
            booked = schedule_order(order, resource=rooms[name], starts_at=start, origin=origin)
            start = _raster(booked.ends_at + RASTER - datetime.timedelta(minutes=1))
            yield Exam(order=order, plan=plan, appointment=booked)


def _order(patient: Patient, plan: dict[str, Any], origin: Origin) -> Order:
    procedures = [Procedure.objects.get(scheme="99OPACS", code=code) for code in plan["procedures"]]
    details = OrderDetails(
        priority=plan.get("priority", Order.Priority.ROUTINE),
        reason=plan["reason"],
        referrer=Referrer.objects.get(code=plan["referrer"]),
    )
    return place_order(
        patient,
        requests=[Request(procedure=procedure) for procedure in procedures],
        details=details,
        origin=origin,
    )


def _bring_to_state(exam: Exam, origin: Origin) -> None:
    """Arrived, running or done, by the time of day."""
    if exam.appointment is None:
        return
    now = _moment()
    if exam.appointment.starts_at <= now + WAITING_ROOM:
        arrive(exam.appointment, origin=origin)
    if exam.plan.get("images"):
        return  # the simulator does it
    if exam.appointment.starts_at <= now:
        for step in _steps(exam):
            start_by_hand(step, origin=origin)
            if exam.appointment.ends_at <= now:
                complete_by_hand(step, origin=origin)


def _moment() -> datetime.datetime:
    local = timezone.localtime()
    clock = min(max(local.time(), EARLIEST), LATEST)
    return timezone.make_aware(datetime.datetime.combine(local.date(), clock))


def _raster(at: datetime.datetime) -> datetime.datetime:
    """The half hour at or before a time."""
    return at.replace(minute=at.minute - at.minute % 30, second=0, microsecond=0)


def _steps(exam: Exam) -> list[ScheduledStep]:
    return list(ScheduledStep.objects.filter(requested_procedure__order=exam.order))


def _steps_for_images(exams: list[Exam]) -> list[ScheduledStep]:
    return [step for exam in exams if exam.plan.get("images") for step in _steps(exam)]


def _finish_by_hand(exams: list[Exam], origin: Origin) -> None:
    """Exams meant for the simulator that it could not do are completed by hand."""
    for exam in exams:
        if exam.plan.get("images"):
            for step in _steps(exam):
                if step.status != ScheduledStep.Status.COMPLETED:
                    complete_by_hand(step, origin=origin)


def _report(exams: list[Exam], origin: Origin) -> None:
    """Sign the reports the schedule asks for, with the text of their template."""
    radiologist = User.objects.get(username="radiologist")
    signing = replace(origin, user=radiologist)
    for exam in exams:
        if exam.plan.get("report"):
            order = Order.objects.get(pk=exam.order.pk)
            report = claim_report(prepare_report(order, origin=signing), origin=signing)
            sign_report(
                report,
                text=text_of(report),
                revision=report.revision,
                status=ReportVersion.Status.FINAL,
                origin=signing,
            )


def _load(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
