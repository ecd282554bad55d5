"""The images beside the text must be of the patient who is reported on."""

from collections.abc import Sequence

from django.db import transaction

from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.reports.models import Report
from apps.reports.services.refusals import OtherPatientShown
from apps.reports.services.rows import record
from apps.studies.services import not_of


def check_shown(report: Report, shown: Sequence[str], *, origin: Origin) -> None:
    """Refuse to sign while a viewer shows studies of somebody else.

    `shown`: Study Instance UIDs on the screen, none where no viewer is open. Raises
    OtherPatientShown, and the journal keeps that it happened.
    """
    foreign = not_of(report.order.patient, list(shown))
    if foreign:
        with transaction.atomic():
            details = {"shown": foreign}
            record(Kind.REPORT_SIGNING_REFUSED, report, origin=origin, details=details)
        raise OtherPatientShown
