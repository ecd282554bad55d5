"""Whatever bytes come: the port lives on, memory stays bounded, real devices are served."""

import contextlib
import os
import resource
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import ImplicitVRLittleEndian

from apps.dimse.identifiers import UnreadableError, decode
from apps.dimse.listener import Listener
from apps.dimse.messages import decode_command
from apps.dimse.proposals import parse
from apps.dimse.wire import ProtocolError
from apps.studies.spool import Spool
from apps.worklist.models import Device
from tests.dimse.conftest import Dial, Start
from tests.dimse.pdus import associate_rq

pytestmark = pytest.mark.alike

CT = "1.2.840.10008.5.1.4.1.1.2"
WORKLIST = "1.2.840.10008.5.1.4.31"
Connect = Callable[[Listener], socket.socket]


@pytest.fixture
def connect(request: pytest.FixtureRequest) -> Connect:
    def dial(listener: Listener) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", listener.port), timeout=20)
        request.addfinalizer(connection.close)
        return connection

    return dial


def pdv(flags: int, body: bytes, context: int = 1) -> bytes:
    return struct.pack(">BxLLBB", 4, len(body) + 6, len(body) + 2, context, flags) + body


def command(field: int, sop_class: str, *, instance: str = "") -> bytes:
    def element(number: int, raw: bytes) -> bytes:
        return struct.pack("<HHL", 0, number, len(raw)) + raw

    uid = sop_class.encode() + b"\0" * (len(sop_class) % 2)
    body = element(0x0002, uid) + element(0x0100, struct.pack("<H", field))
    body += element(0x0110, b"\1\0") + element(0x0800, b"\0\0")
    if instance:
        body += element(0x1000, instance.encode() + b"\0" * (len(instance) % 2))
    return body


def rest_of(connection: socket.socket) -> bytes:
    """Everything the listener says until it hangs up."""
    said = b""
    try:
        while piece := connection.recv(65536):
            said += piece
    except ConnectionResetError:
        pass
    return said


def established(connect: Connect, listener: Listener, *sop_classes: str) -> socket.socket:
    connection = connect(listener)
    connection.sendall(associate_rq(*sop_classes))
    head = connection.recv(65536)
    assert head[0] == 2
    return connection


def assert_alive(dial: Dial, listener: Listener) -> None:
    association = dial(listener)
    assert association.send_c_echo().Status == 0
    association.release()


@pytest.mark.parametrize(
    "opening",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # TLS
        b"\x0bMSH|^~\\&|A|B\r\x1c\r",
        struct.pack(">BxL", 1, 1 << 30),  # an A-ASSOCIATE-RQ of 1 GiB
        struct.pack(">BxL", 1, 0),
        struct.pack(">BxL", 1, 200) + bytes(200),
        struct.pack(">BxL", 4, 100) + bytes(100),
        struct.pack(">BxL", 0x99, 4) + bytes(4),
        os.urandom(4096),
    ],
)
def test_what_is_no_association_is_hung_up_on(
    opening: bytes, listener: Listener, connect: Connect, dial: Dial
) -> None:
    connection = connect(listener)
    connection.sendall(opening)
    said = rest_of(connection)
    assert said == b"" or said[0] in (3, 7)
    assert_alive(dial, listener)


@pytest.mark.parametrize(
    "nonsense",
    [
        struct.pack(">BxL", 4, 1 << 30),  # a P-DATA-TF of 1 GiB
        struct.pack(">BxL", 4, 3) + bytes(3),
        struct.pack(">BxLLBB", 4, 6, 1 << 20, 1, 3),  # a fragment longer than its PDU
        pdv(0x02, b"data set without a command"),
        pdv(0x03, command(0x0030, "1.2.840.10008.1.1"), context=99),
        pdv(0x03, b"\1\2\3\4\5"),
        pdv(0x03, b"\x10\0\x10\0\xff\xff\xff\xff"),
        associate_rq(CT),
        struct.pack(">BxL", 6, 4) + bytes(4),  # A-RELEASE-RP to nothing
        struct.pack(">BxL", 5, 400) + bytes(400),
        pdv(0x03, command(0x0001, CT, instance="2.25.1")) + pdv(0x03, b"a second command"),
    ],
)
def test_what_breaks_the_rules_is_aborted(
    nonsense: bytes, listener: Listener, connect: Connect, dial: Dial, spool: Spool
) -> None:
    connection = established(connect, listener, CT)
    connection.sendall(nonsense)
    assert rest_of(connection)[-10] == 7
    assert spool.waiting() == []
    assert list(spool.partial.iterdir()) == []
    assert_alive(dial, listener)


def test_a_command_that_never_ends_is_cut_off(
    listener: Listener, connect: Connect, dial: Dial
) -> None:
    connection = established(connect, listener, CT)
    try:
        for _ in range(64):
            connection.sendall(pdv(0x01, bytes(8192)))
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert_alive(dial, listener)


def test_an_identifier_that_never_ends_costs_bounded_memory(
    start: Start, connect: Connect, dial: Dial
) -> None:
    listener = start(identifier=256 * 1024)
    connection = established(connect, listener, WORKLIST)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    connection.sendall(pdv(0x03, command(0x0020, WORKLIST)))
    try:
        for _ in range(4000):
            connection.sendall(pdv(0x00, bytes(16000)))
    except (BrokenPipeError, ConnectionResetError):
        pass
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 20_000  # KiB
    assert_alive(dial, listener)


def test_an_object_above_the_limit_is_not_kept(
    start: Start, connect: Connect, device: Device, spool: Spool
) -> None:
    listener = start(object=100_000)
    connection = established(connect, listener, CT)
    connection.sendall(pdv(0x03, command(0x0001, CT, instance="2.25.1")))
    uids = b"\x08\0\x16\0" + struct.pack("<L", 26) + CT.encode() + b"\0"
    uids += b"\x08\0\x18\0" + struct.pack("<L", 6) + b"2.25.1"
    connection.sendall(pdv(0x00, uids))
    try:
        for _ in range(20):
            connection.sendall(pdv(0x00, bytes(16000)))
        rest_of(connection)
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert spool.waiting() == []
    assert list(spool.partial.iterdir()) == []


def test_silence_ends_at_the_deadlines(start: Start, connect: Connect, dial: Dial) -> None:
    listener = start(handshake_seconds=1, pdu_seconds=1, idle_seconds=1)
    silent, half = connect(listener), connect(listener)
    idle = established(connect, listener, CT)
    stuck = established(connect, listener, CT)
    half.sendall(associate_rq(CT)[:40])
    stuck.sendall(pdv(0x03, command(0x0001, CT, instance="2.25.1"))[:30])
    begun = time.monotonic()
    assert [rest_of(one)[:1] for one in (silent, half, idle, stuck)] == [b"\x07"] * 4
    assert time.monotonic() - begun < 8
    assert_alive(dial, listener)


def test_dripping_bytes_do_not_extend_the_handshake(start: Start, connect: Connect) -> None:
    listener = start(handshake_seconds=2)
    connection = connect(listener)
    begun = time.monotonic()
    try:
        for byte in associate_rq(CT):
            connection.sendall(bytes([byte]))
            time.sleep(0.1)
            if time.monotonic() - begun > 10:
                pytest.fail("still listening to a drip")
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert time.monotonic() - begun < 8


def test_two_hundred_silent_connections_do_not_keep_a_device_out(
    start: Start, connect: Connect, dial: Dial
) -> None:
    listener = start(pending=20)
    crowd = [connect(listener) for _ in range(200)]
    begun = time.monotonic()
    assert_alive(dial, listener)
    assert time.monotonic() - begun < 5
    for one in crowd:
        one.close()


def test_more_associations_than_allowed_are_rejected_for_now(
    start: Start, connect: Connect, dial: Dial
) -> None:
    listener = start(associations_per_address=2)
    first, second = dial(listener), dial(listener)
    third = connect(listener)
    third.sendall(associate_rq(CT))
    # A-ASSOCIATE-RJ: transient, service provider (presentation), local limit exceeded.
    assert rest_of(third) == bytes((3, 0, 0, 0, 0, 4, 0, 2, 3, 2))
    first.release()
    second.release()
    deadline = time.monotonic() + 5
    while not (again := dial(listener)).is_established and time.monotonic() < deadline:
        time.sleep(0.1)
    assert again.is_established


def test_a_deeply_nested_query_is_refused(listener: Listener, connect: Connect, dial: Dial) -> None:
    connection = established(connect, listener, WORKLIST)
    nested = b"\x08\0\x40\x11\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" * 5000
    connection.sendall(pdv(0x03, command(0x0020, WORKLIST)))
    for position in range(0, len(nested), 16000):
        piece = nested[position : position + 16000]
        connection.sendall(pdv(0x02 if position + 16000 >= len(nested) else 0, piece))
    answer = connection.recv(65536)
    assert struct.pack("<HHLH", 0, 0x0900, 2, 0xC000) in answer
    assert_alive(dial, listener)


@pytest.mark.parametrize("depth", [10, 64, 65, 240, 20_000])
def test_nesting_is_read_to_its_limit(depth: int) -> None:
    raw = b""
    if depth <= 300:
        for _ in range(depth):
            item = b"\xfe\xff\0\xe0" + struct.pack("<L", len(raw)) + raw
            raw = b"\x08\0\x40\x11" + struct.pack("<L", len(item)) + item
    else:
        raw = b"\x08\0\x40\x11\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" * depth
    if depth <= 64:
        decode(raw, str(ImplicitVRLittleEndian))
    else:
        with pytest.raises(UnreadableError):
            decode(raw, str(ImplicitVRLittleEndian))


ELEMENT, ITEM = b"\x08\0\x50\0\0\0\0\0", b"\xfe\xff\0\xe0\0\0\0\0"
PRIVATE = struct.pack("<HHL", 0x0009, 0x1001, 0)


@pytest.mark.parametrize(
    "raw",
    [
        PRIVATE * 1_000_000,
        b"\x08\0\x40\x11" + struct.pack("<L", 8_000_000) + ITEM * 1_000_000,
        b"\x08\0\x40\x11\xff\xff\xff\xff" + ITEM * 1_000_000,
        b"\x08\0\x40\x11\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" + ELEMENT * 200_000,
    ],
)
def test_a_million_elements_are_counted_before_they_are_made(raw: bytes) -> None:
    begun = time.monotonic()
    with pytest.raises(UnreadableError, match="too many elements"):
        decode(raw, str(ImplicitVRLittleEndian))
    assert time.monotonic() - begun < 2


def test_many_items_are_read() -> None:
    uid = struct.pack("<HHL", 0x0008, 0x1155, 6) + b"2.25.1"
    items = (b"\xfe\xff\0\xe0" + struct.pack("<L", len(uid)) + uid) * 3000
    raw = b"\x08\0\x99\x11" + struct.pack("<L", len(items)) + items
    assert len(decode(raw, str(ImplicitVRLittleEndian)).ReferencedSOPSequence) == 3000


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=400))
def test_any_command_set_is_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        decode_command(raw)


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_any_association_request_is_read_or_refused(position: int, poison: bytes) -> None:
    body = bytearray(associate_rq(CT)[6:])
    body[position : position + len(poison)] = poison
    with contextlib.suppress(ProtocolError):
        parse(bytes(body))


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300))
def test_any_identifier_is_read_or_refused(raw: bytes) -> None:
    with contextlib.suppress(UnreadableError):
        decode(raw, "1.2.840.10008.1.2.1")


def test_hostile_names_reach_no_path(
    listener: Listener, device: Device, connect: Connect, spool: Spool, tmp_path: Path
) -> None:
    before = set(tmp_path.rglob("*"))
    for name in ("../../x", "2.25.1/../../x", "a" * 64, "2.25.1\0/x", "%2e%2e"):
        connection = established(connect, listener, CT)
        connection.sendall(pdv(0x03, command(0x0001, CT, instance=name)))
        connection.sendall(pdv(0x02, bytes(64)))
        assert struct.pack("<HHL", 0, 0x0900, 2) in connection.recv(65536)
        connection.close()
    assert set(tmp_path.rglob("*")) == before
    assert spool.waiting() == []
