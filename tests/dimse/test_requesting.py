"""Associations of ours: what is said where one does not come about, and TLS."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.dimse.limits import Limits
from apps.dimse.requesting import requested
from apps.dimse.sending import send_instances
from apps.dimse.services import CalledDeviceFailed
from apps.dimse.wire import HEADER
from apps.studies.models import Instance
from apps.worklist.models import Device
from tests.dimse.certificates import Authority, Pair
from tests.dimse.receiving import CT, PLAIN, keep_images, receiver
from tests.factories import DeviceFactory

pytestmark = pytest.mark.usefixtures("threads_db")
WANTED = [(CT, [PLAIN[0]])]


@pytest.fixture
def saying() -> Iterator[Callable[[bytes], Device]]:
    """A device that answers whatever comes with these bytes, and then keeps silent."""
    server = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def begin(words: bytes) -> Device:
        def talk() -> None:
            connection, _address = server.accept()
            held.append(connection)
            connection.recv(4096)
            connection.sendall(words)

        threading.Thread(target=talk, daemon=True).start()
        made: Device = DeviceFactory.create(ae_title="DEST", port=server.getsockname()[1])
        return made

    yield begin
    for connection in (*held, server):
        connection.close()


def test_the_peer_may_have_another_title() -> None:
    with receiver(require_called_aet=True) as peer:
        device = peer.device(ae_title="OTHER")
        with (
            pytest.raises(CalledDeviceFailed, match="has another AE title than OTHER"),
            requested(device, WANTED),
        ):
            pass


def test_the_peer_may_not_know_us() -> None:
    with receiver(require_calling_aet=["SOMEBODY"]) as peer:
        device = peer.device()
        with (
            pytest.raises(CalledDeviceFailed, match="does not know our AE title OPENPACS"),
            requested(device, WANTED),
        ):
            pass


def test_the_peer_may_be_busy(saying: Callable[[bytes], Device]) -> None:
    device = saying(HEADER.pack(3, 4) + bytes((0, 2, 3, 2)))
    with pytest.raises(CalledDeviceFailed, match="busy at the moment"), requested(device, WANTED):
        pass


@pytest.mark.parametrize(
    "words",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        HEADER.pack(2, 200) + bytes(66) + b"\x21\0\xff\xff" * 33 + b"xx",
        HEADER.pack(2, 0x7FFFFFFF),
        b"",
    ],
)
def test_a_peer_that_does_not_speak_dicom_is_left(
    saying: Callable[[bytes], Device], words: bytes
) -> None:
    limits = Limits(handshake_seconds=1)
    with (
        pytest.raises(CalledDeviceFailed, match="does not answer as a DICOM device"),
        requested(saying(words), WANTED, limits=limits),
    ):
        pass


def test_what_was_accepted_is_known() -> None:
    with receiver() as peer:
        wanted = [*WANTED, ("1.2.840.10008.5.1.4.1.1.4", [PLAIN[0]])]
        with requested(peer.device(), wanted) as association:
            (context,) = association.contexts.values()
    assert (context.abstract_syntax, context.transfer_syntax) == (CT, PLAIN[0])


@pytest.fixture
def authority(tmp_path: Path, settings: Any) -> Authority:
    """The authority that this site trusts; it has a certificate itself."""
    made = Authority(tmp_path / "ca")
    own = made.vouch("openpacs")
    settings.OPENPACS_DICOM_TLS_CERTIFICATE = str(own.certificate)
    settings.OPENPACS_DICOM_TLS_KEY = str(own.key)
    settings.OPENPACS_DICOM_TLS_CA = str(made.file)
    return made


def serving(pair: Pair, authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_images_go_out_over_tls(authority: Authority) -> None:
    pair = authority.vouch("archive")
    uids = keep_images(3)
    with receiver(tls=serving(pair, authority)) as peer:
        device = peer.device(tls=True, certificate_sha256=pair.fingerprint)
        sent = send_instances(device, Instance.objects.all())
    assert [uid for uid, _status in sent.sent] == uids
    assert peer.uids == uids


def test_a_peer_whose_certificate_nobody_vouches_for_gets_nothing(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "elsewhere", "stranger").vouch("archive")
    keep_images(1)
    with receiver(tls=serving(stranger, authority)) as peer:
        with pytest.raises(CalledDeviceFailed, match="No TLS with the device"):
            send_instances(peer.device(tls=True), Instance.objects.all())
        assert peer.got == []


def test_a_peer_that_shows_another_certificate_than_pinned_gets_nothing(
    authority: Authority,
) -> None:
    pair, other = authority.vouch("archive"), authority.vouch("other")
    keep_images(1)
    with receiver(tls=serving(pair, authority)) as peer:
        device = peer.device(tls=True, certificate_sha256=other.fingerprint)
        with pytest.raises(CalledDeviceFailed, match="another certificate"):
            send_instances(device, Instance.objects.all())
        assert peer.got == []
