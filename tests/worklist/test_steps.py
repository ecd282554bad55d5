"""Scheduled steps: planned, run by hand, followed by their order."""

import pytest

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.orders.models import Order
from apps.worklist.models import ScheduledStep
from apps.worklist.services.steps import (
    StepDetails,
    StepStateRefused,
    cancel_step,
    complete_by_hand,
    discontinue_by_hand,
    schedule_step,
    start_by_hand,
)
from tests.factories import (
    DeviceFactory,
    ProcedureFactory,
    RequestedProcedureFactory,
    ScheduledStepFactory,
)

pytestmark = pytest.mark.django_db
Status = ScheduledStep.Status


def status_of(order: Order) -> str:
    return Order.objects.get(pk=order.pk).status


def test_a_step_takes_from_the_catalogue_what_nobody_said(origin: Origin) -> None:
    catalogue = ProcedureFactory.create(
        modality="MR", protocol_code="P1", protocol_meaning="Head routine", contrast_agent="Gd"
    )
    requested = RequestedProcedureFactory.create(procedure=catalogue)
    device = DeviceFactory.create(station_name="MRROOM")
    step = schedule_step(requested, devices=[device], starts_at=None, origin=origin)
    step.refresh_from_db()
    assert step.identifier == f"SPS{step.pk}"
    assert (step.modality, step.protocol_code, step.contrast_agent) == ("MR", "P1", "Gd")
    assert step.station_name == "MRROOM"
    assert list(step.devices.all()) == [device]


def test_a_step_keeps_the_identifier_it_was_given_from_outside(origin: Origin) -> None:
    requested = RequestedProcedureFactory.create()
    details = StepDetails(identifier="SPD3445", modality="US")
    step = schedule_step(requested, devices=[], starts_at=None, origin=origin, details=details)
    assert (step.identifier, step.modality) == ("SPD3445", "US")


def test_scheduling_a_step_schedules_its_order_and_is_journalled(origin: Origin) -> None:
    requested = RequestedProcedureFactory.create()
    step = schedule_step(requested, devices=[], starts_at=None, origin=origin)
    assert status_of(requested.order) == Order.Status.SCHEDULED
    event = Event.objects.get(kind=Kind.STEP_SCHEDULED)
    assert event.subject_id == str(step.pk)
    assert event.accession_number == requested.order.accession_number
    assert event.study_instance_uid == requested.study_instance_uid


def test_an_order_follows_its_steps(origin: Origin) -> None:
    first = ScheduledStepFactory.create()
    order = first.requested_procedure.order
    second = ScheduledStepFactory.create(requested_procedure__order=order)
    start_by_hand(first, origin=origin)
    assert status_of(order) == Order.Status.IN_PROGRESS
    complete_by_hand(first, origin=origin)
    assert status_of(order) == Order.Status.IN_PROGRESS
    complete_by_hand(second, origin=origin)
    assert status_of(order) == Order.Status.PERFORMED


def test_an_order_of_which_nothing_was_done_is_discontinued(origin: Origin) -> None:
    step = ScheduledStepFactory.create()
    discontinue_by_hand(step, reason="patient unwell", origin=origin)
    assert status_of(step.requested_procedure.order) == Order.Status.DISCONTINUED
    event = Event.objects.get(kind=Kind.STEP_DISCONTINUED)
    assert event.details["reason"] == "patient unwell"


def test_a_cancelled_step_does_not_hold_up_its_order(origin: Origin) -> None:
    done = ScheduledStepFactory.create()
    order = done.requested_procedure.order
    dropped = ScheduledStepFactory.create(requested_procedure__order=order)
    complete_by_hand(done, origin=origin)
    cancel_step(dropped, reason="not needed", origin=origin)
    assert status_of(order) == Order.Status.PERFORMED


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.DISCONTINUED, Status.CANCELED])
def test_a_step_that_is_over_is_not_started_again(status: str, origin: Origin) -> None:
    moment = ScheduledStepFactory.build().starts_at
    step = ScheduledStepFactory.create(status=status, started_at=moment, ended_at=moment)
    with pytest.raises(StepStateRefused):
        start_by_hand(step, origin=origin)
    assert not Event.objects.filter(kind=Kind.STEP_STARTED).exists()


def test_a_running_step_is_not_cancelled(origin: Origin) -> None:
    step = start_by_hand(ScheduledStepFactory.create(), origin=origin)
    with pytest.raises(StepStateRefused):
        cancel_step(step, reason="too late", origin=origin)
