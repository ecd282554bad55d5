"""Orthanc uses what we offer, as a workstation or another archive of a hospital does."""

import csv
from pathlib import Path
from typing import Any

import pytest

from apps.studies.models import Instance
from apps.studies.spool import Spool
from apps.worklist.models import Device, ScheduledStep
from tests.dimse.asking import keep
from tests.dimse.orthanc import Orthanc
from tests.dimse.receiving import receiver
from tests.factories import DeviceFactory, ScheduledStepFactory
from tests.waiting import wait_for

pytestmark = pytest.mark.peer("Orthanc")
HTJ2K = "1.2.840.10008.1.2.4.201"
NAMES = ["Müller^Jörg", "Miller^Anna", "Иванова^Анна"]


@pytest.fixture
def workstation(orthanc: Orthanc) -> Device:
    made: Device = DeviceFactory.create(
        ae_title="ORTHANC",
        host="127.0.0.1",
        port=orthanc.port,
        may_query=True,
        may_retrieve=True,
        may_receive=True,
    )
    return made


@pytest.fixture
def studies(workstation: Device, spool: Spool) -> None:
    """Three patients with a study each; the first has two series, of one and of two images."""
    made = [("1", "11", "111"), ("1", "12", "121"), ("1", "12", "122")]
    made += [("2", "21", "211"), ("3", "31", "311")]
    keep(
        spool,
        *(
            {
                "PatientID": f"P{study}",
                "PatientName": NAMES[int(study) - 1],
                "StudyInstanceUID": f"2.25.{study}",
                "SeriesInstanceUID": f"2.25.{series}",
                "SOPInstanceUID": f"2.25.{image}",
            }
            for study, series, image in made
        ),
    )


def found(orthanc: Orthanc, level: str, **keys: str) -> list[dict[str, Any]]:
    """The answers to a C-FIND of it, by the names of their attributes."""
    query = orthanc.call("/modalities/openpacs/query", {"Level": level, "Query": keys})
    answers: list[dict[str, Any]] = orthanc.call(f"{query['Path']}/answers?expand&simplify")
    return answers


def test_it_echoes(orthanc: Orthanc, workstation: Device) -> None:
    assert orthanc.call("/modalities/openpacs/echo", {}) == {}


@pytest.mark.usefixtures("studies")
def test_it_finds_patients_studies_and_series(orthanc: Orthanc) -> None:
    patients = found(orthanc, "Patient", PatientID="", PatientName="")
    assert sorted(one["PatientName"] for one in patients) == sorted(NAMES)
    (study,) = found(
        orthanc,
        "Study",
        PatientID="P1",
        StudyInstanceUID="",
        NumberOfStudyRelatedInstances="",
    )
    assert (study["StudyInstanceUID"], study["NumberOfStudyRelatedInstances"]) == ("2.25.1", "3")
    series = found(orthanc, "Series", StudyInstanceUID="2.25.1", SeriesInstanceUID="")
    assert sorted(one["SeriesInstanceUID"] for one in series) == ["2.25.11", "2.25.12"]


@pytest.mark.usefixtures("studies")
@pytest.mark.parametrize(
    ("asked", "name"), [("mül*", NAMES[0]), ("MULLER^JORG", NAMES[0]), ("M?ller^Anna", NAMES[1])]
)
def test_it_finds_names_with_and_without_accents(orthanc: Orthanc, asked: str, name: str) -> None:
    answers = found(orthanc, "Study", PatientName=asked)
    assert name in {one["PatientName"] for one in answers}
    assert NAMES[2] not in {one["PatientName"] for one in answers}


@pytest.mark.usefixtures("studies")
def test_it_has_a_study_sent_to_itself(orthanc: Orthanc) -> None:
    query = orthanc.call(
        "/modalities/openpacs/query", {"Level": "Study", "Query": {"StudyInstanceUID": "2.25.1"}}
    )
    orthanc.call(f"{query['Path']}/retrieve", b"ORTHANC")
    stored = orthanc.call("/instances?expand")
    uids = sorted(one["MainDicomTags"]["SOPInstanceUID"] for one in stored)
    assert uids == ["2.25.111", "2.25.121", "2.25.122"]
    (patient,) = orthanc.call("/patients?expand")
    assert patient["MainDicomTags"]["PatientName"] == NAMES[0]


@pytest.mark.usefixtures("studies")
def test_it_has_a_series_sent_to_somebody_else(orthanc: Orthanc) -> None:
    series = {"StudyInstanceUID": "2.25.1", "SeriesInstanceUID": "2.25.12"}
    with receiver() as third:
        third.device()
        asked = {"Level": "Series", "TargetAet": "DEST", "Resources": [series]}
        orthanc.call("/modalities/openpacs/move", {**asked, "Synchronous": True})
        assert sorted(third.uids) == ["2.25.121", "2.25.122"]
        assert third.originators[0][0] == "ORTHANC"
    assert orthanc.call("/instances") == []


@pytest.mark.samples
@pytest.mark.filterwarnings("ignore")
def test_it_stores_images_in_many_transfer_syntaxes(
    orthanc: Orthanc, workstation: Device, samples: Path
) -> None:
    chosen = one_of_each_syntax(samples)
    names = [
        orthanc.call("/instances", (samples / row["path"]).read_bytes())["ID"] for row in chosen
    ]
    told = orthanc.call("/modalities/openpacs/store", names)
    assert (told["InstancesCount"], told["FailedInstancesCount"]) == (len(chosen), 0)
    wanted = {row["sop_instance_uid"]: syntax_of(row) for row in chosen}
    assert len(wanted) > 10
    kept = Instance.objects.values_list("sop_instance_uid", "transfer_syntax_uid")
    wait_for(lambda: dict(kept.all()) == wanted)
    assert set(Instance.objects.values_list("source", flat=True)) == {"ORTHANC"}


def one_of_each_syntax(samples: Path) -> list[dict[str, str]]:
    """Compressed, plain and big endian: the first file of each that nothing is wrong with."""
    with (samples / "MANIFEST.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "dicom"]
    chosen: dict[str, dict[str, str]] = {}
    for row in rows:
        # Debian's Orthanc does not read High-Throughput JPEG 2000.
        usable = (
            row["expected"] == "must be accepted"
            and syntax_of(row) != HTJ2K
            and 0 < len(row["sop_instance_uid"]) <= 64
        )
        taken = {other["sop_instance_uid"] for other in chosen.values()}
        if usable and row["sop_instance_uid"] not in taken:
            chosen.setdefault(syntax_of(row), row)
    return list(chosen.values())


def syntax_of(row: dict[str, str]) -> str:
    return row["transfer_syntax_or_framing"].rpartition("(")[2].rstrip(")")


def test_it_reads_the_worklist(orthanc: Orthanc, workstation: Device) -> None:
    step: ScheduledStep = ScheduledStepFactory.create()
    other: ScheduledStep = ScheduledStepFactory.create(modality="MR")
    asked = {
        "PatientName": "",
        "AccessionNumber": "",
        "ScheduledProcedureStepSequence": [{"Modality": "CT", "ScheduledProcedureStepID": ""}],
    }
    (line,) = orthanc.call("/modalities/openpacs/find-worklist", asked)
    (item,) = line["ScheduledProcedureStepSequence"]
    assert item["ScheduledProcedureStepID"] == step.identifier != other.identifier
    assert line["AccessionNumber"] == step.requested_procedure.order.accession_number
