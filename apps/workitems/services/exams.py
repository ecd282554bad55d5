"""The department's own exams among the workitems: they follow their steps, one way.

What happens to a step is in the journal already, so that following it writes no row there.
"""

from collections.abc import Iterator

from django.db import transaction

from apps.dicom.json import JsonDataset
from apps.dicom.matching import tag_of
from apps.dicom.uids import new_uid
from apps.workitems.attributes import REPLACED, element, with_empty
from apps.workitems.datasets import exam_attributes
from apps.workitems.models import PUSH_SOP_CLASS, Workitem
from apps.workitems.services.events import tell_changes, tell_state
from apps.workitems.services.states import NO_REASON, cancelled, give_reason
from apps.workitems.services.workitems import add, save
from apps.worklist.models import ScheduledStep

State = Workitem.State
Status = ScheduledStep.Status
STATES = {
    Status.SCHEDULED: State.SCHEDULED,
    Status.ARRIVED: State.SCHEDULED,
    Status.READY: State.SCHEDULED,
    Status.STARTED: State.IN_PROGRESS,
    Status.COMPLETED: State.COMPLETED,
    Status.DISCONTINUED: State.CANCELED,
    Status.CANCELED: State.CANCELED,
}
OPEN = (Status.SCHEDULED, Status.ARRIVED, Status.READY, Status.STARTED)


def show_exam(step: ScheduledStep) -> Workitem:
    """Bring the workitem of a step up to date, or make it; returns it. Safe to repeat.

    A step that is back on the worklist after it was started gets a new workitem, as no
    workitem goes back to SCHEDULED; the old one is cancelled.
    """
    with transaction.atomic():
        ScheduledStep.objects.select_for_update().get(pk=step.pk)
        step = ScheduledStep.objects.with_identity().get(pk=step.pk)
        state = STATES[Status(step.status)]
        newest = step.workitems.order_by("pk").last()
        if newest is None:
            return _show(step, state, exam_attributes(step))
        if newest.state == state and newest.is_final:
            return newest
        if newest.is_final or (newest.state, state) == (State.IN_PROGRESS, State.SCHEDULED):
            return _show_again(newest, step, state)
        _follow(newest, exam_attributes(step))
        _advance(newest, state)
        return newest


def exams_without_workitem(*, limit: int) -> Iterator[ScheduledStep]:
    """Steps that are still to be done and that no workitem shows."""
    yield from ScheduledStep.objects.filter(status__in=OPEN, workitems=None)[:limit]


def _show(step: ScheduledStep, state: str, attributes: JsonDataset) -> Workitem:
    workitem = Workitem(sop_instance_uid=new_uid(), step=step)
    add(workitem, with_empty(attributes))
    _advance(workitem, state)
    return workitem


def _show_again(old: Workitem, step: ScheduledStep, state: str) -> Workitem:
    if not old.is_final:
        old.attributes = cancelled(old.attributes, give_reason(*NO_REASON))
        _advance(old, State.CANCELED)
    replaced = {
        tag_of("ReferencedSOPClassUID"): element(tag_of("ReferencedSOPClassUID"), PUSH_SOP_CLASS),
        tag_of("ReferencedSOPInstanceUID"): element(
            tag_of("ReferencedSOPInstanceUID"), old.sop_instance_uid
        ),
    }
    said = exam_attributes(step)
    return _show(step, state, said | {REPLACED: element(REPLACED, replaced)})


def _follow(workitem: Workitem, said: JsonDataset) -> None:
    before = workitem.attributes
    if all(before.get(tag) == found for tag, found in said.items()):
        return
    save(workitem, before | said)
    tell_changes(workitem, before)


def _advance(workitem: Workitem, state: str) -> None:
    """Through IN PROGRESS to what is wanted (PS3.4 figure CC.1.1-1)."""
    way = [State.IN_PROGRESS] if workitem.state == State.SCHEDULED else []
    for one in (*way, State(state)):
        if state != State.SCHEDULED and workitem.state != one:
            workitem.state = one
            save(workitem, workitem.attributes)
            tell_state(workitem)
