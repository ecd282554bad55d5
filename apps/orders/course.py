"""What happened to an order, told in plain words."""

import datetime
from dataclasses import dataclass

from django.db.models import Q
from django.utils.translation import gettext as _

from apps.audit.models import Event, Kind
from apps.orders.models import Order

# Looking is not happening: who looked stands in the journal, not in the course of an order.
NOT_TOLD = (
    Kind.WORKLIST_QUERIED,
    Kind.STUDY_PREFETCHED,
    Kind.STUDY_VIEWED,
    Kind.REPORT_VIEWED,
    Kind.PATIENT_VIEWED,
)


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One line: when, what, and who or which system did it (empty: nobody)."""

    at: datetime.datetime
    what: str
    who: str


def course_of(order: Order) -> list[Happening]:
    """The journal rows about an order, its studies and its report, the first one first."""
    uids = [row.study_instance_uid for row in order.procedures.all()]
    about = Q(accession_number=order.accession_number, patient_id=order.patient_id)
    rows = Event.objects.filter(about | Q(study_instance_uid__in=uids))
    told = rows.exclude(kind__in=NOT_TOLD).select_related("user").order_by("id")
    return [Happening(at=row.at, what=_what(row), who=_who(row)) for row in told]


def _what(event: Event) -> str:
    status = event.details.get("to")
    if event.kind == Kind.ORDER_CHANGED and status in Order.Status.values:
        return _("Order is now: %(status)s") % {"status": Order.Status(status).label}
    return str(event.get_kind_display())


def _who(event: Event) -> str:
    if event.user:
        return str(event.user)
    return event.peer
