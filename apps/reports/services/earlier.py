"""What is known of the patient already: other studies, and what was written about them."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from apps.reports.models import Report, ReportVersion
from apps.studies.models import Study
from apps.studies.services import Prior, priors_of_patient, with_parts

MOST_REPORTS = 50


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """Another study of the patient, its final report, or both."""

    prior: Prior | None
    version: ReportVersion | None


def earlier_of(
    report: Report, *, studies: QuerySet[Study], versions: QuerySet[ReportVersion]
) -> list[Earlier]:
    """Studies in the order of their relevance, then final reports that have no images.

    `studies` and `versions` are what the reader may see.
    """
    own = with_parts(Study.objects.filter(pk__in=[one.pk for one in report.studies]))
    patient = report.order.patient
    asked = report.order.procedures.all()
    priors = priors_of_patient(patient, among=studies, like=own, asked=asked)
    finals = _finals(report, versions)
    by_order = {one.report.order_id: one for one in finals}
    found = [Earlier(prior=one, version=_version_of(one.study, by_order)) for one in priors]
    told = {one.version.pk for one in found if one.version}
    return found + [Earlier(prior=None, version=one) for one in finals if one.pk not in told]


def _finals(report: Report, versions: QuerySet[ReportVersion]) -> list[ReportVersion]:
    rows = versions.filter(
        report__order__patient=report.order.patient_id, status=ReportVersion.Status.FINAL
    )
    rows = rows.exclude(report=report).select_related("signer", "report__order").defer("pdf")
    rows = rows.prefetch_related("report__order__procedures__procedure")
    return list(rows.order_by("-signed_at")[:MOST_REPORTS])


def _version_of(study: Study, by_order: dict[int, ReportVersion]) -> ReportVersion | None:
    orders: Iterable[int] = (one.order_id for one in study.procedures.all())
    return next((by_order[order] for order in orders if order in by_order), None)
