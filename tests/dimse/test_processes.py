"""Several listener processes on one port, as real processes."""

import os
import signal
import socket
import struct
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.dimse.running import Running, answer_of, department, is_gone
from tests.waiting import wait_for

pytestmark = pytest.mark.alike

RELEASE = struct.pack(">BxL4x", 5, 4)


@pytest.mark.fault
def test_processes_share_the_port_and_the_limits(tmp_path: Path) -> None:
    with department(tmp_path, "--processes", "3") as running:
        children = running.wait_for_children(3)
        crowd = [accepted(running) for _ in range(6)]
        owners = Counter(running.owner(one) for one in crowd)
        assert set(owners) == set(children)
        assert max(owners.values()) <= 4
        # The device may have six, wherever they are.
        begun = time.monotonic()
        assert answer_of(running.associate()) == bytes((3, 0, 0, 0, 0, 4, 0, 2, 3, 2))
        assert time.monotonic() - begun < 1

        # A child is killed: what it held is free again, and another takes its place.
        victim = running.owner(crowd[0])
        os.kill(victim, signal.SIGKILL)
        running.wait_for("is replaced")
        assert answer_of(running.associate())[0] == 2
        assert victim not in running.wait_for_children(3)
        survivor = next(one for one in crowd if running.owner_or_none(one))
        survivor.sendall(RELEASE)
        assert answer_of(survivor)[0] == 6

        one_child_stops_alone(running)
        begun = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=10) == 0
        assert time.monotonic() - begun < 5


def accepted(running: Running) -> socket.socket:
    """One after another: of a crowd that comes at once, whoever is quick may take two."""
    association = running.associate()
    assert answer_of(association)[0] == 2
    return association


def one_child_stops_alone(running: Running) -> None:
    """The port stays open for all."""
    os.kill(running.children()[0], signal.SIGTERM)
    running.wait_for(r"ended \(0\) and is replaced")
    assert answer_of(running.associate())[0] == 2


@pytest.mark.fault
def test_children_end_with_their_parent(tmp_path: Path) -> None:
    with department(tmp_path, "--processes", "2", device=False) as running:
        children = running.wait_for_children(2)
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
        wait_for(lambda: all(map(is_gone, children)))
