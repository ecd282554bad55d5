"""Whose a report is: claiming it, taking it over, giving it back."""

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.reports.models import Report
from apps.reports.services.rows import check_open, check_owner, lock, record, writer_of


def claim_report(report: Report, *, origin: Origin) -> Report:
    """Make the report one's own to write. Raises ClaimedByAnother, AlreadyFinal."""
    writer = writer_of(report, origin)
    with transaction.atomic():
        current = lock(report)
        check_open(current)
        check_owner(current, writer)
        if current.claimed_by is None:
            give_to(current, writer)
            current.save()
            record(Kind.REPORT_CLAIMED, current, origin=origin)
    return current


def take_over_report(report: Report, *, origin: Origin) -> Report:
    """Claim a report that somebody else is writing; their draft is kept."""
    writer = writer_of(report, origin)
    with transaction.atomic():
        current = lock(report)
        check_open(current)
        before = current.claimed_by_id
        if before != writer.pk:
            give_to(current, writer)
            current.save()
            details = {"taken_from": before}
            record(Kind.REPORT_CLAIMED, current, origin=origin, details=details)
    return current


def release_report(report: Report, *, origin: Origin) -> Report:
    """Give a claimed report back to the list; what was written stays in it."""
    writer = writer_of(report, origin)
    with transaction.atomic():
        current = lock(report)
        check_open(current)
        check_owner(current, writer)
        if current.claimed_by is not None:
            current.claimed_by = current.claimed_at = None
            if current.status != Report.Status.PRELIMINARY:
                current.status = Report.Status.UNREAD
            current.save()
            record(Kind.REPORT_RELEASED, current, origin=origin)
    return current


def give_to(report: Report, writer: User) -> None:
    """Name the owner in the row, not saved yet; a draft stays a draft."""
    if report.claimed_by != writer:
        report.claimed_by, report.claimed_at = writer, timezone.now()
    if report.status == Report.Status.UNREAD:
        report.status = Report.Status.CLAIMED
