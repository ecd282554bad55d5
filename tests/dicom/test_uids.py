"""Unique identifiers."""

import pytest

from apps.dicom.uids import new_uid, valid_uid


def test_new_uids_are_valid_and_differ() -> None:
    made = {new_uid() for _ in range(100)}
    assert len(made) == 100
    assert all(valid_uid(uid) and uid.startswith("2.25.") for uid in made)


@pytest.mark.parametrize(
    "text", ["", ".", "1..2", "1.2.", "../../etc/passwd", "1.2\n", "1." + "2" * 64, "1.2 "]
)
def test_what_is_no_uid_is_not_taken_for_one(text: str) -> None:
    assert not valid_uid(text)
