"""Finding workitems by their keys (PS3.4 CC.2.8)."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.services import Origin
from apps.dicom.keys import BadKeyError, make_key
from apps.workitems import services
from apps.workitems.attributes import code
from apps.workitems.models import Workitem
from tests.workitems.samples import dataset, planned, station

pytestmark = pytest.mark.django_db
BY = Origin(protocol="test")
STATION = "ScheduledStationNameCodeSequence"


@pytest.fixture(autouse=True)
def _worklist() -> None:
    """Three workitems, labelled A, B and C."""
    first = planned(
        ProcedureStepLabel="A",
        PatientName={"Alphabetic": "Müller^Jörg", "Ideographic": "山田^太郎"},
        PatientID="P1",
        IssuerOfPatientID="HOSPITAL",
        PatientBirthDate="19800517",
        PatientSex="M",
        AdmissionID="V1",
        StudyInstanceUID="1.2.3",
        ExpectedCompletionDateTime="20260601090000",
        ScheduledStationNameCodeSequence=[code("AI1", "L", "One"), code("AI2", "99X", "Two")],
        ReferencedRequestSequence=dataset(
            AccessionNumber="ACC1",
            RequestedProcedureID="RP1",
            IssuerOfAccessionNumberSequence=dataset(LocalNamespaceEntityID="RIS"),
        ),
    )
    second = planned(
        ProcedureStepLabel="B",
        ScheduledProcedureStepPriority="HIGH",
        ScheduledProcedureStepStartDateTime="20260602100000+0200",
        PatientName={"Alphabetic": "Miller^Anna"},
        WorklistLabel="CAD",
        ScheduledStationNameCodeSequence=station("AI3"),
        ScheduledHumanPerformersSequence=dataset(
            HumanPerformerCodeSequence=code("DOC7", "L", "Doctor Seven"),
            HumanPerformerName={"Alphabetic": "Seven^Dr"},
        ),
    )
    third = planned(
        ProcedureStepLabel="C",
        ScheduledProcedureStepStartDateTime="20260715",
        InputReadinessState="INCOMPLETE",
    )
    for one in (first, second, third):
        services.create_workitem(one, origin=BY)


def found(**asked: str) -> str:
    keys = [
        make_key(name.replace("__", ".").split("."), value.split("|"))
        for name, value in asked.items()
    ]
    rows = Workitem.objects.matching(keys).order_by("label")
    return "".join(rows.values_list("label", flat=True))


@pytest.mark.parametrize(
    ("name", "value", "labels"),
    [
        ("ProcedureStepState", "SCHEDULED", "ABC"),
        ("ProcedureStepState", "IN PROGRESS|COMPLETED", ""),
        ("ProcedureStepLabel", "[AB]", ""),
        ("ProcedureStepLabel", "?", "ABC"),
        ("ScheduledProcedureStepPriority", "HIGH", "B"),
        ("WorklistLabel", "C*", "B"),
        ("InputReadinessState", "INCOMPLETE", "C"),
        ("PatientName", "müller^jörg*", "A"),
        ("PatientName", "M*", "AB"),
        ("PatientID", "P1", "A"),
        ("IssuerOfPatientID", "HOSPITAL", "A"),
        ("PatientBirthDate", "19800101-19801231", "A"),
        ("PatientSex", "M", "A"),
        ("AdmissionID", "V1", "A"),
        ("StudyInstanceUID", "1.2.3|1.2.4", "A"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.34.6.1", "ABC"),
        ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2", ""),
        ("ScheduledProcedureStepStartDateTime", "20260601", "A"),
        ("ScheduledProcedureStepStartDateTime", "202606", "AB"),
        ("ScheduledProcedureStepStartDateTime", "20260602080000-", "BC"),
        ("ScheduledProcedureStepStartDateTime", "-20260602080000+0000", "AB"),
        ("ScheduledProcedureStepStartDateTime", "20260602100000+0200", "B"),
        ("ScheduledProcedureStepStartDateTime", "00010101000000+1400-99991231", "ABC"),
        ("ExpectedCompletionDateTime", "2026", "A"),
        ("ScheduledProcedureStepModificationDateTime", "2020-", "ABC"),
        (f"{STATION}.CodeValue", "AI1", "A"),
        (f"{STATION}.CodeValue", "AI?", "AB"),
        (f"{STATION}.CodeMeaning", "Two", "A"),
        ("ScheduledHumanPerformersSequence.HumanPerformerCodeSequence.CodeValue", "DOC7", "B"),
        ("ScheduledHumanPerformersSequence.HumanPerformerName", "seven*", "B"),
        ("ReferencedRequestSequence.AccessionNumber", "ACC1", "A"),
        ("ReferencedRequestSequence.RequestedProcedureID", "RP1", "A"),
        (
            "ReferencedRequestSequence.IssuerOfAccessionNumberSequence.LocalNamespaceEntityID",
            "RIS",
            "A",
        ),
    ],
)
def test_workitems_are_found_by(name: str, value: str, labels: str) -> None:
    assert found(**{name: value}) == labels


@pytest.mark.parametrize(("scheme", "labels"), [("99X", "A"), ("L", "")])
def test_keys_within_a_sequence_have_to_fit_in_one_item(scheme: str, labels: str) -> None:
    asked = {f"{STATION}.CodeValue": "AI2", f"{STATION}.CodingSchemeDesignator": scheme}
    assert found(**asked) == labels


def test_keys_that_cannot_be_asked_for_are_named() -> None:
    with pytest.raises(BadKeyError, match="PatientAge"):
        found(PatientAge="050Y")
    with pytest.raises(BadKeyError, match="not a date and time"):
        found(ScheduledProcedureStepStartDateTime="tomorrow")


def test_one_question_is_one_query_however_many_are_found() -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert found(**{f"{STATION}.CodeValue": "AI*", "ProcedureStepState": "SCHEDULED"})
    assert len(queries) == 1
