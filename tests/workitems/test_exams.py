"""The department's exams among the workitems."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from apps.audit.models import Event, Kind
from apps.audit.services import Origin, deliver, record
from apps.dicom.keys import make_key
from apps.orders.models import Order
from apps.orders.services import advance_order
from apps.patients.models import Issuer
from apps.workitems import services, tasks
from apps.workitems.attributes import values_of
from apps.workitems.models import Workitem
from apps.worklist.models import ScheduledStep
from apps.worklist.services import performed, steps
from tests.factories import (
    DeviceFactory,
    IssuerFactory,
    PatientIdentifierFactory,
    RequestedProcedureFactory,
    ScheduledStepFactory,
)
from tests.workitems.samples import KEY, dataset

pytestmark = pytest.mark.django_db
BY = Origin(protocol="test")


def plan(device: str = "CT1") -> ScheduledStep:
    requested = RequestedProcedureFactory()
    issuer = IssuerFactory(namespace="HOSPITAL", purpose=Issuer.Purpose.PATIENT)
    PatientIdentifierFactory(patient=requested.order.patient, issuer=issuer)
    return steps.schedule_step(
        requested, devices=[DeviceFactory(ae_title=device)], starts_at=timezone.now(), origin=BY
    )


def shown(step: ScheduledStep) -> list[tuple[str, str]]:
    """State of each workitem of a step and the states that were told of it."""
    services.show_exam(step)
    return [
        (
            row.state,
            " ".join(one.report["00741000"]["Value"][0] for one in row.events.filter(kind=1)),
        )
        for row in step.workitems.order_by("pk")
    ]


def test_an_exam_is_a_workitem_with_everything_it_is_looked_for_by() -> None:
    step = plan()
    row = services.show_exam(step)
    order = step.requested_procedure.order
    asked = {
        "ScheduledStationNameCodeSequence.CodeValue": "CT1",
        "ScheduledStationClassCodeSequence.CodeValue": "CT",
        "ReferencedRequestSequence.AccessionNumber": order.accession_number,
        "StudyInstanceUID": step.requested_procedure.study_instance_uid,
        "PatientName": f"{order.patient.family_name}*",
        "ProcedureStepState": "SCHEDULED",
        "WorklistLabel": "EXAMS",
    }
    keys = [make_key(name.split("."), [value]) for name, value in asked.items()]
    assert list(Workitem.objects.matching(keys)) == [row]
    assert (row.patient, row.priority) == (order.patient, "MEDIUM")


def test_what_the_technologist_does_shows_as_state() -> None:
    step = plan()
    assert shown(step) == [("SCHEDULED", "SCHEDULED")]
    steps.start_by_hand(step, origin=BY)
    assert shown(step) == [("IN PROGRESS", "SCHEDULED IN PROGRESS")]
    steps.complete_by_hand(step, origin=BY)
    assert shown(step) == [("COMPLETED", "SCHEDULED IN PROGRESS COMPLETED")]
    (item,) = values_of(step.workitems.get().attributes, "00741216")
    assert values_of(item, "00404028")[0]["00080100"]["Value"] == ["CT1"]
    assert values_of(item, "00404051")


def test_a_step_that_is_taken_off_the_worklist_is_cancelled_by_way_of_in_progress() -> None:
    step = plan()
    services.show_exam(step)
    steps.cancel_step(step, reason="double", origin=BY)
    assert shown(step) == [("CANCELED", "SCHEDULED IN PROGRESS CANCELED")]
    assert shown(step) == [("CANCELED", "SCHEDULED IN PROGRESS CANCELED")]


def test_a_device_that_picked_the_wrong_line_gives_it_back_as_a_new_workitem() -> None:
    step = plan()
    services.show_exam(step)
    reference = performed.StepReference(step_identifier=step.identifier)
    begun = performed.start_step(
        performed.PerformedDetails(
            sop_instance_uid="1.2.3.4", references=[reference], ae_title="CT9"
        ),
        origin=BY,
    )
    assert shown(step) == [("IN PROGRESS", "SCHEDULED IN PROGRESS")]
    performed.finish_step(
        begun,
        changes=performed.PerformedChanges(
            status="DISCONTINUED", discontinuation_code=performed.WRONG_WORKLIST_ENTRY
        ),
        origin=BY,
    )
    assert shown(step) == [
        ("CANCELED", "SCHEDULED IN PROGRESS CANCELED"),
        ("SCHEDULED", "SCHEDULED"),
    ]
    old, new = step.workitems.order_by("pk")
    (replaced,) = values_of(new.attributes, "00741224")
    assert values_of(replaced, "00081155") == [old.sop_instance_uid]


def test_an_exam_is_only_looked_at() -> None:
    row = services.show_exam(plan())
    with pytest.raises(services.WorkitemOfExam):
        services.change_state(row, state="IN PROGRESS", transaction_uid=KEY, origin=BY)
    with pytest.raises(services.WorkitemOfExam):
        services.change_workitem(row, dataset(ProcedureStepLabel="x"), origin=BY)
    with pytest.raises(services.WorkitemOfExam):
        services.request_cancellation(row, {}, requester="ME", origin=BY)


def test_an_exam_of_an_order_on_hold_is_not_ready() -> None:
    step = plan()
    advance_order(step.requested_procedure.order, to=Order.Status.HELD, origin=BY)
    assert services.show_exam(step).input_readiness == "INCOMPLETE"
    advance_order(step.requested_procedure.order, to=Order.Status.SCHEDULED, origin=BY)
    assert services.show_exam(step).input_readiness == "READY"


def test_showing_an_exam_again_changes_nothing() -> None:
    step = plan()
    first = services.show_exam(step)
    again = services.show_exam(step)
    assert (again.pk, again.revision) == (first.pk, first.revision)


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        (Kind.PATIENT_UPDATED, tasks.follow_patient),
        (Kind.ORDER_CHANGED, tasks.follow_order),
        (Kind.STEP_SCHEDULED, tasks.show_exam),
    ],
)
def test_exams_follow_what_the_journal_says(kind: Kind, task: Callable[[int], None]) -> None:
    step = plan()
    services.show_exam(step)
    order = step.requested_procedure.order
    order.patient.family_name = "Renamed"
    order.patient.save()
    event = record(
        kind,
        step,
        origin=BY,
        patient_id=order.patient_id,
        accession_number=order.accession_number,
    )
    task(event.pk)
    assert step.workitems.get().patient_name.startswith("RENAMED")


def test_exams_planned_before_there_were_workitems_are_shown_later() -> None:
    waiting = ScheduledStepFactory()
    ScheduledStepFactory(status="COMPLETED", started_at=timezone.now(), ended_at=timezone.now())
    tasks.show_missing_exams()
    tasks.show_missing_exams()
    assert [row.step for row in Workitem.objects.all()] == [waiting]


def test_old_events_are_forgotten_by_the_clock() -> None:
    services.show_exam(plan())
    tasks.forget_events()
    assert Workitem.objects.get().events.exists()


def test_planning_and_starting_an_exam_is_enough() -> None:
    step = plan()
    deliver_all()
    assert step.workitems.get().state == "SCHEDULED"
    steps.start_by_hand(step, origin=BY)
    deliver_all()
    assert step.workitems.get().state == "IN PROGRESS"


def deliver_all() -> None:
    """What the worker does with the journal."""
    for event in Event.objects.filter(delivered_at=None).order_by("pk"):
        deliver(event.pk)
