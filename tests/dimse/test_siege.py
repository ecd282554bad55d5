"""A listener under attack, as a real process: it serves who is known, in bounded memory."""

import contextlib
import itertools
import os
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.dimse.pdus import associate_rq
from tests.dimse.running import ECHO, Running, answer_of, department
from tests.dimse.test_hostile import command, pdv

pytestmark = pytest.mark.alike

CT = "1.2.840.10008.5.1.4.1.1.2"
FIND, WORKLIST = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.31"
MPPS = "1.2.840.10008.3.1.2.3.3"
DEFLATED = "1.2.840.10008.1.2.1.99"
CANARY = b"CANARY^NAME"
STORE, QUERY, CREATE = 0x0001, 0x0020, 0x0140
MOST_KIB = 128 * 1024
Attack = Callable[[Running], None]


def begun(running: Running, sop_class: str, *, syntax: str = "") -> socket.socket:
    connection = running.connect()
    request = associate_rq(sop_class)
    if syntax:
        request = with_syntax(request, syntax)
    connection.sendall(request)
    assert answer_of(connection)[0] == 2
    return connection


def with_syntax(request: bytes, syntax: str) -> bytes:
    """The request with another transfer syntax than implicit, lengths mended."""
    old = struct.pack(">BxH", 0x40, 17) + b"1.2.840.10008.1.2"
    new = struct.pack(">BxH", 0x40, len(syntax)) + syntax.encode()
    more = len(new) - len(old)
    at = request.index(b"\x20\x00", 74)
    (length,) = struct.unpack_from(">H", request, at + 2)
    mended = request[: at + 2] + struct.pack(">H", length + more) + request[at + 4 :]
    mended = mended.replace(old, new)
    return mended[:2] + struct.pack(">L", len(mended) - 6) + mended[6:]


def send(connection: socket.socket, request: bytes, data: bytes, *, ends: bool = True) -> bytes:
    """One message, and what is said to it until it is over."""
    with contextlib.suppress(ConnectionError):
        connection.sendall(pdv(0x03, request))
        for position in range(0, len(data), 16000):
            last = ends and position + 16000 >= len(data)
            connection.sendall(pdv(0x02 if last else 0, data[position : position + 16000]))
    connection.settimeout(20)
    with contextlib.suppress(ConnectionError, TimeoutError):
        return connection.recv(65536)
    return b""


def echoes(connection: socket.socket) -> bool:
    """C-ECHO: a command that says that no data set follows."""
    with_data, without = (struct.pack("<HHLH", 0, 0x0800, 2, kind) for kind in (0, 0x0101))
    connection.sendall(pdv(0x03, command(0x0030, ECHO).replace(with_data, without)))
    return struct.pack("<HHLH", 0, 0x0900, 2, 0) in connection.recv(4096)


def uids(instance: str) -> bytes:
    """The front of a CT image, implicit."""
    uid = instance.encode() + b"\0" * (len(instance) % 2)
    raw = b"\x08\0\x16\0" + struct.pack("<L", 26) + CT.encode() + b"\0"
    return raw + b"\x08\0\x18\0" + struct.pack("<L", len(uid)) + uid


def nested(depth: int) -> bytes:
    return b"\x08\0\x40\x11\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" * depth


def named() -> bytes:
    return b"\x10\0\x10\0" + struct.pack("<L", len(CANARY) + 1) + CANARY + b" "


def a_pdu_of_a_gigabyte(running: Running) -> None:
    for kind, connection in ((1, running.connect()), (4, begun(running, ECHO))):
        with contextlib.suppress(ConnectionError):
            connection.sendall(struct.pack(">BxL", kind, 1 << 30))
            for _ in range(64):
                connection.sendall(bytes(1 << 17))


def a_message_that_never_ends(running: Running) -> None:
    for sop_class, field in ((FIND, QUERY), (WORKLIST, QUERY), (MPPS, CREATE)):
        connection = begun(running, sop_class)
        send(connection, command(field, sop_class), bytes(12 << 20), ends=False)


def deep_sequences(running: Running) -> None:
    for depth, (sop_class, field) in itertools.product(
        (240, 20_000), ((FIND, QUERY), (WORKLIST, QUERY), (MPPS, CREATE))
    ):
        said = send(
            begun(running, sop_class),
            command(field, sop_class, instance="2.25.77"),
            named() + nested(depth),
        )
        assert said[:1] in (b"\x04", b"\x07"), (depth, sop_class)
        assert struct.pack("<HHLH", 0, 0x0900, 2, 0) not in said


def a_million_elements(running: Running) -> None:
    data = struct.pack("<HHL", 0x0009, 0x1001, 0) * 1_000_000
    for sop_class, field in ((FIND, QUERY), (WORKLIST, QUERY), (MPPS, CREATE)):
        said = send(begun(running, sop_class), command(field, sop_class), data)
        assert said[:1] == b"\x04"
        assert struct.pack("<HHLH", 0, 0x0900, 2, 0) not in said


def deep_objects(running: Running) -> None:
    """They are kept as they are: nothing looks into them here."""
    for number, depth in enumerate((240, 20_000), start=500):
        instance = f"2.25.{number}"
        said = send(
            begun(running, CT),
            command(STORE, CT, instance=instance),
            uids(instance) + named() + nested(depth),
        )
        assert struct.pack("<HHLH", 0, 0x0900, 2, 0) in said


def a_deflated_bomb(running: Running) -> None:
    front = b"\x08\0\x16\0UI\x1a\0" + CT.encode() + b"\0" + b"\x08\0\x18\0UI\x06\x002.25.9"
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = squeezer.compress(front + b"\xe0\x7f\x10\0OW\0\0" + struct.pack("<L", 300 << 20))
    data += b"".join(squeezer.compress(bytes(1 << 20)) for _ in range(300)) + squeezer.flush()
    assert len(data) < 320_000
    connection = begun(running, CT, syntax=DEFLATED)
    said = send(connection, command(STORE, CT, instance="2.25.9"), data)
    assert struct.pack("<HHLH", 0, 0x0900, 2, 0) in said


def garbage(running: Running) -> None:
    for _ in range(20):
        with contextlib.suppress(ConnectionError):
            running.connect().sendall(os.urandom(5000))
    for _ in range(5):
        connection = begun(running, CT)
        with contextlib.suppress(ConnectionError):
            connection.sendall(os.urandom(5000))


def hostile_names(running: Running) -> None:
    for name in ("../../escaped", "2.25.1/../../escaped", "/tmp/escaped", "2.25.1\0/escaped"):
        send(begun(running, CT), command(STORE, CT, instance=name), uids(name) + named())
    connection = running.connect()
    connection.sendall(associate_rq(ECHO, calling="../../escaped", called="../escaped"))
    assert answer_of(connection)[0] == 3


ATTACKS: tuple[Attack, ...] = (
    a_pdu_of_a_gigabyte,
    a_message_that_never_ends,
    deep_sequences,
    a_million_elements,
    deep_objects,
    a_deflated_bomb,
    garbage,
    hostile_names,
)


def drip(connections: list[socket.socket], stopped: threading.Event) -> None:
    """One byte of an A-ASSOCIATE-RQ now and then, on each."""
    for byte in associate_rq(ECHO):
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sendall(bytes([byte]))
        if stopped.wait(0.2):
            return


def serve_while_besieged(running: Running) -> None:
    """250 connections that say nothing or next to nothing; a device still gets through."""
    crowd = [running.connect() for _ in range(250)]
    stopped = threading.Event()
    dripping = threading.Thread(target=drip, args=(crowd[:50], stopped))
    dripping.start()
    for _ in range(5):
        start = time.monotonic()
        connection = begun(running, ECHO)
        assert echoes(connection)
        assert time.monotonic() - start < 5
        connection.close()
    stopped.set()
    dripping.join()
    for connection in crowd:
        connection.close()


def crowd_out(running: Running) -> None:
    """More associations than the device may have: refused at once, the others go on."""
    crowd = [begun(running, ECHO) for _ in range(6)]
    for _ in range(20):
        start = time.monotonic()
        connection = running.connect()
        connection.sendall(associate_rq(ECHO))
        assert answer_of(connection) == bytes((3, 0, 0, 0, 0, 4, 0, 2, 3, 2))
        assert time.monotonic() - start < 1
    for connection in crowd:
        assert echoes(connection)
        connection.close()


@pytest.mark.fault
def test_a_siege_is_survived(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with department(home, "--processes", "2") as running:
        children = running.wait_for_children(2)
        for _ in range(4):  # what every process has to have done once
            send(begun(running, FIND), command(QUERY, FIND), named())
        before, files = running.peak_memory(), set(tmp_path.rglob("*"))
        for step in (serve_while_besieged, crowd_out, *ATTACKS):
            running.close()
            time.sleep(0.2)  # what was hung up on is seen to be
            step(running)
        rise = {child: peak - before[child] for child, peak in running.peak_memory().items()}
        assert set(rise) == set(children)  # nobody had to be replaced
        assert max(rise.values()) < MOST_KIB, rise
        new = {path for path in set(tmp_path.rglob("*")) - files if path.suffix != ".part"}
        assert len([path for path in new if path.parent.name == "incoming"]) == 3
        assert not [path for path in new if "escaped" in path.name or ".." in path.name]
        assert not Path("/tmp/escaped").exists()
        assert CANARY.decode() not in running.log
        assert "CANARY" not in running.log
        assert "Traceback" not in running.log
