"""Which steps a worklist query finds, and what it is told about them (PS3.4 annex K)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from apps.dicom.keys import BadKeyError, parse_keys
from apps.dicom.names import search_form
from apps.orders.models import Order
from apps.patients.models import Patient
from apps.worklist.datasets import Reader, answer, worklist_line
from apps.worklist.models import ScheduledStep
from tests.factories import (
    DeviceFactory,
    IssuerFactory,
    PatientIdentifierFactory,
    RequestedProcedureFactory,
    ScheduledStepFactory,
)

pytestmark = pytest.mark.django_db
UTF8 = Reader(character_set="ISO_IR 192")
MORNING = datetime(2025, 7, 5, 9, 30, tzinfo=UTC)


def make(name: str = "", **fields: Any) -> ScheduledStep:
    """A step with devices by AE title and a patient by name."""
    titles: Iterable[str] = fields.pop("titles", ())
    step: ScheduledStep = ScheduledStepFactory.create(**{"starts_at": MORNING, **fields})
    step.devices.set([DeviceFactory.create(ae_title=title) for title in titles])
    if name:
        rename(step.requested_procedure.order.patient, name)
    return step


def rename(patient: Patient, name: str) -> None:
    groups = [*name.split("="), "", ""]
    family, _, given = groups[0].partition("^")
    patient.family_name, patient.given_name = family, given
    patient.ideographic_name, patient.phonetic_name = groups[1], groups[2]
    patient.search_name = search_form(name)
    patient.save()


def find(zone: timezone | None = None, **keys: str) -> set[ScheduledStep]:
    """Keys of the step go into the sequence, all others to the root."""
    query, step = Dataset(), Dataset()
    for keyword, value in keys.items():
        inside = keyword.startswith("Scheduled") or keyword == "Modality"
        setattr(step if inside else query, keyword, value)
    query.ScheduledProcedureStepSequence = Sequence([step])
    return set(ScheduledStep.objects.matching(parse_keys(query), zone=zone))


def test_no_key_finds_everything() -> None:
    steps = {make(), make()}
    assert find() == steps
    assert find(PatientName="", Modality="*") == steps


def test_any_of_several_ae_titles_matches() -> None:
    first, second = make(titles=["CT1", "CT2"]), make(titles=["MR1"])
    make(titles=["US1"])
    assert find(ScheduledStationAETitle="CT2") == {first}
    assert find(ScheduledStationAETitle=r"CT2\MR1") == {first, second}
    assert find(ScheduledStationAETitle="CT*") == {first}


def test_keys_at_the_root_are_tolerated() -> None:
    step = make(titles=["CT1"])
    make(titles=["MR1"], modality="MR")
    query = Dataset()
    query.ScheduledStationAETitle, query.Modality = "CT1", "CT"
    assert set(ScheduledStep.objects.matching(parse_keys(query))) == {step}


@pytest.mark.parametrize(
    "asked",
    ["MÜLLER^JÖRG", "müller^jörg", "Muller^Jorg", "MULLER*", "*^J*", "M?ller^J*", "*jorg"],
)
def test_names_match_without_case_and_accents(asked: str) -> None:
    step = make("Müller^Jörg")
    make("Mueller^Hans")
    assert find(PatientName=asked) == {step}


@pytest.mark.parametrize("asked", ["Yamada^Tarou", "山田*", "やまだ^たろう", "YAMADA*=山田*"])
def test_a_name_matches_on_each_of_its_groups(asked: str) -> None:
    step = make("Yamada^Tarou=山田^太郎=やまだ^たろう")
    make("Suzuki^Tarou=鈴木^太郎")
    assert find(PatientName=asked) == {step}


def test_wildcards_of_the_database_are_letters_here() -> None:
    step = make("A_B%C^D")
    make("AXBYC^D")
    assert find(PatientName="A_B%C*") == {step}


def test_a_patient_is_found_by_any_number() -> None:
    step = make()
    patient = step.requested_procedure.order.patient
    PatientIdentifierFactory.create(patient=patient, value="P1")
    other = IssuerFactory.create(namespace="OTHER")
    PatientIdentifierFactory.create(patient=patient, value="X9", issuer=other, preferred=False)
    make()
    assert find(PatientID="X9") == {step}
    assert find(PatientID="X9", IssuerOfPatientID="OTHER") == {step}
    assert find(PatientID="X9", IssuerOfPatientID="OPENPACS") == set()


@pytest.mark.parametrize(
    ("day", "clock", "found"),
    [
        ("20250705", "", True),
        ("20250704", "", False),
        ("20250701-20250705", "", True),
        ("20250706-", "", False),
        ("-20250705", "", True),
        ("", "0900-1000", True),
        ("", "1000-", False),
        ("", "-1200", True),
        ("", "2200-1000", True),
        ("", "2200-0600", False),
        ("20250705", "0900-1000", True),
        # Both ranges are one period: from the 4th 10:00 to the 6th 08:00 (PS3.4 table K.6-1).
        ("20250704-20250706", "1000-0800", True),
        ("20250705-20250707", "1000-1800", False),
        ("20250704", "2200-1000", True),
    ],
)
def test_dates_and_times_are_ranges(day: str, clock: str, found: bool) -> None:
    make()
    steps = find(ScheduledProcedureStepStartDate=day, ScheduledProcedureStepStartTime=clock)
    assert bool(steps) is found


def test_a_query_may_say_its_own_time_zone() -> None:
    make()  # 09:30 UTC is 23:30 of the day before in Honolulu
    honolulu = timezone(timedelta(hours=-10))
    assert find(honolulu, ScheduledProcedureStepStartDate="20250704")
    assert find(honolulu, ScheduledProcedureStepStartTime="2300-2359")
    assert not find(honolulu, ScheduledProcedureStepStartDate="20250705")


@pytest.mark.parametrize("value", ["yesterday", "2025070512345", "20250799"])
def test_a_date_that_is_none_is_refused(value: str) -> None:
    query = Dataset()
    step = Dataset()
    step.add_new("ScheduledProcedureStepStartDate", "LO", value)
    query.ScheduledProcedureStepSequence = Sequence([step])
    with pytest.raises(BadKeyError):
        ScheduledStep.objects.matching(parse_keys(query))


def test_other_keys_match_as_text() -> None:
    step = make(station_name="STN1", performing_physician="Röntgen^Wilhelm")
    make(station_name="STN2", performing_physician="Curie^Marie")
    order = step.requested_procedure.order
    assert find(AccessionNumber=order.accession_number) == {step}
    assert find(StudyInstanceUID=step.requested_procedure.study_instance_uid) == {step}
    assert find(ScheduledProcedureStepID=step.identifier) == {step}
    assert find(ScheduledStationName="*1") == {step}
    assert find(ScheduledPerformingPhysicianName="curie*") != {step}


def test_what_is_over_or_on_hold_is_not_on_the_worklist() -> None:
    now = datetime.now(UTC)
    waiting = make()
    fresh = make(status="STARTED", started_at=now - timedelta(minutes=5))
    make(status="STARTED", started_at=now - timedelta(minutes=15))
    make(status="COMPLETED", started_at=now, ended_at=now)
    make(status="CANCELED")
    held = make()
    Order.objects.filter(pk=held.requested_procedure.order_id).update(status="held")
    assert set(ScheduledStep.objects.on_worklist(grace=timedelta(minutes=10))) == {waiting, fresh}


def test_a_device_may_be_shown_its_own_steps_only() -> None:
    mine = make(titles=["CT1"])
    make(titles=["CT2"])
    device = mine.devices.get()
    device.only_own_steps = True
    assert set(ScheduledStep.objects.shown_to(device, [])) == {mine}


def test_answering_takes_the_same_number_of_queries_for_any_worklist(
    django_assert_num_queries: Any,
) -> None:
    def ask() -> None:
        for step in ScheduledStep.objects.matching([]).with_identity():
            worklist_line(step)

    make(titles=["A1"])
    with django_assert_num_queries(3):
        ask()
    for number in range(10):
        step = make(titles=[f"B{number}"])
        PatientIdentifierFactory.create(patient=step.requested_procedure.order.patient)
    with django_assert_num_queries(4):  # and the issuers of the identifiers
        ask()


def test_an_answer_has_every_key_that_was_asked_for() -> None:
    requested = RequestedProcedureFactory.create(code="CTH", meaning="CT of the head")
    step = make(requested_procedure=requested, protocol_code="P7", protocol_scheme="99X")
    query = Dataset()
    query.PatientName = query.PatientWeight = query.PregnancyStatus = None
    query.RequestedProcedureCodeSequence = Sequence([Dataset()])
    query.ReferencedStudySequence = Sequence()
    item = Dataset()
    code = Dataset()
    code.CodeValue = ""
    item.ScheduledProtocolCodeSequence = Sequence([code])
    query.ScheduledProcedureStepSequence = Sequence([item])
    got = answer(step, query, reader=UTF8)
    assert set(got.keys()) == set(query.keys())
    assert got.RequestedProcedureCodeSequence[0].CodeMeaning == "CT of the head"
    (protocol,) = got.ScheduledProcedureStepSequence[0].ScheduledProtocolCodeSequence
    assert [element.keyword for element in protocol] == ["CodeValue"]
    assert protocol.CodeValue == "P7"
    assert len(got.ReferencedStudySequence) == 0


@pytest.mark.parametrize(
    ("character_set", "name", "declared"),
    [
        ("ISO_IR 192", "Yamada^Tarou=山田^太郎", "ISO_IR 192"),
        (r"\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎", ["", "ISO 2022 IR 87"]),
        ("ISO_IR 100", "Yamada^Tarou", None),
        ("ISO_IR 6", "Yamada^Tarou", None),
    ],
)
def test_a_name_comes_in_what_the_device_can_read(
    character_set: str, name: str, declared: Any
) -> None:
    step = make("Yamada^Tarou=山田^太郎")
    asked = Dataset()
    asked.PatientName = ""
    got = answer(step, asked, reader=Reader(character_set=character_set))
    assert got.PatientName == name
    assert got.get("SpecificCharacterSet") == declared


def test_a_latin_name_loses_its_accents_for_a_device_without_them() -> None:
    asked = Dataset()
    asked.PatientName = ""
    got = answer(make("Müller^Jörg"), asked, reader=Reader(character_set="ISO_IR 6"))
    assert got.PatientName == "Muller^Jorg"


def test_a_long_name_is_cut_at_a_word() -> None:
    step = make("A" * 50 + " " + "B" * 13 + "^" + "C" * 20)
    asked = Dataset()
    asked.PatientName = ""
    got = answer(step, asked, reader=UTF8)
    assert str(got.PatientName) == "A" * 50 + " " + "B" * 13


def test_a_date_of_birth_known_to_the_year_is_left_empty() -> None:
    step = make()
    patient = step.requested_procedure.order.patient
    patient.birth_precision = Patient.Precision.YEAR
    patient.save()
    assert worklist_line(step).PatientBirthDate == ""
