"""Performed steps (MPPS): what devices report, and what it does to the plan."""

from typing import Any

import pytest

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.orders.models import Order
from apps.worklist.models import PerformedStep, ScheduledStep
from apps.worklist.services.performed import (
    DuplicatePerformedStep,
    PerformedChanges,
    PerformedDetails,
    PerformedStatusInvalid,
    PerformedStepFinal,
    StepReference,
    finish_step,
    start_step,
)
from tests.factories import RequestedProcedureFactory, ScheduledStepFactory

pytestmark = pytest.mark.django_db
Status = ScheduledStep.Status
COMPLETED = PerformedChanges(status="COMPLETED")


def begin(
    origin: Origin, *references: StepReference, uid: str = "2.25.1", **more: Any
) -> PerformedStep:
    details = PerformedDetails(sop_instance_uid=uid, references=references, **more)
    return start_step(details, origin=origin)


def reference_to(step: ScheduledStep) -> StepReference:
    return StepReference(
        step_identifier=step.identifier,
        study_instance_uid=step.requested_procedure.study_instance_uid,
        accession_number=step.requested_procedure.order.accession_number,
    )


def status_of(step: ScheduledStep) -> str:
    return ScheduledStep.objects.get(pk=step.pk).status


def order_of(step: ScheduledStep) -> Order:
    return Order.objects.get(pk=step.requested_procedure.order_id)


def test_a_report_starts_and_ends_the_step_it_names(origin: Origin) -> None:
    step = ScheduledStepFactory.create()
    performed = begin(origin, reference_to(step))
    assert status_of(step) == Status.STARTED
    assert order_of(step).status == Order.Status.IN_PROGRESS
    finish_step(performed, changes=COMPLETED, origin=origin)
    assert status_of(step) == Status.COMPLETED
    assert order_of(step).status == Order.Status.PERFORMED
    kinds = Event.objects.filter(subject_type="worklist.ScheduledStep").order_by("id")
    assert list(kinds.values_list("kind", flat=True)) == [Kind.STEP_STARTED, Kind.STEP_COMPLETED]


def test_one_report_may_answer_several_steps(origin: Origin) -> None:
    steps = [ScheduledStepFactory.create() for _ in range(3)]
    performed = begin(origin, *(reference_to(step) for step in steps))
    finish_step(performed, changes=COMPLETED, origin=origin)
    assert {status_of(step) for step in steps} == {Status.COMPLETED}


def test_a_step_with_two_reports_ends_with_the_last(origin: Origin) -> None:
    step = ScheduledStepFactory.create()
    first = begin(origin, reference_to(step), uid="2.25.1")
    second = begin(origin, reference_to(step), uid="2.25.2")
    finish_step(first, changes=COMPLETED, origin=origin)
    assert status_of(step) == Status.STARTED
    finish_step(second, changes=PerformedChanges(status="DISCONTINUED"), origin=origin)
    assert status_of(step) == Status.COMPLETED


@pytest.mark.parametrize("key", ["study_instance_uid", "accession_number", "procedure_identifier"])
def test_a_step_is_found_without_its_identifier(key: str, origin: Origin) -> None:
    step = ScheduledStepFactory.create()
    known = {
        "study_instance_uid": step.requested_procedure.study_instance_uid,
        "accession_number": step.requested_procedure.order.accession_number,
        "procedure_identifier": step.requested_procedure.identifier,
    }
    begin(origin, StepReference(**{key: known[key]}))
    assert status_of(step) == Status.STARTED


def test_an_accession_number_with_two_open_steps_is_decided_by_the_modality(origin: Origin) -> None:
    scan = ScheduledStepFactory.create(modality="CT")
    order = scan.requested_procedure.order
    picture = ScheduledStepFactory.create(modality="US", requested_procedure__order=order)
    begin(origin, StepReference(accession_number=order.accession_number), modality="US")
    assert (status_of(scan), status_of(picture)) == (Status.SCHEDULED, Status.STARTED)


def test_two_steps_that_fit_alike_are_not_guessed_at(origin: Origin) -> None:
    first = ScheduledStepFactory.create()
    order = first.requested_procedure.order
    second = ScheduledStepFactory.create(requested_procedure__order=order)
    performed = begin(origin, StepReference(accession_number=order.accession_number), modality="CT")
    assert not performed.scheduled_steps.exists()
    assert {status_of(first), status_of(second)} == {Status.SCHEDULED}


def test_a_step_identifier_beside_a_foreign_accession_number_is_not_believed(
    origin: Origin,
) -> None:
    step = ScheduledStepFactory.create()
    begin(origin, StepReference(step_identifier=step.identifier, accession_number="OTHER"))
    assert status_of(step) == Status.SCHEDULED


def test_an_unscheduled_exam_is_stored_all_the_same(origin: Origin) -> None:
    performed = begin(origin, StepReference(study_instance_uid="2.25.77"), modality="CT")
    finish_step(performed, changes=COMPLETED, origin=origin)
    performed.refresh_from_db()
    assert performed.status == "COMPLETED"
    assert performed.study_instance_uid == "2.25.77"
    events = Event.objects.filter(subject_type="worklist.PerformedStep")
    assert events.count() == 2


def test_the_wrong_worklist_entry_goes_back_on_the_worklist(origin: Origin) -> None:
    step = ScheduledStepFactory.create()
    performed = begin(origin, reference_to(step))
    wrong = PerformedChanges(status="DISCONTINUED", discontinuation_code="110514")
    finish_step(performed, changes=wrong, origin=origin)
    step.refresh_from_db()
    assert (step.status, step.started_at) == (Status.SCHEDULED, None)
    assert order_of(step).status == Order.Status.SCHEDULED
    assert step in ScheduledStep.objects.waiting()


def test_a_broken_off_exam_is_discontinued(origin: Origin) -> None:
    step = ScheduledStepFactory.create()
    performed = begin(origin, reference_to(step))
    changes = PerformedChanges(status="DISCONTINUED", discontinuation_code="110501")
    finish_step(performed, changes=changes, origin=origin)
    assert status_of(step) == Status.DISCONTINUED
    assert order_of(step).status == Order.Status.DISCONTINUED


def test_the_same_report_is_not_begun_twice(origin: Origin) -> None:
    begin(origin)
    with pytest.raises(DuplicatePerformedStep):
        begin(origin)


def test_a_final_report_does_not_change(origin: Origin) -> None:
    performed = begin(origin)
    finish_step(performed, changes=COMPLETED, origin=origin)
    for status in ("", "IN PROGRESS", "COMPLETED"):
        with pytest.raises(PerformedStepFinal):
            finish_step(performed, changes=PerformedChanges(status=status), origin=origin)


def test_a_report_begins_in_progress_only(origin: Origin) -> None:
    with pytest.raises(PerformedStatusInvalid):
        begin(origin, status="COMPLETED")
    performed = begin(origin)
    with pytest.raises(PerformedStatusInvalid):
        finish_step(performed, changes=PerformedChanges(status="DONE"), origin=origin)


def test_an_update_goes_over_what_was_said_before(origin: Origin) -> None:
    performed = begin(origin, attributes={"00080060": {"vr": "CS"}, "00400254": {"vr": "LO"}})
    changes = PerformedChanges(attributes={"00400254": {"vr": "LO", "Value": ["Head"]}})
    performed = finish_step(performed, changes=changes, origin=origin)
    assert performed.status == "IN PROGRESS"
    assert performed.attributes["00400254"]["Value"] == ["Head"]
    assert "00080060" in performed.attributes


def test_a_report_for_an_ended_step_is_kept_and_changes_nothing(origin: Origin) -> None:
    step = ScheduledStepFactory.create()
    finish_step(begin(origin, reference_to(step)), changes=COMPLETED, origin=origin)
    late = begin(origin, reference_to(step), uid="2.25.9")
    assert list(late.scheduled_steps.all()) == [step]
    assert status_of(step) == Status.COMPLETED


def test_a_requested_procedure_without_steps_is_no_match(origin: Origin) -> None:
    requested = RequestedProcedureFactory.create()
    performed = begin(origin, StepReference(study_instance_uid=requested.study_instance_uid))
    assert not performed.scheduled_steps.exists()
