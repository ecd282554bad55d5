"""The table of running associations that several processes share."""

import contextlib
import os
import signal

import pytest

from apps.dimse.limits import Limits
from apps.dimse.slots import Slots


def slots(**limits: int) -> Slots:
    return Slots(Limits(**{"reserved": 0, **limits}))


def take(
    stack: contextlib.ExitStack,
    table: Slots,
    device: int,
    *,
    address: str = "10.0.0.1",
    at_most: int | None = None,
) -> bool:
    return stack.enter_context(table.taken(device=device, at_most=at_most, address=address))


@pytest.fixture
def stack() -> contextlib.ExitStack:
    return contextlib.ExitStack()


def test_no_more_than_the_whole(stack: contextlib.ExitStack) -> None:
    table = slots(associations=2)
    with stack:
        assert [take(stack, table, device) for device in (1, 2, 3)] == [True, True, False]
    with stack:
        assert take(stack, table, 3)


def test_no_more_than_an_address_may_have(stack: contextlib.ExitStack) -> None:
    table = slots(associations_per_address=1)
    with stack:
        assert take(stack, table, 1)
        assert not take(stack, table, 2)
        assert take(stack, table, 2, address="fe80::1")


def test_no_more_than_a_device_may_have(stack: contextlib.ExitStack) -> None:
    table = slots()
    with stack:
        assert take(stack, table, 1, at_most=1)
        assert not take(stack, table, 1, at_most=1)
        assert take(stack, table, 1 << 40, at_most=1)


def test_the_last_slots_are_for_devices_that_have_none(stack: contextlib.ExitStack) -> None:
    table = slots(associations=4, reserved=2)
    with stack:
        assert [take(stack, table, 1) for _ in range(3)] == [True, True, False]
        assert take(stack, table, 2)
        assert take(stack, table, 3)
        assert not take(stack, table, 4)


def test_processes_count_together_and_a_killed_one_leaves_nothing(
    stack: contextlib.ExitStack,
) -> None:
    table = slots(associations=1)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with table.taken(device=1, at_most=None, address="10.0.0.1"):
            os.write(writing, b"x")
            signal.pause()
        os._exit(0)
    os.close(writing)
    assert os.read(reading, 1) == b"x"
    os.close(reading)
    with stack:
        assert not take(stack, table, 2)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        table.forget(child)
        assert take(stack, table, 2)


def test_a_lock_ends_with_its_holder(stack: contextlib.ExitStack) -> None:
    table = slots()
    child = os.fork()
    if child == 0:
        with table._locked():
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    with stack:
        assert take(stack, table, 1)


def test_who_has_more_to_do_steps_back(stack: contextlib.ExitStack) -> None:
    table = slots()
    table.enter()
    with stack:
        assert not table.is_busier()
        assert take(stack, table, 1)
        assert not table.is_busier()  # there is nobody else
        child = os.fork()
        if child == 0:
            table.enter()
            os._exit(int(table.is_busier()))
        assert os.waitpid(child, 0)[1] == 0
        assert table.is_busier()
        table.forget(child)
        assert not table.is_busier()
