"""C-FIND on the worklist over the wire: rights, cancelling, limits, the journal."""

import threading
from typing import Any

import pytest
from django.db import OperationalError
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pynetdicom.association import Association

from apps.audit.models import Event, Kind
from apps.dimse.listener import Listener
from apps.worklist.models import Device, ScheduledStep, WorklistQuery
from tests.dimse.conftest import Dial
from tests.factories import PatientIdentifierFactory, ScheduledStepFactory

WORKLIST = "1.2.840.10008.5.1.4.31"


def query(**keys: str) -> Dataset:
    asked, step = Dataset(), Dataset()
    asked.PatientName = asked.AccessionNumber = ""
    for keyword, value in {"ScheduledProcedureStepID": "", **keys}.items():
        setattr(step, keyword, value)
    asked.ScheduledProcedureStepSequence = Sequence([step])
    return asked


def answers(association: Association, asked: Dataset) -> tuple[list[str], int]:
    """Step identifiers, and the last status."""
    found, last = [], -1
    for status, line in association.send_c_find(asked, WORKLIST):
        last = status.Status
        if line is not None:
            found.append(line.ScheduledProcedureStepSequence[0].ScheduledProcedureStepID)
    return found, last


def test_a_device_sees_what_it_asks_for(listener: Listener, dial: Dial, device: Device) -> None:
    mine, other = ScheduledStepFactory.create(), ScheduledStepFactory.create(modality="MR")
    mine.devices.set([device])
    association = dial(listener, WORKLIST)
    found, status = answers(association, query())
    assert (sorted(found), status) == (sorted([mine.identifier, other.identifier]), 0)
    assert answers(association, query(Modality="MR"))[0] == [other.identifier]


def test_a_device_may_be_held_to_its_own_steps(
    listener: Listener, dial: Dial, device: Device
) -> None:
    mine = ScheduledStepFactory.create()
    ScheduledStepFactory.create()
    mine.devices.set([device])
    Device.objects.filter(pk=device.pk).update(only_own_steps=True)
    assert answers(dial(listener, WORKLIST), query())[0] == [mine.identifier]


def test_a_started_step_may_be_asked_for_once_more(
    listener: Listener, dial: Dial, settings: Any
) -> None:
    step = ScheduledStepFactory.create()
    ScheduledStep.objects.update(status="STARTED", started_at=step.starts_at)
    association = dial(listener, WORKLIST)
    assert answers(association, query())[0] == [step.identifier]
    settings.WORKLIST_STARTED_MINUTES = 0
    assert answers(association, query())[0] == []


def test_a_worklist_that_is_cut_says_so(listener: Listener, dial: Dial, settings: Any) -> None:
    settings.WORKLIST_ANSWERS = 3
    ScheduledStepFactory.create_batch(5)
    association = dial(listener, WORKLIST)
    responses = list(association.send_c_find(query(), WORKLIST))
    assert [one.Status for one, _ in responses] == [0xFF00] * 3 + [0xA700]
    assert responses[-1][0].ErrorComment == "More than 3 items match: ask for a date or a modality"
    ScheduledStep.objects.filter(pk__in=ScheduledStep.objects.all()[:2]).delete()
    assert answers(association, query())[1] == 0


def test_a_query_can_be_cancelled(listener: Listener, dial: Dial) -> None:
    ScheduledStepFactory.create_batch(200)
    association = dial(listener, WORKLIST)
    seen, last = 0, -1
    for status, line in association.send_c_find(query(), WORKLIST, msg_id=7):
        last = status.Status
        seen += line is not None
        if seen == 1:
            association.send_c_cancel(7, query_model=WORKLIST)
    # The answers may have been under way already; the listener answers on in either case.
    assert last in (0xFE00, 0)
    assert answers(association, query(Modality="XX")) == ([], 0)


def test_a_key_that_makes_no_sense_is_refused(listener: Listener, dial: Dial) -> None:
    asked = query()
    asked.PatientID = "x" * 2000
    assert answers(dial(listener, WORKLIST), asked) == ([], 0xA900)


def test_what_was_shown_is_journalled_once(listener: Listener, dial: Dial, device: Device) -> None:
    step = ScheduledStepFactory.create()
    PatientIdentifierFactory.create(patient=step.requested_procedure.order.patient)
    association = dial(listener, WORKLIST)
    for _ in range(3):
        answers(association, query(Modality="CT"))
    association.release()
    (event,) = Event.objects.filter(kind=Kind.WORKLIST_QUERIED)
    assert event.subject_id == str(device.pk)
    assert event.details["steps"] == [step.identifier]
    assert event.details["keys"] == ["ScheduledProcedureStepSequence.Modality"]


def test_a_question_is_kept_with_its_answer(listener: Listener, dial: Dial, device: Device) -> None:
    other = ScheduledStepFactory.create(modality="MR")
    ScheduledStepFactory.create()
    association = dial(listener, WORKLIST)
    for _ in range(2):
        answers(association, query(Modality="CT"))
    association.release()
    kept = WorklistQuery.objects.get()
    assert (kept.device, kept.answers, kept.times) == (device, 1, 2)
    assert [miss["step"] for miss in kept.misses] == [other.identifier]


def test_an_answer_does_not_depend_on_being_written_down(
    listener: Listener, dial: Dial, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_options: Any) -> None:
        raise OperationalError("disk full")

    monkeypatch.setattr("apps.dimse.handlers.worklist.keep_query", fail)
    ScheduledStepFactory.create()
    association = dial(listener, WORKLIST)
    for _ in range(2):
        assert (len(answers(association, query())[0]), association.is_established) == (1, True)


def test_names_are_as_long_as_the_device_can_take(
    listener: Listener, dial: Dial, device: Device
) -> None:
    step = ScheduledStepFactory.create()
    patient = step.requested_procedure.order.patient
    patient.family_name, patient.given_name = "Featherstonehaugh", "Maximilian"
    patient.save()
    Device.objects.filter(pk=device.pk).update(name_length=20)
    lines = [one for _, one in dial(listener, WORKLIST).send_c_find(query(), WORKLIST) if one]
    assert [str(line.PatientName) for line in lines] == ["Featherstonehaugh"]


@pytest.mark.parametrize("count", [4])
def test_several_devices_ask_at_once(count: int, listener: Listener, dial: Dial) -> None:
    steps = ScheduledStepFactory.create_batch(20)
    found: list[int] = []

    def ask() -> None:
        found.append(len(answers(dial(listener, WORKLIST), query())[0]))

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [len(steps)] * count
