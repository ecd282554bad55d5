"""What the verbs share: reading rows, guarding them, and the journal."""

from typing import Any

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.policy import Action, can
from apps.audit import services as audit
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.orders.models import Order
from apps.reports.models import Report, ReportVersion
from apps.reports.services.refusals import (
    AlreadyFinal,
    ClaimedByAnother,
    NotAllowed,
    NothingToRead,
)
from apps.studies.models import Study


def load(report: Report) -> Report:
    """The report as it stands, with everything its sheet shows."""
    related = ("order__patient", "order__referrer", "claimed_by")
    return Report.objects.select_related(*related).get(pk=report.pk)


def lock(report: Report) -> Report:
    """The report as it stands, held until the transaction ends."""
    rows = Report.objects.select_for_update(of=("self",)).select_related("order", "claimed_by")
    return rows.get(pk=report.pk)


def writer_of(report: Report, origin: Origin) -> User:
    """The person who writes; raises NotAllowed."""
    if origin.user is None or not can(origin.user, Action.CHANGE, report):
        raise NotAllowed(_("Your role does not write reports."))
    return origin.user


def check_open(report: Report) -> None:
    if report.is_released:
        raise AlreadyFinal
    if report.status == Report.Status.CANCELLED:
        raise NothingToRead(_("This report was cancelled."))


def check_owner(report: Report, writer: User) -> None:
    if report.claimed_by is not None and report.claimed_by != writer:
        raise ClaimedByAnother(report.claimed_by)


def study_uid(order: Order) -> str:
    """The study that answers an order, else the one it was given when it was placed."""
    stored = Study.objects.filter(procedures__order=order).order_by("id")
    asked = order.procedures.order_by("id")
    uids = (rows.values_list("study_instance_uid", flat=True).first() for rows in (stored, asked))
    return next((uid for uid in uids if uid), "")


def record(
    kind: Kind,
    subject: Report | ReportVersion,
    *,
    origin: Origin,
    details: dict[str, Any] | None = None,
) -> None:
    """One journal row about a report or one of its versions."""
    report = subject.report if isinstance(subject, ReportVersion) else subject
    audit.record(
        kind,
        subject,
        origin=origin,
        patient_id=report.order.patient_id,
        accession_number=report.order.accession_number,
        study_instance_uid=study_uid(report.order),
        details=details,
    )
