"""What is written down only now and then."""

from functools import partial

import pytest

from apps.audit.throttle import Throttle


def test_the_throttle_holds_for_a_key_and_for_all() -> None:
    throttle = Throttle(seconds=60, per_hour=3, keys=2)
    assert [throttle.passes(key) for key in "aabcd"] == [True, False, True, True, False]


def test_what_is_done_once_is_not_done_again_and_what_failed_is() -> None:
    throttle = Throttle(seconds=60, per_hour=10)
    done: list[str] = []

    def fail() -> None:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - it says no more
        throttle.once("a", fail)
    for key in "aab":
        throttle.once(key, partial(done.append, key))
    assert done == ["a", "b"]


def test_who_comes_while_it_is_done_does_it_too() -> None:
    throttle = Throttle(seconds=60, per_hour=10)
    done: list[int] = []

    def both() -> None:
        throttle.once("a", partial(done.append, 2))
        done.append(1)

    throttle.once("a", both)
    assert done == [2, 1]
