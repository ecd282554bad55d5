"""The life of a workitem (PS3.4 table CC.1.1-2)."""

import pytest

from apps.audit.models import Event
from apps.audit.services import Origin
from apps.workitems import services
from apps.workitems.attributes import PROGRESS, values_of
from apps.workitems.models import Workitem
from apps.workitems.services import WorkitemRefused
from tests.threads import at_once
from tests.workitems.samples import (
    KEY,
    OTHER_KEY,
    dataset,
    performed,
    planned,
    stopped,
)

pytestmark = pytest.mark.django_db
BY = Origin(protocol="test")


def make(state: str = "SCHEDULED") -> Workitem:
    """A workitem in this state, claimed with KEY unless it waits."""
    row = services.create_workitem(planned(), origin=BY).workitem
    if state != "SCHEDULED":
        services.change_state(row, state="IN PROGRESS", transaction_uid=KEY, origin=BY)
    if state in ("COMPLETED", "CANCELED"):
        said = performed() if state == "COMPLETED" else stopped()
        services.change_workitem(row, said, transaction_uid=KEY, origin=BY)
        services.change_state(row, state=state, transaction_uid=KEY, origin=BY)
    row.refresh_from_db()
    return row


def outcome(row: Workitem, wanted: str, key: str) -> str:
    """`done`, `already`, or the name of the refusal."""
    try:
        done = services.change_state(row, state=wanted, transaction_uid=key, origin=BY)
    except WorkitemRefused as refusal:
        return type(refusal).__name__
    return "done" if done else "already"


@pytest.mark.parametrize(
    ("wanted", "key", "expected"),
    [
        # wanted, key: outcome from SCHEDULED, IN PROGRESS, COMPLETED, CANCELED
        ("IN PROGRESS", KEY, "done StateRefused StateRefused StateRefused"),
        ("IN PROGRESS", OTHER_KEY, "done TransactionWrong TransactionWrong TransactionWrong"),
        ("IN PROGRESS", "", " ".join(["TransactionMissing"] * 4)),
        ("SCHEDULED", KEY, " ".join(["StateRefused"] * 4)),
        ("COMPLETED", KEY, "StateRefused FinalStateUnmet already StateRefused"),
        ("COMPLETED", OTHER_KEY, "StateRefused TransactionWrong TransactionWrong TransactionWrong"),
        ("CANCELED", KEY, "StateRefused FinalStateUnmet StateRefused already"),
        ("CANCELED", OTHER_KEY, "StateRefused TransactionWrong TransactionWrong TransactionWrong"),
        ("CANCELED", "", " ".join(["TransactionMissing"] * 4)),
        ("HELD", KEY, " ".join(["WorkitemInvalid"] * 4)),
    ],
)
def test_states_change_as_the_table_of_the_standard_says(
    wanted: str, key: str, expected: str
) -> None:
    states = ("SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED")
    assert " ".join(outcome(make(state), wanted, key) for state in states) == expected


def test_what_is_missing_before_the_end_is_named() -> None:
    row = make("IN PROGRESS")
    with pytest.raises(services.FinalStateUnmet, match="UnifiedProcedureStepPerformed"):
        services.change_state(row, state="COMPLETED", transaction_uid=KEY, origin=BY)
    half = performed()
    (item,) = half["00741216"]["Value"]
    del item["00404033"], item["00404051"]
    services.change_workitem(row, half, transaction_uid=KEY, origin=BY)
    with pytest.raises(services.FinalStateUnmet) as refusal:
        services.change_state(row, state="COMPLETED", transaction_uid=KEY, origin=BY)
    for name in ("PerformedProcedureStepEndDateTime", "OutputInformationSequence"):
        assert name in str(refusal.value)
    services.change_workitem(row, performed(), transaction_uid=KEY, origin=BY)
    assert outcome(row, "COMPLETED", KEY) == "done"


def test_the_time_of_a_cancellation_is_filled_in() -> None:
    (item,) = values_of(make("CANCELED").attributes, PROGRESS)
    assert values_of(item, "00404052")[0].startswith("20")
    assert values_of(item, "0074100E")


def test_the_key_of_the_owner_is_nowhere_to_be_read() -> None:
    row = make("IN PROGRESS")
    said = f"{row.attributes} {[getattr(row, one.attname) for one in row._meta.concrete_fields]}"
    assert KEY not in said
    assert KEY not in str(list(Event.objects.values_list("details", flat=True)))


def test_each_change_is_one_row_of_the_journal() -> None:
    make("COMPLETED")
    kinds = list(Event.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["workitem-created", "workitem-state", "workitem-changed", "workitem-state"]


def test_a_request_to_cancel_ends_what_nobody_has_claimed() -> None:
    row = make()
    why = dataset(ReasonForCancellation="Patient went home")
    assert services.request_cancellation(row, why, requester="DESK", origin=BY)
    row.refresh_from_db()
    (item,) = values_of(row.attributes, PROGRESS)
    assert row.state == "CANCELED"
    assert values_of(item, "00741238") == ["Patient went home"]
    assert values_of(item, "0074100E")[0]["00080100"]["Value"] == ["110513"]
    reports = [event.report["00741000"]["Value"][0] for event in row.events.all()]
    assert reports == ["SCHEDULED", "IN PROGRESS", "CANCELED"]
    assert not services.request_cancellation(row, {}, requester="DESK", origin=BY)


def test_a_request_to_cancel_what_runs_is_passed_on_to_those_who_listen() -> None:
    row = make("IN PROGRESS")
    with pytest.raises(services.NobodyToAsk):
        services.request_cancellation(row, {}, requester="DESK", origin=BY)
    services.subscribe(row, "AI1", origin=BY)
    asked = dataset(ReasonForCancellation="Wrong side", ContactDisplayName="Dr Who")
    assert services.request_cancellation(row, asked, requester="DESK", origin=BY)
    event = row.events.latest("pk")
    assert event.kind == 2
    assert event.report["00741236"]["Value"] == ["DESK"]
    assert event.report["0074100C"]["Value"] == ["Dr Who"]
    assert [one.ae_title for one in event.notices.all()] == ["AI1"]
    row.refresh_from_db()
    assert row.state == "IN PROGRESS"


def test_what_is_completed_cannot_be_cancelled() -> None:
    with pytest.raises(services.StateRefused):
        services.request_cancellation(make("COMPLETED"), {}, requester="DESK", origin=BY)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_claim_at_once_exactly_one_wins() -> None:
    row = make()

    def claim(number: int) -> str:
        return outcome(row, "IN PROGRESS", f"2.25.{number + 1}")

    found = at_once(claim, range(6))
    assert sorted(found) == ["TransactionWrong"] * 5 + ["done"]
