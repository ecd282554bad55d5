"""A device that reports nothing (no MPPS) just sends its images: the exam has begun."""

from typing import Any

import pytest

from apps.audit.services import Origin
from apps.orders.models import Order, RequestedProcedure
from apps.orders.services import CancelRefused
from apps.studies.models import Study
from apps.studies.services import match_study, store_instances, unmatch_study
from apps.studies.spool import Spool
from apps.worklist.models import ScheduledStep
from apps.worklist.services.bookings import cancel_order_and_steps
from apps.worklist.services.steps import complete_by_hand, schedule_step, start_by_hand
from tests.dicom.objects import ct_image, part10
from tests.factories import RequestedProcedureFactory

pytestmark = pytest.mark.django_db
Status = ScheduledStep.Status


@pytest.fixture
def procedure(db: None) -> RequestedProcedure:
    made: RequestedProcedure = RequestedProcedureFactory.create()
    return made


@pytest.fixture
def step(procedure: RequestedProcedure, origin: Origin) -> ScheduledStep:
    return schedule_step(procedure, devices=[], starts_at=None, origin=origin)


def arrived(spool: Spool, origin: Origin, **values: Any) -> Study:
    image = ct_image(**{"PatientID": "UNKNOWN", "AccessionNumber": None, **values})
    store_instances([spool.write([part10(image)])], origin=origin)
    return Study.objects.get(study_instance_uid=image.StudyInstanceUID)


def matched(spool: Spool, origin: Origin, procedure: RequestedProcedure) -> Study:
    return match_study(arrived(spool, origin), procedure=procedure, reason="x", origin=origin)


def states(step: ScheduledStep) -> tuple[str, str]:
    step = ScheduledStep.objects.get(pk=step.pk)
    return step.status, step.requested_procedure.order.status


def test_the_step_is_started_and_its_order_cannot_be_cancelled(
    spool: Spool, origin: Origin, procedure: RequestedProcedure, step: ScheduledStep
) -> None:
    matched(spool, origin, procedure)
    assert states(step) == (Status.STARTED, Order.Status.IN_PROGRESS)
    with pytest.raises(CancelRefused):
        cancel_order_and_steps(procedure.order, reason="too late", origin=origin)


def test_an_order_that_nobody_scheduled_is_performed(
    spool: Spool, origin: Origin, procedure: RequestedProcedure
) -> None:
    study = matched(spool, origin, procedure)
    assert Order.objects.get().status == Order.Status.PERFORMED
    unmatch_study(study, reason="another patient", origin=origin)
    assert Order.objects.get().status == Order.Status.REQUESTED


def test_taken_back_images_give_the_step_back_to_the_worklist(
    spool: Spool, origin: Origin, procedure: RequestedProcedure, step: ScheduledStep
) -> None:
    study = matched(spool, origin, procedure)
    unmatch_study(study, reason="another patient", origin=origin)
    assert states(step) == (Status.SCHEDULED, Order.Status.SCHEDULED)


def test_images_that_go_to_another_order_begin_that_one(
    spool: Spool, origin: Origin, procedure: RequestedProcedure, step: ScheduledStep
) -> None:
    study = matched(spool, origin, procedure)
    other: RequestedProcedure = RequestedProcedureFactory.create()
    match_study(study, procedure=other, reason="seen", origin=origin)
    assert states(step) == (Status.SCHEDULED, Order.Status.SCHEDULED)
    assert Order.objects.get(pk=other.order_id).status == Order.Status.PERFORMED


def test_another_study_of_the_step_keeps_it_begun(
    spool: Spool, origin: Origin, procedure: RequestedProcedure, step: ScheduledStep
) -> None:
    study = matched(spool, origin, procedure)
    matched(spool, origin, procedure)
    unmatch_study(study, reason="another patient", origin=origin)
    assert states(step)[0] == Status.STARTED


@pytest.mark.parametrize("over", [True, False])
def test_what_a_person_said_of_the_exam_stands(
    spool: Spool,
    origin: Origin,
    procedure: RequestedProcedure,
    step: ScheduledStep,
    over: bool,
) -> None:
    start_by_hand(step, origin=origin)
    if over:
        complete_by_hand(step, origin=origin)
    before = states(step)
    study = matched(spool, origin, procedure)
    assert states(step) == before
    unmatch_study(study, reason="another patient", origin=origin)
    assert states(step) == before
