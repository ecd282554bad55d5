"""Rows that the tests of reports share."""

from typing import Any

from django.utils import timezone

from apps.accounts.models import User
from apps.audit.services import Origin
from apps.orders.models import Order, RequestedProcedure
from apps.reports import services
from apps.reports.models import Report, ReportTemplate, ReportVersion
from apps.reports.services import ReportText
from apps.studies.models import Study
from tests.factories import (
    OrderFactory,
    PatientIdentifierFactory,
    ProcedureFactory,
    RequestedProcedureFactory,
)

TEXT = ReportText(technique="Native CT.", findings="Clear lungs.", impression="Normal chest.")
FINAL = ReportVersion.Status.FINAL
PRELIMINARY = ReportVersion.Status.PRELIMINARY


def by(user: User) -> Origin:
    return Origin(protocol="test", peer=user.username, user=user)


def make_order(*, modality: str = "CT", **fields: Any) -> Order:
    """An order for one procedure, its patient having a number."""
    order: Order = OrderFactory.create(**fields)
    if not order.patient.identifiers.exists():
        PatientIdentifierFactory.create(patient=order.patient)
    procedure = ProcedureFactory.create(modality=modality)
    RequestedProcedureFactory.create(order=order, procedure=procedure)
    return order


def make_study(order: Order | None = None, **fields: Any) -> Study:
    """A stored study, matched to the order's procedures if there is one."""
    number = Study.objects.count() + 1
    procedures: list[RequestedProcedure] = list(order.procedures.all()) if order else []
    uid = procedures[0].study_instance_uid if procedures else f"2.25.9{number:06}"
    given = {
        "study_instance_uid": uid,
        "patient": order.patient if order else None,
        "match": Study.Match.MATCHED if order else Study.Match.UNMATCHED,
        "accession_number": order.accession_number if order else "",
        "modalities": "\\CT\\",
        "series_count": 1,
        "instance_count": 7,
        "last_instance_at": timezone.now(),
        "status": Study.Status.AVAILABLE,
        **fields,
    }
    study = Study.objects.create(**given)
    study.procedures.set(procedures)
    return study


def make_report(order: Order | None = None, **fields: Any) -> Report:
    return services.prepare_report(order or make_order(**fields), origin=Origin(protocol="test"))


def make_template(name: str, **fields: Any) -> ReportTemplate:
    return ReportTemplate.objects.create(name=name, findings=f"Text of {name}.", **fields)


def sign(
    report: Report,
    user: User,
    *,
    text: ReportText = TEXT,
    status: ReportVersion.Status = FINAL,
) -> ReportVersion:
    report.refresh_from_db()
    return services.sign_report(
        report, text=text, revision=report.revision, status=status, origin=by(user)
    )
