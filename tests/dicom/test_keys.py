"""Matching keys of a query identifier."""

import pytest
from pydicom.dataset import Dataset

from apps.dicom.keys import BadKeyError, Key, Matching, make_key, parse_keys
from apps.dicom.lookups import like_pattern


def test_each_kind_of_matching_is_recognised() -> None:
    asked = Dataset()
    asked.PatientID = "4711"
    asked.PatientName = "DOE**^J?"
    asked.StudyDate = "20240101-20240131"
    asked.StudyTime = ""
    asked.StudyInstanceUID = ["1.2", "1.3"]
    asked.AccessionNumber = "*"
    asked.NumberOfStudyRelatedSeries = None
    keys = {key.name: (key.matching, key.values) for key in parse_keys(asked)}
    assert keys == {
        "PatientID": (Matching.SINGLE, ("4711",)),
        "PatientName": (Matching.WILDCARD, ("DOE*^J?",)),
        "StudyDate": (Matching.RANGE, ("20240101-20240131",)),
        "StudyTime": (Matching.UNIVERSAL, ()),
        "StudyInstanceUID": (Matching.LIST, ("1.2", "1.3")),
        "AccessionNumber": (Matching.UNIVERSAL, ()),
        "NumberOfStudyRelatedSeries": (Matching.UNIVERSAL, ()),
    }


def test_keys_in_a_sequence_carry_its_path() -> None:
    step = Dataset()
    step.Modality = "CT"
    asked = Dataset()
    asked.ScheduledProcedureStepSequence = [step]
    asked.RequestedProcedureCodeSequence = []
    assert parse_keys(asked) == [
        Key(("RequestedProcedureCodeSequence",), "SQ", Matching.UNIVERSAL),
        Key(("ScheduledProcedureStepSequence", "Modality"), "CS", Matching.SINGLE, ("CT",)),
    ]


def test_a_dash_before_an_offset_from_utc_is_no_range() -> None:
    assert make_key(["AcquisitionDateTime"], ["20240517-0500"]).matching is Matching.SINGLE
    assert make_key(["AcquisitionDateTime"], ["20240517-20240518"]).matching is Matching.RANGE


def test_a_star_in_a_uid_is_no_wildcard() -> None:
    assert make_key(["StudyInstanceUID"], ["1.2.*"]).matching is Matching.SINGLE


def test_excessive_keys_are_refused() -> None:
    with pytest.raises(BadKeyError, match="PatientID: too long"):
        make_key(["PatientID"], ["?" * 10_000])
    nested = Dataset()
    for _ in range(12):
        outer = Dataset()
        outer.RequestAttributesSequence = [nested]
        nested = outer
        nested.PatientID = "1"
    with pytest.raises(BadKeyError, match="nested too deeply"):
        parse_keys(nested)


def test_only_the_wildcards_of_dicom_are_wild() -> None:
    assert like_pattern("50%_a\\*?") == "50\\%\\_a\\\\%_"
