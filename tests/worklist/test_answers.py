"""What a worklist line says (PS3.4 table K.6-1), in what the device can read."""

import datetime
from datetime import UTC, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from apps.dicom.keys import make_key
from apps.worklist.datasets import Reader, answer, worklist_line
from apps.worklist.models import ScheduledStep
from tests.factories import (
    DeviceFactory,
    IssuerFactory,
    OrderFactory,
    PatientFactory,
    PatientIdentifierFactory,
    ProcedureFactory,
    ReferrerFactory,
    RequestedProcedureFactory,
    ScheduledStepFactory,
)

pytestmark = pytest.mark.django_db
EVENING = datetime.datetime(2025, 7, 5, 22, 30, tzinfo=UTC)


def step_of(*, patient: dict[str, Any] | None = None, **order: Any) -> ScheduledStep:
    person = PatientFactory.create(**(patient or {}))
    requested = RequestedProcedureFactory.create(order=OrderFactory.create(patient=person, **order))
    step: ScheduledStep = ScheduledStepFactory.create(
        requested_procedure=requested, starts_at=EVENING
    )
    return step


def inner(line: Dataset) -> Dataset:
    item: Dataset = line.ScheduledProcedureStepSequence[0]
    return item


def test_the_device_is_told_what_the_front_desk_knows() -> None:
    line = worklist_line(
        step_of(
            patient={
                "weight_kg": Decimal("71.5"),
                "height_cm": 172,
                "pregnancy": "2",
                "special_needs": "Wheelchair",
                "confidentiality": "VIP",
                "allergies": "Iodine",
                "language": "de",
            },
            patient_state="Disoriented",
            transport="Chair",
            visit_number="V1",
            patient_location="Ward 3",
        )
    )
    told = {
        "PatientWeight": "71.5",
        "PatientSize": "1.72",
        "PregnancyStatus": 2,
        "SpecialNeeds": "Wheelchair",
        "ConfidentialityConstraintOnPatientDataDescription": "VIP",
        "Allergies": "Iodine",
        "PatientState": "Disoriented",
        "PatientTransportArrangements": "Chair",
        "AdmissionID": "V1",
        "CurrentPatientLocation": "Ward 3",
    }
    assert {name: line[name].value for name in told} == told
    assert line.PatientPrimaryLanguageCodeSequence[0].CodeValue == "de"


def test_what_nobody_knows_is_empty() -> None:
    line = worklist_line(step_of())
    for name in ("PatientWeight", "PatientSize", "PregnancyStatus", "SpecialNeeds"):
        assert line[name].is_empty, name
    assert len(line.PatientPrimaryLanguageCodeSequence) == 0


def test_a_language_in_words_is_no_code() -> None:
    line = worklist_line(step_of(patient={"language": "Swiss German"}))
    assert len(line.PatientPrimaryLanguageCodeSequence) == 0


def test_numbers_come_with_their_issuers() -> None:
    universal = {"universal_id": "1.2.3", "universal_id_type": "ISO"}
    accession = IssuerFactory.create(namespace="HOUSE", purpose="accession", **universal)
    step = step_of(issuer=accession, placer_number="P1", placer_namespace="HIS", filler_number="F1")
    issuer = IssuerFactory.create(namespace="CITY", **universal)
    person = step.requested_procedure.order.patient
    PatientIdentifierFactory.create(patient=person, issuer=issuer, value="77", preferred=True)
    line = worklist_line(step)
    assert line.IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID == "HOUSE"
    assert line.IssuerOfAccessionNumberSequence[0].UniversalEntityID == "1.2.3"
    assert line.OrderPlacerIdentifierSequence[0].LocalNamespaceEntityID == "HIS"
    assert line.OrderFillerIdentifierSequence[0].LocalNamespaceEntityID == "HOUSE"
    assert (line.PatientID, line.IssuerOfPatientID) == ("77", "CITY")
    assert line.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityIDType == "ISO"


def test_who_asked_is_who_is_called_back() -> None:
    referrer = ReferrerFactory.create(family_name="Roe", given_name="Ann", phone="555 0101")
    line = worklist_line(step_of(referrer=referrer))
    for name in ("RequestingPhysician", "ReferringPhysicianName"):
        assert str(line[name].value).startswith("Roe^Ann")
    assert str(line.NamesOfIntendedRecipientsOfResults).startswith("Roe^Ann")
    assert line.OrderCallbackPhoneNumber == "555 0101"


def test_the_side_is_said_to_the_technologist() -> None:
    step = step_of()
    step.requested_procedure.laterality = "L"
    assert worklist_line(step).RequestedProcedureComments == "Left side"


@pytest.mark.parametrize(
    ("hours", "day", "time"), [(0, "20250705", "223000"), (7, "20250706", "053000")]
)
def test_the_start_is_told_in_the_zone_of_the_question(hours: int, day: str, time: str) -> None:
    asked, item = Dataset(), Dataset()
    asked.TimezoneOffsetFromUTC = f"+{hours:02}00"
    item.ScheduledProcedureStepStartDate = item.ScheduledProcedureStepStartTime = ""
    asked.ScheduledProcedureStepSequence = Sequence([item])
    got = answer(step_of(), asked, reader=Reader(zone=timezone(timedelta(hours=hours))))
    assert inner(got).ScheduledProcedureStepStartDate == day
    assert inner(got).ScheduledProcedureStepStartTime == time
    assert got.TimezoneOffsetFromUTC == f"+{hours:02}00"


def test_type_1_keys_are_never_empty() -> None:
    step = step_of()
    step.starts_at = None
    line = worklist_line(step, reader=Reader(ae_title="CT7"))
    item = inner(line)
    assert item.ScheduledStationAETitle == "CT7"
    assert len(item.ScheduledProcedureStepStartDate) == 8
    assert len(item.ScheduledProcedureStepStartTime) == 6
    assert item.Modality
    assert item.ScheduledProcedureStepID
    assert line.StudyInstanceUID
    assert line.RequestedProcedureID


def test_a_step_without_a_protocol_code_has_a_description() -> None:
    step = step_of()
    step.requested_procedure.meaning, step.description = "CT of the head", ""
    assert inner(worklist_line(step)).ScheduledProcedureStepDescription == "CT of the head"
    step.protocol_code = "P7"
    assert inner(worklist_line(step)).ScheduledProcedureStepDescription == ""


def test_a_long_name_is_cut_for_a_device_that_fails_on_it() -> None:
    step = step_of(patient={"family_name": "Featherstonehaugh", "given_name": "Maximilian"})
    asked = Dataset()
    asked.PatientName = asked.PatientID = ""
    assert answer(step, asked, reader=Reader(name_length=20)).PatientName == "Featherstonehaugh"
    assert answer(step, asked, reader=Reader(name_length=10)).PatientName == "Featherston"[:10]
    whole = answer(step, asked, reader=Reader()).PatientName
    assert whole == "Featherstonehaugh^Maximilian"


def test_several_devices_and_steps_of_one_procedure_are_lines_of_their_own() -> None:
    first = step_of()
    first.devices.set([DeviceFactory.create(ae_title="A1"), DeviceFactory.create(ae_title="A2")])
    second = ScheduledStepFactory.create(requested_procedure=first.requested_procedure)
    assert set(inner(worklist_line(first)).ScheduledStationAETitle) == {"A1", "A2"}
    lines = [worklist_line(first), worklist_line(second)]
    assert len({line.StudyInstanceUID for line in lines}) == 1
    assert len({inner(line).ScheduledProcedureStepID for line in lines}) == 2


def test_unknown_and_private_keys_come_back_empty() -> None:
    asked = Dataset()
    asked.PatientName = ""
    asked.ImageComments = ""
    asked.add_new(0x00091010, "LO", "")
    got = answer(step_of(), asked, reader=Reader())
    assert set(got.keys()) == set(asked.keys())
    assert got["ImageComments"].is_empty
    assert got[0x00091010].is_empty


def test_a_code_sequence_is_asked_for_by_its_code() -> None:
    step = ScheduledStepFactory.create(
        requested_procedure=RequestedProcedureFactory.create(
            procedure=ProcedureFactory.create(), code="CT1", scheme="99X"
        )
    )
    ScheduledStepFactory.create()
    assert [step.pk] == list(_by_code("CT1"))
    assert not _by_code("CT2")


def _by_code(value: str) -> list[int]:
    key = make_key(["RequestedProcedureCodeSequence", "CodeValue"], [value])
    return list(ScheduledStep.objects.matching([key]).values_list("pk", flat=True))
