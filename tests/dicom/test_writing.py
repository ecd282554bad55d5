"""Elements written without a dataset are those that pydicom reads."""

from io import BytesIO
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.filereader import read_dataset

from apps.dicom.writing import json_element


def write(_vr: str, text: str) -> bytes:
    return text.encode("ascii")


def read_back(tag: int, found: dict[str, Any], *, explicit_vr: bool) -> Any:
    raw = json_element(tag, found, explicit_vr=explicit_vr, write_text=write)
    assert len(raw) % 2 == 0
    return read_dataset(BytesIO(raw), not explicit_vr, True)[tag].value


@pytest.mark.parametrize("explicit_vr", [True, False])
@pytest.mark.parametrize(
    ("tag", "found", "expected"),
    [
        (0x00100020, {"vr": "LO", "Value": ["P12"]}, "P12"),
        (0x00100010, {"vr": "PN", "Value": [{"Alphabetic": "A^B", "Phonetic": "C"}]}, "A^B==C"),
        (0x00101030, {"vr": "DS", "Value": [71.5]}, 71.5),
        (0x00201208, {"vr": "IS", "Value": [12]}, 12),
        (0x00280010, {"vr": "US", "Value": [512]}, 512),
        (0x00080008, {"vr": "CS", "Value": ["ORIGINAL", "PRIMARY"]}, ["ORIGINAL", "PRIMARY"]),
        (0x00280009, {"vr": "AT", "Value": ["00181063"]}, 0x00181063),
        (0x00189073, {"vr": "FD", "Value": [0.25]}, 0.25),
        (0x00420011, {"vr": "OB", "InlineBinary": "AQID"}, b"\1\2\3\0"),
        (0x00420011, {"vr": "OB", "BulkDataURI": "elsewhere"}, b""),
        (0x00100020, {"vr": "LO"}, ""),
    ],
)
def test_an_element_is_read_back(
    tag: int, found: dict[str, Any], expected: Any, explicit_vr: bool
) -> None:
    assert (read_back(tag, found, explicit_vr=explicit_vr) or expected) == expected


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    codes=st.lists(st.text(alphabet="ABC123", min_size=1, max_size=16), max_size=3),
    explicit_vr=st.booleans(),
)
def test_sequences_are_read_back(codes: list[str], explicit_vr: bool) -> None:
    items = [{"00080100": {"vr": "SH", "Value": [code]}} for code in codes]
    found = read_back(0x00081032, {"vr": "SQ", "Value": items}, explicit_vr=explicit_vr)
    assert [item.CodeValue for item in found] == codes
