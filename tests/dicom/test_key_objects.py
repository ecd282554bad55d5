"""Key Object Selection Documents, written and read."""

import io
import subprocess
import warnings
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage

from apps.dicom.json import JsonDataset
from apps.dicom.key_objects import (
    KEY_OBJECTS,
    TITLES,
    Mark,
    Referenced,
    Selection,
    key_object_file,
    read_key_objects,
)
from apps.dicom.sop_classes import is_derived
from apps.dicom.uids import new_uid

ABOUT = {
    "PatientName": "Müller^Jörg",
    "PatientID": "P1",
    "PatientBirthDate": "19800517",
    "PatientSex": "M",
    "StudyInstanceUID": "2.25.1",
    "StudyDate": "20260517",
    "StudyTime": "101500",
    "StudyID": "1",
    "AccessionNumber": "A1",
    "ReferringPhysicianName": "House^Gregory",
}


def selection(*marks: Mark, **fields: Any) -> Selection:
    images = [
        Referenced(mark, CTImageStorage, f"2.25.9{len(mark.sop_instance_uid)}") for mark in marks
    ]
    given: dict[str, Any] = {
        "about": ABOUT,
        "series_instance_uid": "2.25.2",
        "sop_instance_uid": new_uid(),
        "series_number": 9500,
        "number": 1,
        "title": "113004",
        "author": "Röntgen^Wilhelm",
        "at": datetime(2026, 11, 26, 2, 0),  # noqa: DTZ001 - the local time of the department
        "images": images,
        **fields,
    }
    return Selection(**given)


def read(file: bytes) -> Dataset:
    return dcmread(io.BytesIO(file))


def as_json(dataset: Dataset) -> JsonDataset:
    made: JsonDataset = dataset.to_json_dict()
    return made


def test_what_is_written_is_read_again() -> None:
    marks = (Mark("2.25.31"), Mark("2.25.32", 1), Mark("2.25.32", 7))
    said = read_key_objects(as_json(read(key_object_file(selection(*marks)))))
    assert said.title == "113004"
    assert said.author == "Röntgen^Wilhelm"
    assert said.marks == marks


def test_the_evidence_names_every_object_once() -> None:
    marks = (Mark("2.25.31"), Mark("2.25.32", 1), Mark("2.25.32", 7), Mark("2.25.333"))
    dataset = read(key_object_file(selection(*marks)))
    (study,) = dataset.CurrentRequestedProcedureEvidenceSequence
    assert study.StudyInstanceUID == "2.25.1"
    named = [
        [one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence]
        for series in study.ReferencedSeriesSequence
    ]
    assert named == [["2.25.31", "2.25.32"], ["2.25.333"]]
    assert dataset.ContentTemplateSequence[0].TemplateIdentifier == "2010"


def test_a_document_of_another_maker_is_read() -> None:
    dataset = read(key_object_file(selection(Mark("2.25.31"))))
    for item in dataset.ContentSequence:
        if item.ValueType == "IMAGE":
            item.ReferencedSOPSequence[0].ReferencedFrameNumber = [2, 5]
    note = Dataset()
    note.RelationshipType, note.ValueType, note.TextValue = "CONTAINS", "TEXT", "look here"
    name = Dataset()
    name.CodeValue, name.CodingSchemeDesignator = "113012", "DCM"
    name.CodeMeaning = "Key Object Description"
    note.ConceptNameCodeSequence = [name]
    dataset.ContentSequence.append(note)
    said = read_key_objects(as_json(dataset))
    assert said.marks == (Mark("2.25.31", 2), Mark("2.25.31", 5))
    assert said.description == "look here"


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"0040A730": {"vr": "SQ"}},
        {"0040A730": {"vr": "SQ", "Value": [{}]}, "0040A043": {"vr": "SQ", "Value": []}},
        {"0040A730": {"vr": "SQ", "Value": [{"0040A040": {"vr": "CS", "Value": ["IMAGE"]}}]}},
    ],
)
def test_an_empty_document_marks_nothing(header: JsonDataset) -> None:
    assert read_key_objects(header).marks == ()


def test_rejection_notes_and_manifests_are_no_marks_of_a_reader() -> None:
    assert not {"113001", "113030", "113037", "113038", "113039"} & TITLES.keys()


def test_reports_speak_of_images_and_images_do_not() -> None:
    assert is_derived(KEY_OBJECTS)
    assert is_derived("1.2.840.10008.5.1.4.1.1.66.4")
    assert is_derived("1.2.840.10008.5.1.4.1.1.481.3")
    assert not is_derived(CTImageStorage)
    assert not is_derived("1.2.840.10008.5.1.4.1.1.66")  # raw data
    assert not is_derived("1.2.840.10008.5.1.4.1.1.481.2")  # dose


@pytest.mark.peer("dciodvfy", "dsrdump")
def test_foreign_programs_find_nothing_wrong(tmp_path: Path) -> None:
    path = tmp_path / "key.dcm"
    enhanced = selection(Mark("2.25.31"), Mark("2.25.32", 2))
    frames = replace(enhanced.images[1], sop_class_uid=EnhancedCTImageStorage)
    path.write_bytes(key_object_file(replace(enhanced, images=[enhanced.images[0], frames])))
    judged = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    assert [line for line in judged.stderr.splitlines() if "Error" in line] == []
    assert "KeyObjectSelectionDocument" in judged.stderr
    shown = subprocess.run(
        ["dsrdump", "+U8", str(path)], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert "For Teaching" in shown.stdout


def test_values_that_are_none_are_passed_on_without_noise() -> None:
    about = {**ABOUT, "PatientBirthDate": "17.5.80", "StudyDescription": "x" * 100}
    with warnings.catch_warnings(action="error"):
        file = key_object_file(selection(Mark("2.25.31"), about=about))
    assert b"17.5.80" in file
