"""The header walk: what it reads, what it leaves to pydicom, what it refuses."""

import io
import random
import struct
import time
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
)

from apps.dicom import header as header_module
from apps.dicom.frames import frame_table
from apps.dicom.header import Header, UnreadableError, read_header
from tests.dicom.objects import ct_image, part10

NAME = 0x00100010


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, "1.2.840.10008.1.2.1"])
def test_the_walk_reads_both_forms_of_vr_by_itself(
    monkeypatch: pytest.MonkeyPatch, syntax: str
) -> None:
    monkeypatch.setattr(header_module, "_read_with_pydicom", None)
    image = ct_image(RequestAttributesSequence=[ct_image(PixelData=None)])
    content = part10(image, syntax=syntax)
    header = read_header(content)
    assert header.text(NAME) == "Müller^Jörg"
    assert header.source == "CT1"
    assert header.integer(0x00280010) == 4
    assert header.integer(0x00200013) == 1
    assert header.pixels is not None
    assert content[header.pixels.offset :][:48] == image.PixelData


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_big_endian_and_deflated_headers_come_out_little_endian(syntax: str) -> None:
    header = read_header(part10(ct_image(), syntax=syntax))
    assert header.text(NAME) == "Müller^Jörg"
    assert header.integer(0x00280010) == 4
    assert header.transfer_syntax_uid == syntax
    assert header.pixels is None


def test_an_implicit_data_set_under_an_explicit_label_is_read() -> None:
    content = part10(ct_image(), syntax=ImplicitVRLittleEndian)
    mislabelled = content.replace(b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.1\0"[:18])
    wrong = mislabelled if mislabelled != content else content
    assert read_header(wrong).text(NAME) == "Müller^Jörg"


def test_large_values_stay_in_the_file() -> None:
    content = part10(ct_image(EncapsulatedDocument=b"x" * 100_000))
    header = read_header(content)
    ((tag, vr, offset, length),) = header.bulk
    assert (tag, vr) == (0x00420011, "OB")
    assert content[offset : offset + length] == b"x" * 100_000
    assert len(header.data) < 2000


def nested(depth: int) -> bytes:
    """A file of `depth` sequences within one another, all of undefined length."""
    opening = struct.pack("<HH2sHL", 0x0040, 0x0275, b"SQ", 0, 0xFFFFFFFF)
    opening += struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    closing = struct.pack("<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    content = part10(ct_image(PixelData=None))
    return content + opening * depth + closing * depth


def test_deep_nesting_is_refused_quickly() -> None:
    assert read_header(nested(30)).text(NAME)
    for depth in (100, 1000, 20_000):
        began = time.monotonic()
        with pytest.raises(UnreadableError, match="nested deeper"):
            read_header(nested(depth))
        assert time.monotonic() - began < 1


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize("missing", [1, 5, 40])
def test_a_file_that_ends_within_a_value_is_refused(syntax: str, missing: int) -> None:
    plan = ct_image(PixelData=None)
    plan.add_new(0x300A0003, "ST", "long " * 20)
    content = part10(plan, syntax=syntax)
    assert read_header(content).text(NAME)
    with pytest.raises(UnreadableError, match="cut off"):
        read_header(content[:-missing])


def deflated(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return engine.compress(data) + engine.flush()


def test_a_deflate_bomb_is_refused_before_it_goes_off() -> None:
    content = part10(ct_image(), syntax=DeflatedExplicitVRLittleEndian)
    start = read_header(content).dataset_offset
    with pytest.raises(UnreadableError, match="inflates to more"):
        read_header(content[:start] + deflated(bytes(64 << 20)))


def test_pixels_that_inflate_a_thousandfold_are_never_inflated() -> None:
    content = part10(ct_image(), syntax=DeflatedExplicitVRLittleEndian)
    start = read_header(content).dataset_offset
    front = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content[start:])
    front = front[: front.index(b"\xe0\x7f\x10\0OW\0\0")]
    pixels = b"\xe0\x7f\x10\0OW\0\0" + (64 << 20).to_bytes(4, "little") + bytes(64 << 20)
    bomb = content[:start] + deflated(front + pixels)
    tracemalloc.start()
    header = read_header(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert header.text(NAME)
    assert header.pixels is None
    assert peak < 8 << 20


@pytest.mark.filterwarnings("ignore")
def test_no_damage_makes_the_walk_fail_in_another_way() -> None:
    content = part10(ct_image(RequestAttributesSequence=[ct_image(PixelData=None)]))
    chance = random.Random(20260517)
    for _ in range(1500):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(132, len(damaged))] = chance.randrange(256)
        cut = damaged[: chance.randint(0, len(damaged))] if chance.random() < 0.3 else damaged
        try:
            found = read_header(bytes(cut))
        except UnreadableError:
            continue
        found.text(NAME)
        frame_table(bytes(cut), found)


def table_of(image: Dataset, syntax: str) -> tuple[bytes, Header, Any]:
    image["PixelData"].is_undefined_length = True
    image["PixelData"].VR = "OB"
    content = part10(image, syntax=syntax)
    header = read_header(content)
    return content, header, frame_table(content, header)


STREAMS = [b"\xff\xd8" + bytes([number]) * (20 + 2 * number) for number in range(4)]


@pytest.mark.parametrize("fragments", [1, 2])
@pytest.mark.parametrize("has_bot", [True, False])
def test_encapsulated_frames_are_found_with_and_without_a_table(
    fragments: int, has_bot: bool
) -> None:
    encoded = encapsulate(STREAMS, fragments_per_frame=fragments, has_bot=has_bot)
    image = ct_image(NumberOfFrames=4, PixelData=encoded)
    content, _, table = table_of(image, JPEGBaseline8Bit)
    found = [
        b"".join(content[o : o + n] for o, n in zip(spans[::2], spans[1::2], strict=True))
        for spans in table
    ]
    assert [one[: len(stream)] for one, stream in zip(found, STREAMS, strict=True)] == STREAMS


def test_the_extended_table_is_believed() -> None:
    encoded, offsets, lengths = encapsulate_extended(STREAMS)
    image = ct_image(
        NumberOfFrames=4,
        PixelData=encoded,
        ExtendedOffsetTable=offsets,
        ExtendedOffsetTableLengths=lengths,
    )
    content, _, table = table_of(image, JPEG2000Lossless)
    assert [content[offset : offset + length] for offset, length in table] == STREAMS


def test_a_table_that_lies_is_not_believed() -> None:
    encoded = bytearray(encapsulate(STREAMS))
    encoded[12:16] = b"\x07\0\0\0"
    _, _, table = table_of(ct_image(NumberOfFrames=4, PixelData=bytes(encoded)), JPEGBaseline8Bit)
    assert len(table) == 4


def test_native_frames_are_counted_out() -> None:
    frames = np.arange(72, dtype="<u2").tobytes()
    content = part10(ct_image(NumberOfFrames=3, PixelData=frames))
    table = frame_table(content, read_header(content))
    assert table is not None
    assert b"".join(content[o : o + n] for o, n in table) == frames
    cut = content[:-10]
    assert frame_table(cut, read_header(cut)) is None
    assert io.BytesIO(content).read(4) == bytes(4)
