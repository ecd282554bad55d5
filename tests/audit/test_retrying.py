"""How long rows wait that are tried until they succeed."""

from datetime import timedelta

from apps.audit.retrying import wait_after


def test_the_wait_doubles_up_to_ten_minutes() -> None:
    waits = [wait_after(attempts).total_seconds() for attempts in range(1, 11)]
    expected = [30, 60, 120, 240, 480, 600, 600, 600, 600, 600]
    for wait, middle in zip(waits, expected, strict=True):
        assert 0.79 * middle <= wait <= 1.21 * middle


def test_what_was_never_tried_or_very_often_has_a_wait_too() -> None:
    assert timedelta(seconds=7) < wait_after(0, first=timedelta(seconds=10)) < timedelta(seconds=13)
    assert wait_after(30000) < timedelta(minutes=13)
