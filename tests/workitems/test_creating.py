"""Workitems made and changed, and what is refused (PS3.4 table CC.2.5-3)."""

from typing import Any

import pytest

from apps.audit.services import Origin
from apps.patients.models import Issuer
from apps.workitems import services
from apps.workitems.models import Workitem
from tests.factories import IssuerFactory, PatientIdentifierFactory
from tests.workitems.samples import (
    KEY,
    OTHER_KEY,
    dataset,
    fresh_uid,
    performed,
    planned,
    station,
    stopped,
)

pytestmark = pytest.mark.django_db
BY = Origin(protocol="test")


def create(**values: Any) -> Workitem:
    return services.create_workitem(planned(**values), origin=BY).workitem


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"ProcedureStepLabel": None}, "ProcedureStepLabel is missing"),
        ({"ScheduledProcedureStepStartDateTime": None}, "StartDateTime is missing"),
        ({"ScheduledProcedureStepPriority": "SOON"}, "one of HIGH, MEDIUM, LOW"),
        ({"InputReadinessState": "MAYBE"}, "one of INCOMPLETE"),
        ({"ProcedureStepState": "IN PROGRESS"}, "has to be SCHEDULED"),
        ({"ProcedureStepState": None}, "has to be SCHEDULED"),
        ({"TransactionUID": KEY}, "TransactionUID has to be empty"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, "SOPClassUID"),
        ({"ScheduledStationNameCodeSequence": {}}, "a code needs its value"),
        ({"ScheduledHumanPerformersSequence": {}}, "HumanPerformerCodeSequence is missing"),
    ],
)
def test_what_is_no_workitem_is_refused_with_the_reason(values: dict[str, Any], why: str) -> None:
    with pytest.raises(services.WorkitemInvalid, match=why):
        create(**values)
    assert not Workitem.objects.exists()


def test_work_that_was_done_already_cannot_be_created() -> None:
    with pytest.raises(services.WorkitemInvalid, match=r"Performed\w+ has to be empty"):
        services.create_workitem(planned() | performed(), origin=BY)


def test_an_address_and_a_body_that_differ_are_refused() -> None:
    with pytest.raises(services.WorkitemInvalid, match="another one"):
        services.create_workitem(planned(SOPInstanceUID="1.2.3"), uid="1.2.4", origin=BY)


def test_one_uid_is_one_workitem() -> None:
    uid = fresh_uid()
    services.create_workitem(planned(), uid=uid, origin=BY)
    with pytest.raises(services.WorkitemExists):
        services.create_workitem(planned(SOPInstanceUID=uid), origin=BY)


def test_what_may_be_empty_is_added_and_said_so() -> None:
    made = services.create_workitem(planned(), uid=fresh_uid(), origin=BY)
    assert made.modified
    assert made.workitem.attributes["00404018"] == {"vr": "SQ"}
    whole = {tag: one for tag, one in made.workitem.attributes.items() if tag != "00404010"}
    again = services.create_workitem(
        whole | dataset(SOPInstanceUID="1.2.3.4"), uid="1.2.3.4", origin=BY
    )
    assert not again.modified


@pytest.mark.parametrize("far", ["00010101000000+1400", "99991231235959-1200", "0001", "9999"])
def test_the_ends_of_time_can_be_planned(far: str) -> None:
    row = create(ScheduledProcedureStepStartDateTime=far, ExpectedCompletionDateTime=far)
    assert row.attributes["00404005"]["Value"] == [far]


def test_a_workitem_without_a_worklist_is_put_on_one() -> None:
    assert create(WorklistLabel=None).worklist_label == "GENERAL"


def test_a_known_patient_is_recognised_by_number_and_issuer() -> None:
    issuer = IssuerFactory(namespace="HOSPITAL", purpose=Issuer.Purpose.PATIENT)
    known = PatientIdentifierFactory(issuer=issuer, value="4711")
    assert create(PatientID="4711", IssuerOfPatientID="HOSPITAL").patient == known.patient
    assert create(PatientID="4711", IssuerOfPatientID="ELSEWHERE").patient is None


def test_changes_are_laid_over_and_counted() -> None:
    row = create()
    changes = dataset(
        ProcedureStepLabel="Segment the spleen",
        ScheduledStationNameCodeSequence=[station("AI1"), station("AI2")],
    )
    changed = services.change_workitem(row, changes, origin=BY)
    assert (changed.label, changed.revision) == ("Segment the spleen", 2)
    assert changed.keys.filter(name="ScheduledStationNameCodeSequence.CodeValue").count() == 2
    assert changed.worklist_label == "AI"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"PatientName": {"Alphabetic": "Other^One"}}, "PatientName cannot be changed"),
        ({"ProcedureStepState": "COMPLETED"}, "ProcedureStepState cannot be changed"),
        ({"SOPInstanceUID": "1.2.3"}, "SOPInstanceUID cannot be changed"),
        ({"ProcedureStepLabel": None}, "ProcedureStepLabel cannot be emptied"),
    ],
)
def test_what_stays_as_it_was_created_cannot_be_changed(values: dict[str, Any], why: str) -> None:
    row = create()
    with pytest.raises(services.WorkitemInvalid, match=why):
        services.change_workitem(row, dataset(**values), origin=BY)
    row.refresh_from_db()
    assert row.revision == 1


def test_only_the_owner_changes_what_is_claimed() -> None:
    row = create()
    label = dataset(ProcedureStepLabel="Mine")
    with pytest.raises(services.WorkitemUnclaimed):
        services.change_workitem(row, label, transaction_uid=KEY, origin=BY)
    services.change_state(row, state="IN PROGRESS", transaction_uid=KEY, origin=BY)
    with pytest.raises(services.TransactionMissing):
        services.change_workitem(row, label, origin=BY)
    with pytest.raises(services.TransactionWrong):
        services.change_workitem(row, label, transaction_uid=OTHER_KEY, origin=BY)
    assert services.change_workitem(row, label, transaction_uid=KEY, origin=BY).label == "Mine"
    services.change_workitem(row, stopped(), transaction_uid=KEY, origin=BY)
    services.change_state(row, state="CANCELED", transaction_uid=KEY, origin=BY)
    with pytest.raises(services.WorkitemFinal):
        services.change_workitem(row, label, transaction_uid=KEY, origin=BY)
