"""MLLP framing: bytes in, messages out, wherever the reads were split."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.hl7.mllp import FrameReader, FramingError, frame

MESSAGE = b"MSH|^~\\&|HIS|HOSP\rPID|1||98765\r"


@pytest.mark.parametrize("split", range(len(frame(MESSAGE)) + 1))
def test_a_frame_is_found_at_every_split_point(split: int) -> None:
    reader, data = FrameReader(), frame(MESSAGE)
    assert reader.feed(data[:split]) + reader.feed(data[split:]) == [MESSAGE]


def test_a_frame_may_come_byte_by_byte() -> None:
    reader = FrameReader()
    found = [one for byte in frame(MESSAGE) * 2 for one in reader.feed(bytes([byte]))]
    assert found == [MESSAGE, MESSAGE]


def test_many_frames_may_come_in_one_read() -> None:
    assert FrameReader().feed(frame(b"a") + frame(b"b") + b"\r\n" + frame(b"c")) == [
        b"a",
        b"b",
        b"c",
    ]


@given(
    messages=st.lists(
        st.binary(max_size=60).map(lambda raw: raw.replace(b"\x0b", b"")), max_size=5
    ),
    cuts=st.lists(st.integers(min_value=0, max_value=400), max_size=8),
)
def test_cutting_the_stream_anywhere_changes_nothing(
    messages: list[bytes], cuts: list[int]
) -> None:
    messages = [one.replace(b"\x1c", b"") for one in messages]
    stream = b"".join(frame(one) for one in messages)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = FrameReader()
    found: list[bytes] = []
    for start, end in itertools.pairwise(edges):
        found += reader.feed(stream[start:end])
    assert found == messages


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b" ", b"\x1c\r"])
def test_bytes_before_the_start_are_no_mllp(garbage: bytes) -> None:
    with pytest.raises(FramingError):
        FrameReader().feed(garbage)


def test_a_start_within_a_message_is_no_mllp() -> None:
    reader = FrameReader()
    reader.feed(b"\x0bMSH|")
    with pytest.raises(FramingError):
        reader.feed(frame(MESSAGE))


def test_a_message_over_the_limit_is_refused_before_it_is_whole() -> None:
    reader = FrameReader(limit=10)
    assert reader.feed(frame(b"x" * 10)) == [b"x" * 10]
    with pytest.raises(FramingError):
        reader.feed(b"\x0b" + b"x" * 12)


def test_an_unfinished_message_is_not_given_out() -> None:
    reader = FrameReader()
    assert reader.feed(b"\x0bMSH|^~\\&\r\x1c") == []
    assert reader.in_frame
