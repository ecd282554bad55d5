"""The Basic Profile and its options, attribute by attribute."""

import csv
import io
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from apps.dicom.confidentiality import HERE, Action, Option, attribute_rule, content_rule
from apps.dicom.deidentifying import Deidentifier
from apps.dicom.scrubbing import scrubbed, shifted
from apps.dicom.uids import valid_uid
from tests.dicom.objects import ct_image, part10

SECRET = b"s" * 32
WORD = "Zyxcanary"
DIGITS = "86753"
MOMENTS = {"DA": "19660713", "TM": "235911.86753", "DT": "19660713235911.86753"}
NUMBERS = {
    "IS": DIGITS,
    "DS": f"{DIGITS}.25",
    "AS": "867Y",
    "CS": "ZYXCANARY",
    "UI": "1.2.3.86753.9",
}
BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


def nameless(dataset: Dataset, *options: Option, patient: str = "1") -> Dataset:
    Deidentifier(options, SECRET).apply(dataset, patient=patient)
    return dataset


def canary(vr: str) -> Any:
    """A value that must not survive, by VR."""
    if vr in BYTES:
        return (WORD + "8").encode()
    if vr == "SQ":
        inner = Dataset()
        inner.PatientName = inner.TextValue = f"{WORD} inside"
        inner.ReferencedSOPInstanceUID = NUMBERS["UI"]
        inner.ContentDate = MOMENTS["DA"]
        return Sequence([inner])
    if vr in ("US", "SS", "UL", "SL", "FL", "FD", "SV", "UV"):
        return 7
    return MOMENTS.get(vr) or NUMBERS.get(vr) or f"{WORD}"


def listed() -> list[tuple[int, str]]:
    with (HERE / "confidentiality.csv").open() as table:
        tags = [row["tag"] for row in csv.DictReader(table)]
    plain = [int(tag, 16) for tag in tags if set(tag) <= set("0123456789abcdef")]
    return [
        (tag, dictionary_VR(tag)) for tag in plain if tag > 0x0002FFFF and dictionary_has_tag(tag)
    ]


def written(dataset: Dataset) -> bytes:
    return part10(dataset)


def assert_nothing_survives(data: bytes) -> None:
    plain = data.lower()
    for word in (WORD, DIGITS, MOMENTS["DA"], "235911"):
        assert word.lower().encode() not in plain, word
    shown = str(dcmread(io.BytesIO(data))).lower()
    assert WORD.lower() not in shown


def test_nothing_planted_in_a_listed_attribute_survives() -> None:
    tags = listed()
    assert len(tags) > 600
    dataset = ct_image()
    for tag, vr in tags:
        dataset[tag] = DataElement(tag, vr.split(" ")[0], canary(vr.split(" ")[0]))
    assert_nothing_survives(written(nameless(dataset)))


def test_nothing_planted_in_nested_items_survives() -> None:
    dataset, inner, deepest = ct_image(), Dataset(), Dataset()
    for tag, vr in listed():
        if vr != "SQ":
            deepest[tag] = DataElement(tag, vr.split(" ")[0], canary(vr.split(" ")[0]))
    inner.ReferencedSeriesSequence = Sequence([deepest])
    dataset.ReferencedStudySequence = Sequence([inner])
    dataset.SharedFunctionalGroupsSequence = Sequence([deepest])
    assert_nothing_survives(written(nameless(dataset)))


@pytest.mark.parametrize(
    "vr",
    [
        "LO",
        "SH",
        "LT",
        "ST",
        "UT",
        "UC",
        "PN",
        "DA",
        "TM",
        "DT",
        "UN",
        "OB",
        "UI",
        "CS",
        "IS",
        "DS",
        "AE",
        "AS",
    ],
)
def test_nothing_private_survives(vr: str) -> None:
    dataset = ct_image()
    block = dataset.private_block(0x0029, f"{WORD} 1.0", create=True)
    block.add_new(0x01, vr, canary(vr))
    dataset.add_new(0x7FE10010, "LO", WORD)  # behind the pixels
    dataset.add_new(0x7FE11010, vr, canary(vr))
    made = nameless(dataset)
    assert_nothing_survives(written(made))
    assert not any(element.tag.is_private for element in made)


@pytest.mark.parametrize(
    "keyword", ["FilterMaterial", "ProtocolName", "Manufacturer", "ScanOptions"]
)
def test_words_of_the_patient_are_taken_out_of_texts_that_stay(keyword: str) -> None:
    dataset = ct_image(PatientName=f"{WORD}^Anna", **{keyword: f"Made for {WORD}"})
    made = nameless(dataset, Option.CLEAN_DESCRIPTORS)
    assert WORD.lower() not in str(made).lower()


def test_attributes_that_no_table_names_are_treated_by_their_kind() -> None:
    dataset = ct_image()
    dataset.add_new(0x00190010, "LO", "SOMEBODY")
    dataset.add_new(0x0018FFF1, "LO", WORD)  # in no dictionary
    dataset.OperatorsName = f"{WORD}^B"
    dataset.PixelDataProviderURL = f"http://{WORD}.example"
    assert_nothing_survives(written(nameless(dataset)))


def test_overlays_curves_and_padding_are_gone() -> None:
    dataset = ct_image()
    dataset.add_new(0x60000010, "US", 4)
    dataset.add_new(0x60003000, "OW", WORD.encode() + b"8")
    dataset.add_new(0x60000022, "LO", WORD)
    dataset.add_new(0x50003000, "OW", WORD.encode() + b"8")
    dataset.add_new(0xFFFCFFFC, "OB", WORD.encode() + b"8")
    made = nameless(dataset)
    assert_nothing_survives(written(made))
    assert not any(element.tag.group & 0xFF00 in (0x5000, 0x6000) for element in made)


def test_an_object_says_that_it_is_nameless_and_how() -> None:
    made = nameless(ct_image(), Option.MODIFIED_DATES, Option.RETAIN_PATIENT)
    assert made.PatientIdentityRemoved == "YES"
    assert made.LongitudinalTemporalInformationModified == "MODIFIED"
    codes = [item.CodeValue for item in made.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113108", "113107"]
    assert made.PatientName == made.PatientID != ""


def test_the_pixels_stay_as_they_were() -> None:
    dataset = ct_image()
    before = dataset.PixelData
    assert nameless(dataset).PixelData == before


def test_references_between_objects_hold() -> None:
    first, second = ct_image(), ct_image()
    item = Dataset()
    item.ReferencedSOPClassUID = first.SOPClassUID
    item.ReferencedSOPInstanceUID = first.SOPInstanceUID
    second.ReferencedImageSequence = Sequence([item])
    made, other = nameless(first), nameless(second)
    found = other.ReferencedImageSequence[0]
    assert found.ReferencedSOPInstanceUID == made.SOPInstanceUID
    assert found.ReferencedSOPClassUID == made.SOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert valid_uid(made.SOPInstanceUID)


def test_another_secret_makes_other_uids_codes_and_days() -> None:
    one, other = Deidentifier([], SECRET), Deidentifier([], b"t" * 32)
    assert one.uid("1.2.3") != other.uid("1.2.3")
    assert one.code("1") != other.code("1")
    assert one.code("1") == Deidentifier([], SECRET).code("1") != one.code("2")


def test_moved_dates_keep_their_distance() -> None:
    dataset = ct_image(StudyDate="20260301", SeriesDate="20260303")
    made = nameless(dataset, Option.MODIFIED_DATES)
    assert made.StudyDate < "20260301"
    assert int(made.SeriesDate) - int(made.StudyDate) in (2, 71, 72, 73, 8872)  # over a month's end
    assert made.StudyTime == "101500"
    assert not made.PatientBirthDate


def test_options_keep_what_they_say() -> None:
    values = {"PatientAge": "046Y", "InstitutionName": "Mercy", "StationName": "CT07"}
    kept = nameless(
        ct_image(**values),
        Option.RETAIN_PATIENT,
        Option.RETAIN_INSTITUTION,
        Option.RETAIN_DEVICE,
        Option.FULL_DATES,
        Option.RETAIN_UIDS,
    )
    assert {name: kept[name].value for name in values} == values
    assert (kept.StudyDate, kept.PatientSex) == ("20260517", "M")
    plain = nameless(ct_image(**values))
    assert all(plain.get(name) not in values.values() for name in values)
    assert not plain.StudyDate


def test_descriptions_are_cleaned_not_kept() -> None:
    text = "Chest of Müller, Jörg, born 17.05.1980, see 0815-4711"
    made = nameless(ct_image(StudyDescription=text), Option.CLEAN_DESCRIPTORS)
    assert made.StudyDescription == "Chest of #, #, born #, see #-#"


def test_safe_private_attributes_stay_where_that_was_chosen() -> None:
    dataset = ct_image()
    block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x00, "DS", "0.5")
    block.add_new(0x03, "ST", WORD)
    made = nameless(dataset, Option.RETAIN_SAFE_PRIVATE)
    assert made[0x70531000].value == 0.5
    assert 0x70531003 not in made


def test_content_of_reports_goes_by_its_concept_names() -> None:
    def item(code: str, scheme: str, text: str) -> Dataset:
        name, made = Dataset(), Dataset()
        name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = code, scheme, "x"
        made.ValueType, made.TextValue = "TEXT", text
        made.ConceptNameCodeSequence = Sequence([name])
        return made

    report = ct_image()
    items = [item("121022", "DCM", WORD), item("121071", "DCM", "Clear lungs")]
    report.ContentSequence = Sequence(items)
    made = nameless(report, Option.CLEAN_CONTENT, Option.CLEAN_DESCRIPTORS)
    assert WORD not in str(made)
    assert "Clear lungs" in str(made)


def test_the_tables_are_whole() -> None:
    rule = attribute_rule(0x00100010)
    assert rule is not None
    assert rule.basic is Action.EMPTY
    assert attribute_rule(0x00280010) is None
    assert attribute_rule(0x60020022) is attribute_rule(0x60003000)
    content = content_rule("DCM", "121022")
    assert content is not None
    assert content.basic is Action.REMOVE


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Muster and co", "# and co"),
        ("call 0049 123456", "call # #"),
        ("mail a.b@example.org now", "mail # now"),
        ("CT of 3 mm", "CT of 3 mm"),
        ("", ""),
    ],
)
def test_what_may_tell_something_is_masked(text: str, left: str) -> None:
    assert scrubbed(text, {"muster"}) == left


@pytest.mark.parametrize(
    ("value", "moved"),
    [("20260301", "20260228"), ("20260101101500.5", "20251231101500.5"), ("2026", ""), ("x", "")],
)
def test_dates_are_moved(value: str, moved: str) -> None:
    assert shifted(value, 1) == moved
