"""What the images of an exam say about its steps, where no device reports them (no MPPS)."""

from collections.abc import Collection, Iterable

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.orders.models import Order, RequestedProcedure
from apps.orders.services import advance_order
from apps.worklist.models import ScheduledStep
from apps.worklist.services.steps import WAITING, StepStateRefused, enter

Status = ScheduledStep.Status
ARRIVED = "images arrived"
NOT_BEGUN = frozenset({Order.Status.REQUESTED, Order.Status.SCHEDULED})


def note_images(
    procedures: Iterable[RequestedProcedure], *, modalities: Collection[str], origin: Origin
) -> None:
    """Images of these procedures are here: the exam has begun, whoever forgot to say so.

    From then on nobody cancels or moves it, and the worklist lets go of it. The
    technologist, or the device, says when it is over.
    """
    for requested in procedures:
        steps = list(requested.steps.exclude(status=Status.CANCELED))
        if not steps:
            _perform(requested.order_id, origin)
        elif all(step.status in WAITING for step in steps):
            _begin_step(_meant(steps, modalities), origin)


def forget_images(procedures: Iterable[RequestedProcedure], *, origin: Origin) -> None:
    """The images were somebody else's: what only they had begun waits again.

    To be called once the study has let go of the procedures.
    """
    for requested in procedures:
        steps = list(requested.steps.exclude(status=Status.CANCELED))
        if not steps:
            _perform_again(requested.order_id, origin)
        for step in steps:
            if step.status == Status.STARTED and _begun_by_images(step):
                enter(step, Status.SCHEDULED, origin=origin, reason="images unmatched")


def _meant(steps: list[ScheduledStep], modalities: Collection[str]) -> ScheduledStep:
    """The first of this modality, else the first."""
    ordered = sorted(steps, key=lambda one: (one.modality not in modalities, one.pk))
    return ordered[0]


def _begun_by_images(step: ScheduledStep) -> bool:
    """Neither a device nor a person has said that it was started."""
    rows = Event.objects.filter(
        subject_type=step._meta.label, subject_id=str(step.pk), kind=Kind.STEP_STARTED
    )
    last = rows.order_by("id").last()
    by_images = last is not None and last.details.get("reason") == ARRIVED
    return by_images and not step.performed_steps.exists()


def _begin_step(step: ScheduledStep, origin: Origin) -> None:
    try:
        enter(step, Status.STARTED, origin=origin, reason=ARRIVED)
    except StepStateRefused:
        return  # the device, or somebody at the desk, was faster


def _perform(order: int, origin: Origin) -> None:
    """Nobody planned it, so that nobody will say that it is over."""
    row = Order.objects.get(pk=order)
    if row.status in NOT_BEGUN:
        advance_order(row, to=Order.Status.PERFORMED, origin=origin)


def _perform_again(order: int, origin: Origin) -> None:
    row = Order.objects.get(pk=order)
    if row.status == Order.Status.PERFORMED:
        advance_order(row, to=Order.Status.REQUESTED, origin=origin)
