"""Headers that are alike become the JSON that each of them becomes by itself."""

import dataclasses
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from apps.dicom.alike import PATTERNS, AlikeHeaders, Kind, UnlikeError
from apps.dicom.header import explicit, read_header
from apps.dicom.json import to_json
from tests.dicom.objects import ct_image, part10

HERE = "/dicom-web/studies/1/series/2/instances/3"
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]


def header(syntax: str = ExplicitVRLittleEndian, **values: Any) -> bytes:
    return read_header(part10(ct_image(**values), syntax=syntax)).data


def alone(data: bytes, kind: Kind) -> Any:
    return to_json(
        data,
        explicit_vr=explicit(kind.transfer_syntax_uid),
        bulk_uri=lambda path: f"{HERE}/bulkdata/{path}",
        bulk_tags=dict(kind.emptied),
    )


def check(headers: list[bytes], kind: Kind) -> None:
    alike = AlikeHeaders()
    for data in [*headers, *reversed(headers)]:
        made = orjson.loads(alike.write(data, kind, HERE))
        assert made == alone(data, kind)
        assert list(made) == sorted(made)


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "PatientName": st.sampled_from(["A^B", "Müller^Jörg", 'O"Neill\\', ""]),
        "InstanceNumber": st.one_of(st.integers(0, 10**6), st.just(None)),
        "SliceLocation": st.sampled_from(["1", "-1.5", "+1e3", " 12.250", "0.1234567890123", ""]),
        "ImagePositionPatient": st.sampled_from([["1", "2", "3"], ["-1.0", "2.25", "1e-3"]]),
        "ImageType": st.sampled_from([["ORIGINAL", "PRIMARY"], ["DERIVED"], ["", "X"]]),
        "ContentTime": st.sampled_from(["101010", "101010.123 ", ""]),
        "SeriesDescription": st.sampled_from(["Axial", 'a"b/', "Schädel", "x" * 30]),
        "PixelRepresentation": st.sampled_from([0, 1]),
        "SmallestImagePixelValue": st.sampled_from([0, 7]),
        "SpecificCharacterSet": st.sampled_from(["ISO_IR 192", "ISO_IR 100"]),
        "ICCProfile": st.sampled_from([b"ab", bytes(20_000), bytes(100)]),
        "TriggerTime": st.sampled_from(["12", None]),
    },
)


@settings(max_examples=25)
@given(st.lists(VALUES, min_size=2, max_size=6), st.sampled_from(SYNTAXES))
def test_headers_become_what_each_becomes_alone(values: list[dict[str, Any]], syntax: str) -> None:
    check([header(syntax, **one) for one in values], Kind(syntax))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_group_lengths_stay_out_though_they_vary(syntax: str) -> None:
    def with_lengths(number: int) -> bytes:
        form = b"UL\x04\0" if syntax == ExplicitVRLittleEndian else b"\x04\0\0\0"
        group_length = b"\x08\0\0\0" + form + bytes([number, 0, 0, 0])
        return group_length + header(syntax, **UIDS)

    check([with_lengths(number) for number in (1, 2, 3)], Kind(syntax))


UIDS = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3", "SOPInstanceUID": "1.4"}


def test_sequences_and_their_bulk_data_may_differ() -> None:
    def with_waveform(size: int) -> bytes:
        item = Dataset()
        item.WaveformData = bytes(size)
        item["WaveformData"].VR = "OW"
        return header(WaveformSequence=[item])

    check([with_waveform(size) for size in (10, 20_000, 30_000, 20_000)], Kind(SYNTAXES[0]))


def test_private_attributes_are_read_by_their_creator() -> None:
    def with_private(creator: str, value: str) -> bytes:
        dataset = ct_image()
        dataset.private_block(0x0019, creator, create=True).add_new(0x01, "UN", value.encode())
        return read_header(part10(dataset)).data

    known, unknown = "SIEMENS MR HEADER", "NOBODY"
    check([with_private(one, "12") for one in (known, unknown, known, unknown)], Kind(SYNTAXES[0]))


def test_what_is_added_stands_in_its_place() -> None:
    alike = AlikeHeaders()
    added = ((0x00083002, b'{"vr":"UI","Value":["1.2"]}'), (0x7FE00010, b'{"vr":"OW"}'))
    kind = Kind(SYNTAXES[0], ((0x00282000, "OB"),), added)
    made = orjson.loads(alike.write(header(ICCProfile=b""), kind, HERE))
    assert list(made) == sorted(made)
    assert made["7FE00010"] == {"vr": "OW"}
    assert made["00282000"] == {"vr": "OB", "BulkDataURI": f"{HERE}/bulkdata/00282000"}


def test_a_text_that_looks_like_an_address_is_left_alone() -> None:
    alike, kind = AlikeHeaders(), Kind(SYNTAXES[0])
    for text in ("{address}", HERE, "/bulkdata/00282000"):
        made = orjson.loads(alike.write(header(StudyDescription=text), kind, HERE))
        assert made["00081030"]["Value"] == [text]


def test_odd_headers_are_not_forced_into_a_pattern() -> None:
    alike, kind = AlikeHeaders(), Kind(SYNTAXES[0])
    plain = header()
    for odd in (plain + plain[:20], header(StudyInstanceUID=None)):
        with pytest.raises(UnlikeError):
            alike.write(odd, kind, HERE)
    added = dataclasses.replace(kind, added=((0x00100010, b"{}"),))
    with pytest.raises(UnlikeError):
        alike.write(plain, added, HERE)


def test_many_kinds_of_headers_take_turns() -> None:
    kinds = [{"TriggerTime": "1"}, {"EchoTime": "2"}, {"FlipAngle": "3"}, {"ImageType": "A"}, {}]
    assert len(kinds) > PATTERNS
    check([header(**kind) for kind in kinds] * 3, Kind(SYNTAXES[0]))
