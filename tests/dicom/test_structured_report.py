"""Structured reports as pages and as text: every kind of content, nothing unescaped."""

import warnings
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from apps.dicom.rendering.reports import WORDS, as_html, as_text
from apps.dicom.structured_report import MOST_ITEMS, TooLongError, content_of


def code(meaning: str, value: str = "1", scheme: str = "99TEST") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return [item]


def item(kind: str, name: str = "Name", relation: str = "CONTAINS", **values: Any) -> Dataset:
    made = Dataset()
    made.ValueType, made.RelationshipType = kind, relation
    made.ConceptNameCodeSequence = code(name)
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def report(*items: Dataset) -> Dataset:
    root = item("CONTAINER", "Report")
    root.ContentSequence = list(items)
    root.PatientName, root.PatientID = "Müller^Jörg", "P1"
    return root


def number(value: str, unit: list[Dataset], **values: Any) -> Dataset:
    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = value, unit
    return item("NUM", MeasuredValueSequence=[measured], **values)


def referenced(**values: Any) -> list[Dataset]:
    made = Dataset()
    made.ReferencedSOPClassUID, made.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3"
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return [made]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (item("TEXT", TextValue="one\r\ntwo"), "one\ntwo"),
        (item("CODE", ConceptCodeSequence=code("Left lung")), "Left lung"),
        (number("12.5", code("millimeter", "mm", "UCUM")), "12.5 mm"),
        (number("3", code("no units", "1", "UCUM")), "3"),
        (number("3", code("counts", "{counts}", "UCUM")), "3 counts"),
        (item("NUM", NumericValueQualifierCodeSequence=code("Not measured")), "Not measured"),
        (item("DATETIME", DateTime="20260517101500+0200"), "2026-05-17 10:15:00"),
        (item("DATE", Date="20260517"), "2026-05-17"),
        (item("TIME", Time="101500"), "10:15:00"),
        (item("TIME", Time="nonsense"), "nonsense"),
        (item("UIDREF", UID="1.2.3"), "1.2.3"),
        (item("PNAME", PersonName="House^Gregory"), "House Gregory"),
        (item("COMPOSITE", ReferencedSOPSequence=referenced()), "CT Image 1.2.3"),
        (
            item("IMAGE", ReferencedSOPSequence=referenced(ReferencedFrameNumber=[1, 2])),
            "CT Image 1.2.3, frame 1, 2",
        ),
        (item("SCOORD", GraphicType="POINT", GraphicData=[1.5, 2]), "point (1.5, 2)"),
        (item("SCOORD3D", GraphicType="POINT", GraphicData=[1, 2, 3]), "point (1, 2, 3)"),
        (
            item("TCOORD", TemporalRangeType="SEGMENT", ReferencedTimeOffsets=["1", "2"]),
            "segment 1, 2",
        ),
        (item("TEXT"), ""),
    ],
)
def test_every_kind_of_content_has_a_value_to_read(content: Dataset, expected: str) -> None:
    (found,) = content_of(report(content)).children
    assert (found.name, found.value, found.place) == ("Name", expected, "1.1")


def test_a_page_shows_the_tree_and_escapes_all_of_it() -> None:
    nested = item("CONTAINER", "Findings <b>")
    nested.ContentSequence = [
        item("TEXT", "Remark", TextValue="<img src=x onerror=alert(1)>"),
        item("TEXT", "Why", "INFERRED FROM", TextValue="seen"),
    ]
    pointer = Dataset()
    pointer.RelationshipType, pointer.ReferencedContentItemIdentifier = "SELECTED FROM", [1, 1]
    sheet = report(nested, pointer)
    sheet.PatientName = "<script>^alert"
    page = as_html(sheet, WORDS)
    assert "<img" not in page
    assert "<script" not in page
    assert "<h2>Findings &lt;b&gt;</h2>" in page
    assert "Inferred from:" in page
    assert "href='#item-1-1'" in page
    text = as_text(sheet, WORDS)
    assert "  Remark: <img" in text
    assert "See item 1.1" in text


def test_reports_without_end_are_refused() -> None:
    deep = item("CONTAINER")
    for _ in range(100):
        above = item("CONTAINER")
        above.ContentSequence = [deep]
        deep = above
    with pytest.raises(TooLongError):
        content_of(deep)
    wide = report()
    one = item("TEXT", TextValue="x")
    wide.ContentSequence = [one] * (MOST_ITEMS + 1)
    with pytest.raises(TooLongError):
        content_of(wide)


@pytest.mark.samples
def test_all_sample_reports_become_pages_with_all_their_texts(samples: Path) -> None:
    seen = 0
    for path in sorted((samples / "dicom").rglob("*")):
        if not path.is_file():
            continue
        with warnings.catch_warnings(action="ignore"):
            dataset = dcmread(path, force=True, stop_before_pixels=True)
            kind = str(dataset.get("SOPClassUID") or "")
            if not kind.startswith("1.2.840.10008.5.1.4.1.1.88."):
                continue
            page, text = as_html(dataset, WORDS), as_text(dataset, WORDS)
            seen += 1
            assert page.count("<li") == page.count("</li>")
            for one in dataset.iterall():
                if one.keyword == "TextValue" and one.value:
                    assert str(one.value).strip().split()[0] in text
    assert seen >= 15
