"""The DICOMDIR: kinds of records, what is made up where objects say too little."""

import io

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from apps.dicom.media import Directory, file_front, file_id, record_type
from apps.dicom.uids import new_uid
from tests.dicom.objects import ct_image

KINDS = {
    "1.2.840.10008.5.1.4.1.1.2": "IMAGE",
    "1.2.840.10008.5.1.4.1.1.66.4": "IMAGE",  # segmentation
    "1.2.840.10008.5.1.4.1.1.88.11": "SR DOCUMENT",
    "1.2.840.10008.5.1.4.1.1.88.67": "SR DOCUMENT",  # radiation dose
    "1.2.840.10008.5.1.4.1.1.88.59": "KEY OBJECT DOC",
    "1.2.840.10008.5.1.4.1.1.11.1": "PRESENTATION",
    "1.2.840.10008.5.1.4.1.1.104.1": "ENCAP DOC",
    "1.2.840.10008.5.1.4.1.1.481.3": "RT STRUCTURE SET",
    "1.2.840.10008.5.1.4.1.1.481.5": "RT PLAN",
    "1.2.840.10008.5.1.4.1.1.9.1.1": "WAVEFORM",
    "1.2.840.10008.5.1.4.1.1.66.1": "REGISTRATION",
    "1.2.3.4": "IMAGE",  # somebody's own
}


def read(directory: Directory) -> Dataset:
    return dcmread(io.BytesIO(directory.encoded()))


@pytest.mark.parametrize(("sop_class", "kind"), KINDS.items())
def test_every_kind_of_object_has_its_record(sop_class: str, kind: str) -> None:
    assert record_type(sop_class) == kind
    directory = Directory("TEST")
    directory.add(ct_image(SOPClassUID=sop_class), file_id(1, 1, 1), "1.2.840.10008.1.2.1")
    records = read(directory).DirectoryRecordSequence
    assert [record.DirectoryRecordType for record in records] == [
        "PATIENT",
        "STUDY",
        "SERIES",
        kind,
    ]
    assert records[3].ReferencedFileID == ["DICOM", "ST000001", "SE000001", "IM000001"]


def test_offsets_lead_from_record_to_record() -> None:
    directory = Directory("TEST")
    study = new_uid()
    for number in (1, 2):
        image = ct_image(StudyInstanceUID=study, InstanceNumber=number)
        directory.add(image, file_id(1, number, 1), "1.2.840.10008.1.2.1")
    found = read(directory)
    by_offset = {record.seq_item_tell: record for record in found.DirectoryRecordSequence}
    position = found.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity
    for kind in ("PATIENT", "STUDY", "SERIES", "IMAGE"):
        assert by_offset[position].DirectoryRecordType == kind
        position = by_offset[position].OffsetOfReferencedLowerLevelDirectoryEntity
    series = [one for one in by_offset.values() if one.DirectoryRecordType == "SERIES"]
    following = by_offset[series[0].OffsetOfTheNextDirectoryRecord]
    assert following.SeriesInstanceUID == series[1].SeriesInstanceUID
    assert series[1].OffsetOfTheNextDirectoryRecord == 0


def test_what_records_must_have_is_made_up() -> None:
    bare = ct_image(PatientID="", StudyDate=None, StudyID=None, SeriesNumber=None, Modality="")
    directory = Directory("TEST")
    directory.add(bare, file_id(1, 1, 1), "1.2.840.10008.1.2.1")
    patient, study, series, _image = read(directory).DirectoryRecordSequence
    assert (patient.PatientID, study.StudyDate, study.StudyID) == ("UNKNOWN", "19000101", "1")
    assert (series.Modality, series.SeriesNumber) == ("OT", 0)


def test_an_empty_directory_can_be_read() -> None:
    found = read(Directory("TEST"))
    assert (found.FileSetID, len(found.DirectoryRecordSequence)) == ("TEST", 0)


def test_an_object_without_a_study_is_not_listed() -> None:
    with pytest.raises(AttributeError):
        Directory("TEST").add(ct_image(StudyInstanceUID=None), "A", "1.2.840.10008.1.2.1")


def test_a_file_begins_with_an_empty_preamble() -> None:
    front = file_front("1.2.840.10008.5.1.4.1.1.2", "2.25.1", "1.2.840.10008.1.2.1")
    assert front[:132] == b"\0" * 128 + b"DICM"
    meta = dcmread(io.BytesIO(front)).file_meta
    assert meta.MediaStorageSOPInstanceUID == "2.25.1"
