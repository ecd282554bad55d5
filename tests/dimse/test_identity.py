"""Devices that have to give a user name, and a passcode (PS3.7 D.3.3.7)."""

import socket
import struct

import pytest
from django.contrib.auth.hashers import make_password
from pynetdicom.pdu_primitives import UserIdentityNegotiation

from apps.dimse import identity
from apps.dimse.identity import Checker, is_identified
from apps.dimse.listener import Listener
from apps.dimse.proposals import Identity, Proposal, parse
from apps.dimse.wire import ProtocolError
from apps.worklist.models import Device
from tests.dimse.pdus import associate_rq

ACCEPTED, REJECTED = 2, 3  # types of PDUs (PS3.8 9.3)
NOTHING_TO_SAY = b"\x59\0\0\2\0\0"  # the item that answers an identity (PS3.7 D.3.3.7.2)


def call(listener: Listener, *, kind: int, user: bytes, passcode: bytes = b"") -> tuple[int, bytes]:
    """Type and body of the answer to an association of somebody who says a name."""
    item = UserIdentityNegotiation()
    item.user_identity_type, item.positive_response_requested = kind, True
    item.primary_field = user
    if kind == 2:
        item.secondary_field = passcode
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as connection:
        connection.sendall(associate_rq("1.2.840.10008.1.1", items=[item]))
        answer, length = struct.unpack(">BxL", connection.recv(6, socket.MSG_WAITALL))
        return answer, connection.recv(length, socket.MSG_WAITALL)


def test_the_right_user_is_let_in_and_told_so(listener: Listener, device: Device) -> None:
    hashed = make_password("secret")
    Device.objects.filter(pk=device.pk).update(identity_user="ct", identity_password=hashed)
    answer, body = call(listener, kind=2, user=b"ct", passcode=b"secret")
    assert answer == ACCEPTED
    assert NOTHING_TO_SAY in body
    for kind, user, passcode in ((2, b"ct", b"wrong"), (2, b"xx", b"secret"), (1, b"ct", b"")):
        assert call(listener, kind=kind, user=user, passcode=passcode)[0] == REJECTED


def test_the_cause_of_the_rejection_is_named(listener: Listener, device: Device) -> None:
    Device.objects.filter(pk=device.pk).update(identity_user="ct")
    # Permanent; by the service provider (ACSE); no reason given (PS3.8 table 9-21).
    assert call(listener, kind=1, user=b"other") == (REJECTED, bytes((0, 1, 2, 1)))


def test_whoever_is_not_asked_gets_no_answer(listener: Listener, device: Device) -> None:
    answer, body = call(listener, kind=1, user=b"anybody")
    assert answer == ACCEPTED
    assert NOTHING_TO_SAY not in body


@pytest.mark.parametrize(
    ("given", "welcome"),
    [
        (Identity(1, False, b"ct", b""), True),
        (Identity(2, False, b"ct", b"whatever"), True),
        (Identity(1, False, b"CT", b""), False),
        (Identity(3, False, b"ct", b""), False),
        (Identity(99, False, b"ct", b""), False),
        (None, False),
    ],
)
def test_a_name_alone_may_be_enough(given: Identity | None, welcome: bool) -> None:
    assert is_identified(Device(identity_user="ct"), given) is welcome
    assert is_identified(Device(), given)


def test_a_right_passcode_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def check(passcode: str, hashed: str) -> bool:
        asked.append(passcode)
        return passcode == "right"

    monkeypatch.setattr(identity, "check_password", check)
    checker = Checker()
    answers = [checker.is_right(one, "h") for one in (b"right", b"right", b"wrong", b"wrong")]
    assert answers == [True, True, False, False]
    assert asked == ["right", "wrong", "wrong"]
    assert not checker.is_right(b"wrong", "hright")
    assert checker.is_right(b"right", "another hash")
    assert asked[-1] == "right"


def with_identity(kind: int, rest: bytes) -> bytes:
    body = bytes((kind, 1)) + rest
    item = struct.pack(">BxH", 0x58, len(body)) + body
    return associate_rq("1.2.840.10008.1.1")[6:] + struct.pack(">BxH", 0x50, len(item)) + item


def test_types_nobody_knows_are_read() -> None:
    proposal: Proposal = parse(with_identity(77, b"\0\2ab\0\0"))
    assert proposal.identity == Identity(77, True, b"ab", b"")


def test_a_cut_identity_is_no_association() -> None:
    with pytest.raises(ProtocolError):
        parse(with_identity(1, b"\0\xffab"))


def test_a_passcode_is_in_no_text_of_it() -> None:
    assert "secret" not in repr(Identity(2, False, b"secret user", b"secret"))
