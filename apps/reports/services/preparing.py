"""Something to read: the report of an order comes into being."""

from dataclasses import asdict

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.orders.models import Order
from apps.reports.models import Report, ReportTemplate
from apps.reports.services.refusals import NothingToRead
from apps.reports.services.rows import record
from apps.reports.services.texts import ReportText, text_of


def prepare_report(order: Order, *, origin: Origin) -> Report:
    """The report of an order, made with its template's text the first time it is asked for."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order.pk)
        found = Report.objects.filter(order=order).first()
        if found:
            return found
        if order.status == Order.Status.CANCELLED:
            raise NothingToRead(_("Order %(order)s was cancelled.") % {"order": order})
        report = Report.objects.create(order=order, **asdict(template_text(order)))
        record(Kind.REPORT_PREPARED, report, origin=origin)
    return report


def template_text(order: Order) -> ReportText:
    """The text to start from: of the template for a procedure, else for its modality."""
    asked = [one.procedure for one in order.procedures.select_related("procedure")]
    active = ReportTemplate.objects.filter(active=True)
    general = active.filter(procedures=None)
    template = (
        active.filter(procedures__in=asked).first()
        or general.filter(modality__in=[one.modality for one in asked]).exclude(modality="").first()
        or general.filter(modality="").first()
    )
    return text_of(template) if template else ReportText()


def orders_to_read(event: Event) -> list[Order]:
    """The orders a journal row about a study or a step speaks of."""
    uid, accession = event.study_instance_uid, event.accession_number
    by_study = Q(procedures__study_instance_uid=uid) | Q(
        procedures__studies__study_instance_uid=uid
    )
    by_accession = Q(accession_number=accession, patient=event.patient_id)
    meant = (by_study if uid else Q(pk=None)) | (by_accession if accession else Q(pk=None))
    return list(Order.objects.filter(meant).distinct().order_by("id"))
