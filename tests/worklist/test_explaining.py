"""What devices asked is kept, and why a step is not on a worklist can be told from it."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from apps.dicom.keys import Key, parse_keys
from apps.orders.models import Order
from apps.worklist.models import Device, ScheduledStep, WorklistQuery
from apps.worklist.services.explaining import (
    FRESH_TIMES,
    asked_of,
    explain,
    forget_queries,
    keep_query,
)
from apps.worklist.tasks import forget_worklist_queries
from tests.factories import DeviceFactory, PatientIdentifierFactory, ScheduledStepFactory

pytestmark = pytest.mark.django_db


def keys_of(**asked: str) -> list[Key]:
    query, step = Dataset(), Dataset()
    for keyword, value in asked.items():
        inside = keyword.startswith("Scheduled") or keyword == "Modality"
        setattr(step if inside else query, keyword, value)
    query.ScheduledProcedureStepSequence = Sequence([step])
    return parse_keys(query)


def ask(device: Device, *, zone: timezone | None = None, **asked: str) -> WorklistQuery:
    """What the listener does: look, answer, write down."""
    keys = keys_of(**asked)
    shown = list(ScheduledStep.objects.shown_to(device, keys, zone=zone))
    return keep_query(device, keys=keys, zone=zone, shown=shown, cut=False, milliseconds=3)


def why(step: ScheduledStep, device: Device) -> list[str]:
    """The conditions that fail."""
    query = WorklistQuery.objects.last_of(device)
    (told,) = explain([step], device, query=query)
    return [verdict.name for verdict in told.failing]


def test_a_step_that_did_not_match_says_by_which_key() -> None:
    device, other = DeviceFactory.create(ae_title="CT1"), DeviceFactory.create(ae_title="CT2")
    shown, missed = ScheduledStepFactory.create(), ScheduledStepFactory.create()
    shown.devices.set([device])
    missed.devices.set([other])
    query = ask(device, ScheduledStationAETitle="CT1")
    assert query.answers == 1
    assert query.misses == [
        {"step": missed.identifier, "key": "ScheduledStationAETitle", "value": "CT2"}
    ]


def test_names_that_were_asked_for_are_not_kept() -> None:
    step = ScheduledStepFactory.create()
    device = DeviceFactory.create()
    query = ask(device, PatientName="Secret^Name", PatientBirthDate="19800517", Modality="CT")
    text = f"{query.keys} {query.misses}"
    assert "Secret" not in text
    assert "19800517" not in text
    assert step.requested_procedure.order.patient.family_name not in text
    assert {str(label): str(value) for label, value in asked_of(query)} == {
        "Patient's Name": "given",
        "Patient's Birth Date": "given",
        "Modality": "CT",
    }


def test_what_is_not_kept_is_not_judged() -> None:
    step, device = ScheduledStepFactory.create(), DeviceFactory.create()
    query = ask(device, PatientName="Nobody^Else")
    (told,) = explain([step], device, query=query)
    assert told.shown
    assert [one.name for one in told.verdicts if one.met is None] == ["PatientName"]


def test_the_same_question_with_the_same_answer_counts_up() -> None:
    step, device = ScheduledStepFactory.create(), DeviceFactory.create()
    first = ask(device, Modality="CT")
    again = ask(device, Modality="CT")
    assert (again.pk, again.times) == (first.pk, 2)
    assert ask(device, Modality="MR").pk != first.pk
    assert ask(device, Modality="MR").times == 2
    ScheduledStep.objects.filter(pk=step.pk).update(modality="MR")
    assert ask(device, Modality="MR").times == 1


def test_a_device_that_polls_has_its_misses_looked_at_now_and_then(
    django_assert_max_num_queries: Any,
) -> None:
    device = DeviceFactory.create()
    ask(device, Modality="MR")
    ScheduledStepFactory.create()
    with django_assert_max_num_queries(5):
        assert ask(device, Modality="MR").misses == []
    for _ in range(FRESH_TIMES):
        query = ask(device, Modality="MR")
    assert [miss["key"] for miss in query.misses] == ["Modality"]


@pytest.mark.parametrize(
    ("asked", "changes", "expected"),
    [
        ({"Modality": "MR"}, {}, ["Modality"]),
        ({}, {"status": "CANCELED"}, ["status"]),
        ({"ScheduledProcedureStepStartDate": "19990101-19991231"}, {}, [
            "ScheduledProcedureStepStartDate"
        ]),
        ({"ScheduledStationAETitle": "X9"}, {}, ["ScheduledStationAETitle"]),
        ({"AccessionNumber": "NONE"}, {"status": "CANCELED"}, ["status", "AccessionNumber"]),
        ({"PatientID": "0"}, {}, ["PatientID"]),
        ({"Modality": "CT"}, {}, []),
    ],
)  # fmt: skip
def test_an_explanation_names_each_failing_condition(
    asked: dict[str, Any], changes: dict[str, str], expected: list[str]
) -> None:
    step, device = ScheduledStepFactory.create(), DeviceFactory.create()
    ScheduledStep.objects.filter(pk=step.pk).update(**changes)
    ask(device, **asked)
    assert why(step, device) == expected
    in_answer = ScheduledStep.objects.shown_to(device, keys_of(**asked)).filter(pk=step.pk)
    assert in_answer.exists() is (expected == [])


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ({"active": False}, "may-connect"),
        ({"may_read_worklist": False}, "may-read"),
        ({"only_own_steps": True}, "own-steps"),
        ({"hidden_statuses": ["SCHEDULED", "READY"]}, "hidden-status"),
        ({"only_own_modality": True, "modality": "MR"}, "own-modality"),
    ],
)
def test_the_profile_of_a_device_explains_too(profile: dict[str, Any], expected: str) -> None:
    step, device = ScheduledStepFactory.create(), DeviceFactory.create(**profile)
    assert why(step, device) == [expected]


def test_an_order_on_hold_explains_itself() -> None:
    step, device = ScheduledStepFactory.create(), DeviceFactory.create()
    Order.objects.update(status="held")
    assert why(step, device) == ["order-held"]


def test_a_device_is_shown_its_modality_unless_it_asks_for_another() -> None:
    device = DeviceFactory.create(modality="MR", only_own_modality=True)
    ct, mr = ScheduledStepFactory.create(), ScheduledStepFactory.create(modality="MR")
    steps = ScheduledStep.objects
    assert list(steps.shown_to(device, keys_of(Modality=""))) == [mr]
    assert list(steps.shown_to(device, keys_of(Modality="CT"))) == [ct]


def test_a_device_waits_for_arrival_where_scheduled_steps_are_hidden() -> None:
    device = DeviceFactory.create(hidden_statuses=["SCHEDULED"])
    ScheduledStepFactory.create()
    arrived = ScheduledStepFactory.create(status="ARRIVED")
    assert list(ScheduledStep.objects.shown_to(device, [])) == [arrived]


def test_the_zone_of_the_question_is_kept() -> None:
    step = ScheduledStepFactory.create(starts_at=datetime(2025, 7, 5, 23, 30, tzinfo=UTC))
    device = DeviceFactory.create()
    east = timezone(timedelta(hours=7))
    query = ask(device, zone=east, ScheduledProcedureStepStartDate="20250706")
    assert (query.zone_minutes, query.answers) == (420, 1)
    assert why(step, device) == []


def test_a_number_of_the_patient_is_shown_with_its_issuer() -> None:
    step, device = ScheduledStepFactory.create(), DeviceFactory.create()
    number = PatientIdentifierFactory.create(patient=step.requested_procedure.order.patient)
    ask(device, PatientID="none")
    (told,) = explain([step], device, query=WorklistQuery.objects.last_of(device))
    assert told.failing[0].actual == f"{number.value} ({number.issuer.namespace})"


def test_writing_down_takes_few_queries_however_long_the_day(
    django_assert_max_num_queries: Any,
) -> None:
    device = DeviceFactory.create()
    for number in range(30):
        step = ScheduledStepFactory.create(modality="MR")
        step.devices.set([DeviceFactory.create(ae_title=f"M{number}")])
    with django_assert_max_num_queries(9):
        query = keep_query(
            device, keys=keys_of(Modality="CT"), zone=None, shown=[], cut=False, milliseconds=1
        )
    assert len(query.misses) == 25


def test_old_questions_are_forgotten(settings: Any) -> None:
    device = DeviceFactory.create()
    old = ask(device, Modality="CT")
    WorklistQuery.objects.filter(pk=old.pk).update(asked_at=datetime(2020, 1, 1, tzinfo=UTC))
    young = ask(device, Modality="MR")
    forget_worklist_queries()
    assert list(WorklistQuery.objects.all()) == [young]
    assert forget_queries(before=datetime.now(UTC) + timedelta(days=1)) == 1
