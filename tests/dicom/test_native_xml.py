"""DICOM JSON as the XML of the Native DICOM Model."""

import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from apps.dicom.native_xml import NAMESPACE, native_xml


def parsed(dataset: dict[str, Any]) -> ElementTree.Element:
    return ElementTree.fromstring(native_xml(dataset))


def content(element: ElementTree.Element, vr: str = "") -> list[Any]:
    """Tags without namespace, sorted attributes, text and children of a whole tree."""
    name, vr = element.tag.rpartition("}")[2], element.get("vr", vr)
    text = (element.text or "").strip()
    if name == "InlineBinary":
        text = "".join(text.split())  # DCMTK folds its lines
    if name == "Value" and vr in ("DS", "IS", "FL", "FD"):
        text = f"{float(text):.6g}"  # JSON does not keep how a number was written
    inner = [content(one, vr) for one in element]
    return [name, sorted(element.attrib.items()), text, *inner]


@pytest.mark.peer
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "reportsi.dcm"])
def test_it_is_what_dcmtk_writes(name: str) -> None:
    path = Path(str(get_testdata_file(name)))
    dataset = dcmread(path)
    skipped = {"PixelData", "DataSetTrailingPadding"}
    ours = parsed(
        {
            tag: value
            for tag, value in dataset.to_json_dict().items()
            if dataset[tag].keyword not in skipped
        }
    )
    said = subprocess.run(
        ["/usr/bin/dcm2xml", "-nat", "+Eb", "+Ca", "latin-1", str(path)],
        capture_output=True,
        check=True,
    ).stdout
    theirs = [
        one
        for one in ElementTree.fromstring(said)
        if one.get("keyword") not in skipped and not one.get("tag", "").startswith("0002")
    ]
    assert [content(one) for one in ours] == [content(one) for one in theirs]


def test_names_sequences_bulk_data_and_nothing_have_their_elements() -> None:
    root = parsed(
        {
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B^^Dr", "Phonetic": "f"}]},
            "00400275": {"vr": "SQ", "Value": [{"00400009": {"vr": "SH", "Value": ["S1"]}}]},
            "7FE00010": {"vr": "OW", "BulkDataURI": "/a?b=1&c=2"},
            "00104000": {"vr": "LT"},
            "00080008": {"vr": "CS", "Value": ["A", None, "C"]},
            "00090010": {"vr": "LO", "Value": ["MAKER"]},
            "00091001": {"vr": "OB", "InlineBinary": "AAE="},
        }
    )
    assert root.tag == f"{{{NAMESPACE}}}NativeDicomModel"
    kinds, creator, private, name, comments, steps, pixels = (content(one) for one in root)
    assert creator[1] == [("tag", "00090010"), ("vr", "LO")]
    assert [one[1:] for one in kinds[3:]] == [[[("number", "1")], "A"], [[("number", "3")], "C"]]
    assert private[1] == [("privateCreator", "MAKER"), ("tag", "00090001"), ("vr", "OB")]
    assert comments[3:] == []
    assert [(part[0], part[2]) for part in name[3][3][3:]] == [
        ("FamilyName", "A"),
        ("GivenName", "B"),
        ("NamePrefix", "Dr"),
    ]
    assert steps[3][3][1] == [
        ("keyword", "ScheduledProcedureStepID"),
        ("tag", "00400009"),
        ("vr", "SH"),
    ]
    assert pixels[3] == ["BulkData", [("uri", "/a?b=1&c=2")], ""]


def test_what_xml_cannot_write_is_replaced_and_markup_stays_text() -> None:
    hostile = '<script>&"\x00\x1b\ud800\r\n'
    (element,) = parsed({"00104000": {"vr": "LT", "Value": [hostile]}})
    assert element[0].text == '<script>&"\ufffd\ufffd\ufffd\r\n'
