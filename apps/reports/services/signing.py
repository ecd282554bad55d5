"""Drafts, signed versions and addenda."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.policy import Action, can
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.orders.models import Order
from apps.orders.services import advance_order
from apps.patients.models import Patient
from apps.reports import pdf
from apps.reports.models import Report, ReportPicture, ReportVersion
from apps.reports.services.claims import give_to
from apps.reports.services.refusals import EmptyReport, NotAllowed, NotFinal, StaleRevision
from apps.reports.services.rows import (
    check_open,
    check_owner,
    load,
    lock,
    record,
    study_uid,
    writer_of,
)
from apps.reports.services.showing import check_shown
from apps.reports.services.texts import ReportText, text_of

# What a report becomes when a version of that status is signed.
BECOMES = {
    ReportVersion.Status.PRELIMINARY: Report.Status.PRELIMINARY,
    ReportVersion.Status.FINAL: Report.Status.FINAL,
    ReportVersion.Status.ADDENDUM: Report.Status.ADDENDED,
}


def save_draft(report: Report, *, text: ReportText, revision: int, origin: Origin) -> Report:
    """Keep what has been written so far; an unclaimed report becomes the writer's.

    `revision` is the one the writer loaded: raises StaleRevision where it has moved on.
    Text that says nothing new changes nothing. Raises ClaimedByAnother, AlreadyFinal.
    """
    writer = writer_of(report, origin)
    with transaction.atomic():
        current = lock(report)
        _check_writable(current, writer, revision)
        if text == text_of(current) and current.claimed_by == writer:
            return current
        _set_text(current, text)
        if current.status != Report.Status.PRELIMINARY:
            current.status = Report.Status.DRAFT
        give_to(current, writer)
        current.save()
        details = {"revision": current.revision}
        record(Kind.REPORT_DRAFTED, current, origin=origin, details=details)
    return current


def sign_report(
    report: Report,
    *,
    text: ReportText,
    revision: int,
    status: ReportVersion.Status,
    shown: Sequence[str] = (),
    origin: Origin,
) -> ReportVersion:
    """Sign a report as preliminary or final, and keep its PDF.

    `shown`: the studies that a viewer shows beside it. Raises NotAllowed, EmptyReport,
    OtherPatientShown, StaleRevision, ClaimedByAnother, AlreadyFinal, and
    orders.services.TransitionRefused where the order cannot become reported.
    """
    signer = _signer(report, status, origin)
    check_shown(report, shown, origin=origin)
    if text.is_empty:
        raise EmptyReport(_("Write findings or an impression before signing."))
    current = load(report)
    _check_writable(current, signer, revision)
    pictures = list(current.pictures.all())
    version = _rendered(current, text, pictures, status=status, signer=signer)
    with transaction.atomic():
        current = lock(report)
        _check_writable(current, signer, revision)
        _check_pictures(current, pictures)
        _set_text(current, text)
        _store(current, version, pictures, origin=origin)
        if status == ReportVersion.Status.FINAL:
            advance_order(current.order, to=Order.Status.REPORTED, origin=origin)
    return version


def add_addendum(
    report: Report, *, text: str, shown: Sequence[str] = (), origin: Origin
) -> ReportVersion:
    """Add to a final report, signed at once; the text before stays as it was.

    `shown`: as in sign_report. Raises NotAllowed, EmptyReport, OtherPatientShown, NotFinal,
    StaleRevision.
    """
    signer = _signer(report, ReportVersion.Status.ADDENDUM, origin)
    check_shown(report, shown, origin=origin)
    if not text.strip():
        raise EmptyReport(_("Write the addendum before signing it."))
    current = load(report)
    if not current.is_released:
        raise NotFinal(_("An addendum can be added once the report is final."))
    said = ReportText(findings=text.strip())
    pictures = list(current.pictures.all())
    addendum = ReportVersion.Status.ADDENDUM
    version = _rendered(current, said, pictures, status=addendum, signer=signer)
    with transaction.atomic():
        current = lock(report)
        if current.versions.filter(number=version.number).exists():
            raise StaleRevision
        _store(current, version, pictures, origin=origin)
    return version


def note_viewing(version: ReportVersion, *, origin: Origin) -> None:
    """Somebody has read a signed report."""
    with transaction.atomic():
        record(Kind.REPORT_VIEWED, version, origin=origin, details={"version": version.number})


def patient_header(patient: Patient) -> dict[str, str]:
    """Who the patient is today, as kept beside a signed text."""
    identifier = patient.primary_identifier
    return {
        "name": patient.display_name,
        "native_name": patient.native_name,
        "identifier": identifier.value if identifier else "",
        "issuer": identifier.issuer.namespace if identifier else "",
        "birth_date": patient.display_birth_date,
        "sex": patient.get_sex_display() if patient.sex else "",
    }


def _signer(report: Report, status: ReportVersion.Status, origin: Origin) -> User:
    if status == ReportVersion.Status.PRELIMINARY:
        return writer_of(report, origin)
    if origin.user is None or not can(origin.user, Action.SIGN, report):
        message = _("Only a radiologist signs final reports. Sign as preliminary instead.")
        raise NotAllowed(message)
    return origin.user


def _check_writable(report: Report, writer: User, revision: int) -> None:
    check_open(report)
    check_owner(report, writer)
    if report.revision != revision:
        raise StaleRevision


def _set_text(report: Report, text: ReportText) -> None:
    for section, said in asdict(text).items():
        setattr(report, section, said)
    report.revision += 1


def _check_pictures(report: Report, pictures: Sequence[ReportPicture]) -> None:
    """Those in the PDF must be those of the report: one may have come while it was made."""
    if report.pictures.digests() != [f"{one.sha256} {one.caption}" for one in pictures]:
        raise StaleRevision


def _rendered(
    report: Report,
    text: ReportText,
    pictures: Sequence[ReportPicture],
    *,
    status: ReportVersion.Status,
    signer: User,
) -> ReportVersion:
    """The next version with its PDF, not yet stored: rendering waits for no lock."""
    earlier = list(report.versions.without_pdf())
    version = ReportVersion(
        report=report,
        number=len(earlier) + 1,
        status=status,
        patient_header=patient_header(report.order.patient),
        author=report.claimed_by or signer,
        signer=signer,
        signed_at=timezone.now(),
        **asdict(text),
    )
    uid = study_uid(report.order)
    version.pdf = pdf.render(version, earlier=earlier, pictures=pictures, study_uid=uid)
    version.pdf_sha256 = hashlib.sha256(version.pdf).hexdigest()
    return version


def _store(
    report: Report, version: ReportVersion, pictures: Sequence[ReportPicture], *, origin: Origin
) -> None:
    version.save(force_insert=True)
    report.status = BECOMES[ReportVersion.Status(version.status)]
    report.claimed_by = report.claimed_at = None  # nobody is writing it now
    report.save()
    digests = [one.sha256 for one in pictures]
    details = {"version": version.number, "status": version.status, "pictures": digests}
    record(Kind.REPORT_SIGNED, version, origin=origin, details=details)
