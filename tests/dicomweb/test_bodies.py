"""The bytes of an answer are the same in one piece as piece by piece."""

from pathlib import Path

import pytest

from apps.dicomweb.multipart import bare, multipart
from apps.dicomweb.parts import Part, held_part, stored_part
from apps.studies.storage import StorageError, stored_files

pytestmark = pytest.mark.alike
KIND = "application/octet-stream"


@pytest.fixture
def name() -> str:
    """A file of 1,000 bytes in the storage."""
    path = Path(stored_files().path("frames/one.dcm"))  # type: ignore[attr-defined]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(range(250)) * 4)
    return "frames/one.dcm"


def test_frames_are_put_between_their_heads(name: str) -> None:
    parts = [
        stored_part(name, [10, 100], KIND),
        stored_part(name, [0, 5, 900, 7], KIND),
        held_part(b"held", KIND, "/where"),
    ]
    body = multipart(KIND, parts)
    whole = body.whole()
    assert whole == b"".join(body.chunks())
    assert len(whole) == body.length
    assert bytes(range(10, 110)) in whole


def test_one_part_is_the_whole_body(name: str) -> None:
    assert bare(stored_part(name, [3, 4], KIND)).whole() == bytes([3, 4, 5, 6])
    assert bare(held_part(b"", KIND)).whole() == b""


def test_a_file_that_ends_too_early_is_an_error_and_no_answer(name: str) -> None:
    with pytest.raises(StorageError, match="100 bytes where 101 should be"):
        bare(stored_part(name, [900, 101], KIND)).whole()


@pytest.mark.parametrize("read", [b"123", b"12345"])
def test_a_part_of_another_length_than_it_said_is_an_error(read: bytes) -> None:
    with pytest.raises(StorageError):
        bare(Part(KIND, 4, lambda _start, _end: [read])).whole()
