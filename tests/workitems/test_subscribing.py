"""Who is told what (PS3.4 tables CC.2.3-2 and CC.2.4-1)."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.services import Origin
from apps.dicom.keys import make_key
from apps.workitems import services
from apps.workitems.models import Notice, Subscription, Workitem, WorkitemEvent
from tests.workitems.samples import KEY, dataset, planned, station

pytestmark = pytest.mark.django_db
BY = Origin(protocol="test")
DAY = timedelta(days=1)


def create(**values: Any) -> Workitem:
    return services.create_workitem(planned(**values), origin=BY).workitem


def claim(row: Workitem) -> None:
    services.change_state(row, state="IN PROGRESS", transaction_uid=KEY, origin=BY)


def told(title: str) -> list[str]:
    """What an AE title is told now, as `label kind state`; it counts as told afterwards."""
    notices = services.waiting_notices([title], limit=100, age=DAY)
    services.mark_delivered(one.pk for one in notices)
    lines = []
    for one in notices:
        report = services.report_of(one)
        state = report.get("00741000", {"Value": [""]})["Value"][0]
        lines.append(f"{one.event.workitem.label} {one.event.kind} {state}".strip())
    return lines


def test_who_subscribes_to_one_is_told_its_state_first_and_then_what_changes() -> None:
    row, other = create(ProcedureStepLabel="A"), create(ProcedureStepLabel="B")
    services.subscribe(row, "AI1", origin=BY)
    claim(row)
    claim(other)
    assert told("AI1") == ["A 1 SCHEDULED", "A 1 IN PROGRESS"]
    services.unsubscribe(row, "AI1", origin=BY)
    services.change_workitem(
        row, dataset(InputReadinessState="INCOMPLETE"), transaction_uid=KEY, origin=BY
    )
    assert told("AI1") == []
    with pytest.raises(services.NotSubscribed):
        services.unsubscribe(row, "AI1", origin=BY)


def test_who_subscribes_to_all_is_told_of_those_that_are_and_that_come() -> None:
    old = create(ProcedureStepLabel="A")
    services.subscribe_to_all("AI1", origin=BY)
    assert told("AI1") == []
    claim(old)
    create(ProcedureStepLabel="B")
    assert told("AI1") == ["A 1 IN PROGRESS", "B 1 SCHEDULED"]


def test_with_a_deletion_lock_the_state_of_all_is_told_at_once() -> None:
    create(ProcedureStepLabel="A")
    services.subscribe_to_all("AI1", deletion_lock=True, origin=BY)
    assert told("AI1") == ["A 1 SCHEDULED"]


def test_one_can_be_left_out_by_who_subscribes_to_all() -> None:
    services.subscribe_to_all("AI1", origin=BY)
    row = create(ProcedureStepLabel="A")
    assert told("AI1") == ["A 1 SCHEDULED"]
    services.unsubscribe(row, "AI1", origin=BY)
    claim(row)
    assert told("AI1") == []


def test_who_suspends_is_told_of_nothing_new() -> None:
    services.subscribe_to_all("AI1", origin=BY)
    row = create(ProcedureStepLabel="A")
    services.suspend("AI1", scope="all", origin=BY)
    create(ProcedureStepLabel="B")
    claim(row)
    assert told("AI1") == ["A 1 SCHEDULED", "A 1 IN PROGRESS"]


def test_who_ends_the_subscription_to_all_is_told_nothing_at_all() -> None:
    row = create()
    services.subscribe(row, "AI1", origin=BY)
    services.subscribe_to_all("AI1", origin=BY)
    told("AI1")
    services.unsubscribe_from_all("AI1", scope="all", origin=BY)
    claim(row)
    assert told("AI1") == []
    assert not Subscription.objects.exists()
    with pytest.raises(services.NotSubscribed):
        services.suspend("AI1", scope="all", origin=BY)


def test_a_filter_subscribes_to_what_fits_now_or_later_and_for_good() -> None:
    fits = create(ProcedureStepLabel="A", WorklistLabel="CAD")
    other = create(ProcedureStepLabel="B", WorklistLabel="AI")
    keys = [make_key(["WorklistLabel"], ["CAD"]), make_key(["ProcedureStepState"], ["SCHEDULED"])]
    services.subscribe_filtered("AI1", keys, deletion_lock=True, origin=BY)
    create(ProcedureStepLabel="C", WorklistLabel="CAD")
    claim(other)
    claim(fits)  # no longer SCHEDULED, but subscribed to
    assert told("AI1") == ["A 1 SCHEDULED", "C 1 SCHEDULED", "A 1 IN PROGRESS"]
    late = create(ProcedureStepLabel="D", WorklistLabel="AI")
    services.change_workitem(late, dataset(WorklistLabel="CAD"), origin=BY)
    claim(late)
    assert told("AI1") == ["D 1 IN PROGRESS"]
    services.suspend("AI1", scope="filtered", origin=BY)
    create(ProcedureStepLabel="E", WorklistLabel="CAD")
    assert told("AI1") == []


def test_assignments_progress_and_readiness_are_told_as_what_they_are() -> None:
    services.subscribe_to_all("AI1", origin=BY)
    row = create(ProcedureStepLabel="A", ScheduledStationNameCodeSequence=station("ONE"))
    services.change_workitem(
        row, dataset(ScheduledStationNameCodeSequence=station("TWO")), origin=BY
    )
    services.change_workitem(row, dataset(InputReadinessState="INCOMPLETE"), origin=BY)
    claim(row)
    progress = dataset(ProcedureStepProgress=40)
    services.change_workitem(
        row,
        dataset(ProcedureStepProgressInformationSequence=progress),
        transaction_uid=KEY,
        origin=BY,
    )
    services.change_workitem(row, dataset(ProcedureStepLabel="A"), transaction_uid=KEY, origin=BY)
    assert told("AI1") == ["A 1 SCHEDULED", "A 5", "A 5", "A 1 SCHEDULED", "A 1 IN PROGRESS", "A 3"]


def test_a_report_has_the_head_of_an_n_event_report() -> None:
    row = create()
    services.subscribe(row, "AI1", origin=BY)
    (notice,) = services.waiting_notices(["AI1"], limit=5, age=DAY)
    report = services.report_of(notice)
    assert report["00000002"]["Value"] == ["1.2.840.10008.5.1.4.34.6.1"]
    assert report["00001000"]["Value"] == [row.sop_instance_uid]
    assert report["00001002"]["Value"] == [1]
    assert report["00404041"]["Value"] == ["READY"]


def test_what_is_too_old_is_not_told_and_forgotten() -> None:
    services.subscribe(create(), "AI1", origin=BY)
    WorkitemEvent.objects.update(at=timezone.now() - 2 * DAY)
    assert told("AI1") == []
    services.forget_events(before=timezone.now() - DAY)
    assert not Notice.objects.exists()
