"""DICOM over TLS: who is let in with which certificate, renewal, deadlines."""

import contextlib
import os
import shutil
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE

from apps.dimse import tls
from apps.dimse.limits import Limits
from apps.dimse.listener import Listener
from apps.dimse.secure import HandshakeError, SecureSocket
from apps.dimse.wire import Wire
from apps.studies.spool import Spool
from apps.worklist.models import Device
from tests.dimse.certificates import Authority, Pair
from tests.dimse.conftest import Start, Tool, ct_image
from tests.dimse.pdus import associate_rq

CT = "1.2.840.10008.5.1.4.1.1.2"
ECHO = "1.2.840.10008.1.1"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.fixture(autouse=True)
def own(authority: Authority, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """The site's certificate; contexts of other tests are forgotten."""
    pair = authority.vouch("openpacs")
    settings.OPENPACS_DICOM_TLS_CERTIFICATE = str(pair.certificate)
    settings.OPENPACS_DICOM_TLS_KEY = str(pair.key)
    settings.OPENPACS_DICOM_TLS_CA = str(authority.file)
    for side in (tls._server, tls._client):
        monkeypatch.setattr(side, "_made", None)
    return pair


def trusting(authority: Authority, pair: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.file))
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


def echoes(listener: Listener, context: ssl.SSLContext) -> bool:
    entity = AE(ae_title="CT1")
    entity.acse_timeout = entity.dimse_timeout = 10
    entity.add_requested_context(ECHO)
    association = entity.associate(
        "127.0.0.1",
        listener.tls_port,
        ae_title="OPENPACS",
        tls_args=(context, "127.0.0.1"),
    )
    if not association.is_established:
        return False
    status: int = association.send_c_echo().Status
    association.release()
    return status == 0


@contextlib.contextmanager
def dialled(listener: Listener, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(("127.0.0.1", listener.tls_port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        yield secure


def rejected(listener: Listener, context: ssl.SSLContext) -> tuple[int, ...]:
    with dialled(listener, context) as secure:
        secure.sendall(associate_rq(ECHO))
        return tuple(secure.recv(64)[7:])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_device_calls_over_tls(
    version: ssl.TLSVersion, start: Start, device: Device, authority: Authority
) -> None:
    context = trusting(authority)
    context.minimum_version = context.maximum_version = version
    assert echoes(start(encrypted=True), context)


def test_images_arrive_as_sent(
    start: Start, device: Device, authority: Authority, spool: Spool
) -> None:
    listener = start(encrypted=True)
    image = ct_image("2.25.1")
    image.PixelData = os.urandom(700_000)
    entity = AE(ae_title="CT1")
    entity.add_requested_context(CT, image.file_meta.TransferSyntaxUID)
    association = entity.associate(
        "127.0.0.1",
        listener.tls_port,
        ae_title="OPENPACS",
        tls_args=(trusting(authority), "127.0.0.1"),
    )
    assert association.send_c_store(image).Status == 0
    (kept,) = spool.waiting()
    assert image.PixelData in kept.read_bytes()
    association.release()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_older_versions_are_refused(start: Start, authority: Authority) -> None:
    listener = start(encrypted=True)
    context = trusting(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    # An alert is what the listener says: the client itself is willing.
    refused = pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION")
    with refused, dialled(listener, context):
        pytest.fail("TLS 1.1 was taken")


def test_ciphers_without_forward_secrecy_are_refused(start: Start, authority: Authority) -> None:
    listener = start(encrypted=True)
    context = trusting(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA256")
    with pytest.raises(ssl.SSLError, match="ALERT_HANDSHAKE"), dialled(listener, context):
        pytest.fail("a weak cipher was taken")


def test_a_device_may_be_held_to_tls(start: Start, device: Device, authority: Authority) -> None:
    Device.objects.filter(pk=device.pk).update(require_tls=True)
    listener = start(encrypted=True)
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as plain:
        plain.sendall(associate_rq(ECHO))
        assert tuple(plain.recv(64)[7:]) == (1, 1, 1)
    assert echoes(listener, trusting(authority))


@pytest.mark.parametrize("clients", ["wanted", "required"])
def test_a_device_may_be_held_to_its_certificate(
    clients: str, start: Start, device: Device, authority: Authority, settings: Any
) -> None:
    settings.OPENPACS_DICOM_TLS_CLIENTS = clients
    scanner, other = authority.vouch("scanner"), authority.vouch("other")
    Device.objects.filter(pk=device.pk).update(certificate_sha256=scanner.fingerprint)
    listener = start(encrypted=True)
    assert echoes(listener, trusting(authority, scanner))
    assert rejected(listener, trusting(authority, other)) == (1, 1, 1)
    if clients == "wanted":
        assert rejected(listener, trusting(authority)) == (1, 1, 1)


def test_a_fingerprint_is_read_with_colons_and_capitals() -> None:
    device = Device(
        certificate_sha256="E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24"
        ":27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55"
    )
    assert tls.is_pinned(device, b"")
    assert not tls.is_pinned(device, b"x")
    assert not tls.is_pinned(device, None)


def test_required_certificates_come_from_our_authority(
    start: Start, device: Device, authority: Authority, settings: Any, tmp_path: Path
) -> None:
    settings.OPENPACS_DICOM_TLS_CLIENTS = "required"
    listener = start(encrypted=True)
    stranger = Authority(tmp_path / "elsewhere", "stranger").vouch("scanner")
    assert echoes(listener, trusting(authority, authority.vouch("scanner")))
    for context in (trusting(authority), trusting(authority, stranger)):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            assert rejected(listener, context) == ()


def test_a_renewed_certificate_is_used_without_a_restart(
    start: Start, device: Device, authority: Authority, own: Pair
) -> None:
    listener, context = start(encrypted=True), trusting(authority)
    with dialled(listener, context) as before:
        before.sendall(associate_rq(ECHO))
        assert before.recv(1024)[0] == 2
        renewed = authority.vouch("openpacs")
        shutil.copy(renewed.key, own.key)
        assert echoes(listener, context)  # only half of it is there: the old one goes on
        shutil.copy(renewed.certificate, own.certificate)
        with dialled(listener, context) as after:
            assert before.getpeercert(True) != after.getpeercert(True)
        before.sendall(struct.pack(">BxL4x", 5, 4))
        assert before.recv(1024)[0] == 6  # the running association was not touched


@pytest.mark.parametrize(
    "opening", [b"", b"\x16\x03\x01\x02", os.urandom(2000), associate_rq(ECHO)]
)
def test_what_is_no_tls_is_hung_up_on(
    opening: bytes, start: Start, device: Device, authority: Authority
) -> None:
    listener = start(encrypted=True, handshake_seconds=1)
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", listener.tls_port), timeout=20) as plain:
        plain.sendall(opening)
        with contextlib.suppress(ConnectionError):
            while plain.recv(4096):
                pass
    assert time.monotonic() - begun < 5
    assert echoes(listener, trusting(authority))


def test_deadlines_hold_over_tls(start: Start, device: Device, authority: Authority) -> None:
    listener = start(encrypted=True, handshake_seconds=1, pdu_seconds=1, idle_seconds=1)
    context = trusting(authority)
    with dialled(listener, context) as silent, dialled(listener, context) as half:
        half.sendall(associate_rq(ECHO))
        assert half.recv(1024)[0] == 2
        half.sendall(struct.pack(">BxL", 4, 1000) + bytes(30))
        begun = time.monotonic()
        assert [one.recv(1024)[:1] for one in (silent, half)] == [b"\x07"] * 2
        assert time.monotonic() - begun < 6


def test_a_dripped_handshake_is_cut_off(start: Start, authority: Authority) -> None:
    listener = start(encrypted=True, handshake_seconds=1)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = trusting(authority).wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with contextlib.suppress(ssl.SSLWantReadError):
        hello.do_handshake()
    begun = time.monotonic()
    with (
        contextlib.suppress(ConnectionError),
        socket.create_connection(("127.0.0.1", listener.tls_port), timeout=10) as plain,
    ):
        for byte in outgoing.read():
            plain.sendall(bytes([byte]))
            time.sleep(0.1)
    assert time.monotonic() - begun < 5


Link = Callable[[], tuple[SecureSocket, ssl.SSLSocket]]


@pytest.fixture
def link(authority: Authority, request: pytest.FixtureRequest) -> Link:
    """Both ends of a TLS connection: ours, and a client's."""

    def connect() -> tuple[SecureSocket, ssl.SSLSocket]:
        ours, theirs = socket.socketpair()
        secure = SecureSocket(ours, tls.server_context())
        shaking = threading.Thread(target=secure.handshake, args=(5,))
        shaking.start()
        client = trusting(authority).wrap_socket(theirs, server_hostname="127.0.0.1")
        shaking.join()
        for end in (secure, client):
            request.addfinalizer(end.close)
        return secure, client

    return connect


def test_what_has_come_can_be_seen_without_being_taken(link: Link) -> None:
    secure, client = link()
    peek = socket.MSG_PEEK | socket.MSG_DONTWAIT
    with pytest.raises(BlockingIOError):
        secure.recv(1, peek)
    client.sendall(b"abc")
    assert (secure.recv(1, peek), secure.recv(1, peek)) == (b"a", b"a")
    buffer = bytearray(10)
    assert secure.recv_into(memoryview(buffer)) == 1
    assert secure.recv_into(memoryview(buffer)[1:]) == 2
    assert buffer[:3] == b"abc"


def test_many_records_are_read_at_once(link: Link) -> None:
    secure, client = link()
    for _ in range(3):
        client.sendall(b"x" * 10_000)
    assert secure.recv_into(memoryview(bytearray(50_000))) == 30_000


def test_an_end_is_an_end_with_and_without_goodbye(link: Link) -> None:
    buffer = memoryview(bytearray(10))
    secure, client = link()
    with contextlib.suppress(OSError):
        client.settimeout(0.1)
        client.unwrap()
    assert secure.recv_into(buffer) == 0
    secure, client = link()
    client.shutdown(socket.SHUT_WR)
    assert secure.recv_into(buffer) == 0


def test_a_peer_that_does_not_read_is_left(link: Link) -> None:
    secure, _client = link()
    secure.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 200_000))
    with pytest.raises(BlockingIOError):
        secure.sendall(bytes(32 << 20))


def test_settings_that_cannot_serve_are_named(settings: Any, tmp_path: Path) -> None:
    settings.OPENPACS_DICOM_TLS_CERTIFICATE = str(tmp_path / "missing")
    with pytest.raises(tls.TLSSettingsError, match="cannot be used"):
        tls.check_settings()
    settings.OPENPACS_DICOM_TLS_CLIENTS = "maybe"
    with pytest.raises(tls.TLSSettingsError, match="none, wanted or required"):
        tls.check_settings()


def test_clients_cannot_be_checked_without_an_authority(settings: Any) -> None:
    settings.OPENPACS_DICOM_TLS_CA = ""
    settings.OPENPACS_DICOM_TLS_CLIENTS = "required"
    with pytest.raises(tls.TLSSettingsError, match="OPENPACS_DICOM_TLS_CA"):
        tls.check_settings()


def test_our_calls_trust_the_authority_alone(
    start: Start, device: Device, authority: Authority, settings: Any, tmp_path: Path
) -> None:
    listener = start(encrypted=True)

    def call() -> None:
        plain = socket.create_connection(("127.0.0.1", listener.tls_port), timeout=10)
        secure = SecureSocket(plain, tls.client_context(), server_side=False, host="127.0.0.1")
        with contextlib.closing(secure):
            secure.handshake(5)
            link = Wire(secure, Limits())
            link.send(associate_rq(ECHO))
            assert secure.recv(1)[0] == 2

    call()
    settings.OPENPACS_DICOM_TLS_CA = str(Authority(tmp_path / "elsewhere", "stranger").file)
    with pytest.raises(HandshakeError, match="CERTIFICATE_VERIFY_FAILED"):
        call()


Echo = Callable[..., bool]


@pytest.fixture
def echo(start: Start, device: Device, tool: Tool) -> Echo:
    """Does DCMTK's echoscu get through, with these options?"""
    listener = start(encrypted=True)

    def call(*options: object) -> bool:
        called = ("-aet", "CT1", "-aec", "OPENPACS", "127.0.0.1", listener.tls_port)
        return tool("echoscu", *options, *called).returncode == 0

    return call


@pytest.mark.peer
def test_dcmtk_echoes_over_tls(
    echo: Echo, authority: Authority, settings: Any, tmp_path: Path
) -> None:
    scanner = authority.vouch("scanner")
    stranger = Authority(tmp_path / "elsewhere", "stranger")
    trusted = ("+cf", authority.file)
    assert echo("+tla", *trusted)
    assert echo("+tla", "+px", *trusted)
    assert echo("+tla", "+pz", *trusted)  # BCP 195 extended: what is best
    assert echo("+tls", scanner.key, scanner.certificate, *trusted)
    assert not echo("+tla", "+cf", stranger.file)  # it does not trust us
    assert not echo()  # no TLS at all
    settings.OPENPACS_DICOM_TLS_CLIENTS = "required"
    assert not echo("+tla", *trusted)
    assert echo("+tls", scanner.key, scanner.certificate, *trusted)
    wrong = stranger.vouch("scanner")
    assert not echo("+tls", wrong.key, wrong.certificate, *trusted)
