"""An exam that can be read gets one report, with its template's text."""

from typing import Any

import pytest

from apps.audit.models import Event, Kind
from apps.audit.services import Origin, record
from apps.orders.models import Order
from apps.reports import services, tasks
from apps.reports.models import Report
from tests.factories import RequestedProcedureFactory
from tests.reports.rows import make_order, make_report, make_study, make_template

pytestmark = pytest.mark.django_db


def event(kind: Kind, order: Order, **fields: Any) -> Event:
    return record(
        kind, order, origin=Origin(protocol="test"), patient_id=order.patient_id, **fields
    )


def test_a_report_is_prepared_once_for_an_order(origin: Origin) -> None:
    order = make_order()
    first = services.prepare_report(order, origin=origin)
    again = services.prepare_report(order, origin=origin)
    assert first == again
    assert first.status == Report.Status.UNREAD
    assert Event.objects.filter(kind=Kind.REPORT_PREPARED).count() == 1


def test_the_journal_names_order_and_study(origin: Origin) -> None:
    order = make_order()
    study = make_study(order, study_instance_uid="2.25.777")
    services.prepare_report(order, origin=origin)
    row = Event.objects.get(kind=Kind.REPORT_PREPARED)
    assert row.accession_number == order.accession_number
    assert row.study_instance_uid == study.study_instance_uid
    assert row.patient_id == order.patient_id


def test_the_template_of_the_procedure_wins_over_that_of_the_modality() -> None:
    order = make_order(modality="CT")
    make_template("any modality")
    make_template("a CT template", modality="CT")
    chosen = make_template("the procedure's own", modality="CT")
    chosen.procedures.set([one.procedure for one in order.procedures.all()])
    assert make_report(order).findings == chosen.findings


def test_the_template_of_the_modality_wins_over_the_general_one() -> None:
    make_template("any modality")
    chosen = make_template("for MR", modality="MR")
    make_template("for CT", modality="CT")
    assert make_report(modality="MR").findings == chosen.findings


def test_templates_out_of_use_are_not_taken() -> None:
    make_template("old", modality="CT", active=False)
    assert make_report(modality="CT").findings == ""


def test_a_cancelled_order_gets_no_report(origin: Origin) -> None:
    order = make_order(status=Order.Status.CANCELLED, cancel_reason="mistake")
    with pytest.raises(services.NothingToRead):
        services.prepare_report(order, origin=origin)
    tasks.prepare_report(
        event(Kind.STUDY_RECEIVED, order, accession_number=order.accession_number).pk
    )
    assert not Report.objects.exists()


def test_a_matched_study_prepares_the_reports_of_all_its_orders() -> None:
    first, second = make_order(), make_order()
    study = make_study(first, study_instance_uid="2.25.42")
    study.procedures.add(*second.procedures.all())
    tasks.prepare_report(
        event(Kind.STUDY_RECEIVED, first, study_instance_uid=study.study_instance_uid).pk
    )
    assert set(Report.objects.values_list("order", flat=True)) == {first.pk, second.pk}


def test_a_completed_step_prepares_the_report_of_its_order() -> None:
    order, other = make_order(), make_order()
    tasks.prepare_report_for_step(
        event(Kind.STEP_STARTED, order, accession_number=order.accession_number).pk
    )
    assert list(Report.objects.values_list("order", flat=True)) == [order.pk]
    assert not hasattr(other, "report")


def test_an_accession_number_of_another_patient_prepares_nothing() -> None:
    order, other = make_order(), make_order()
    tasks.prepare_report_for_step(
        event(Kind.STEP_STARTED, order, accession_number=other.accession_number).pk
    )
    assert not Report.objects.exists()


def test_an_order_of_two_procedures_gets_one_report(origin: Origin) -> None:
    order = make_order()
    asked = RequestedProcedureFactory.create(order=order)
    tasks.prepare_report(
        event(Kind.STUDY_RECEIVED, order, study_instance_uid=asked.study_instance_uid).pk
    )
    assert Report.objects.count() == 1
