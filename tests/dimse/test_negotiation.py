"""What is agreed on when an association begins: roles, extended negotiation, contexts."""

import struct
from typing import Any

import pytest
from pynetdicom import AE, build_role
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation

from apps.dimse import negotiation, offers
from apps.dimse.listener import Listener
from apps.dimse.proposals import Offer, Proposal, parse
from apps.dimse.wire import ProtocolError
from apps.worklist.models import Device
from tests.dimse.pdus import associate_rq

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
GET, STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.3", "1.2.840.10008.5.1.4.1.2.2.1"


def grant(device: Device, **rights: bool) -> None:
    Device.objects.filter(pk=device.pk).update(**rights)


def associate(listener: Listener, *classes: str, items: list[Any]) -> Association:
    entity = AE(ae_title="CT1")
    for uid in classes:
        entity.add_requested_context(uid)
    return entity.associate("127.0.0.1", listener.port, ae_title="OPENPACS", ext_neg=items)


def roles_of(association: Association) -> dict[str, tuple[bool | None, bool | None]]:
    return {
        str(one.abstract_syntax): (one.as_scu, one.as_scp) for one in association.accepted_contexts
    }


def test_who_gets_images_is_their_scp(listener: Listener, device: Device) -> None:
    grant(device, may_store=False, may_retrieve=True)
    association = associate(
        listener, GET, CT, MR, items=[build_role(CT, scp_role=True), build_role(MR, scu_role=True)]
    )
    assert roles_of(association) == {GET: (True, False), CT: (False, True)}
    association.release()


def test_who_may_do_both_has_both_roles(listener: Listener, device: Device) -> None:
    grant(device, may_retrieve=True)
    role = build_role(CT, scu_role=True, scp_role=True)
    association = associate(listener, GET, CT, MR, items=[role])
    assert roles_of(association) == {GET: (True, False), CT: (True, True), MR: (True, False)}
    association.release()


@pytest.mark.parametrize(("may_retrieve", "classes"), [(False, (GET, CT)), (True, (MR, CT))])
def test_nobody_is_scp_without_the_right_and_a_reason(
    may_retrieve: bool, classes: tuple[str, ...], listener: Listener, device: Device
) -> None:
    grant(device, may_retrieve=may_retrieve)
    association = associate(
        listener, *classes, "1.2.840.10008.1.1", items=[build_role(CT, scp_role=True)]
    )
    assert CT not in roles_of(association)
    assert 1 in {context.result for context in association.rejected_contexts}
    association.release()


@pytest.mark.parametrize(
    ("proposed", "settled"),
    [(b"\1\1\1\1\1", b"\1\1\1\1"), (b"\1", b"\1"), (b"\0\1\0", b"\0\1\0"), (b"", b"")],
)
def test_of_extended_negotiation_no_more_is_settled_than_proposed(
    proposed: bytes, settled: bytes
) -> None:
    device = Device(may_query=True)
    proposal = Proposal("OPENPACS", "CT1", 1, extended={STUDY_FIND: proposed, "1.2.3": b"\1"})
    assert offers.extended(device, proposal) == {STUDY_FIND: settled}


def test_relational_queries_are_agreed_on(listener: Listener, device: Device) -> None:
    grant(device, may_query=True)
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid, item.service_class_application_information = STUDY_FIND, b"\1\1\1"
    association = associate(listener, STUDY_FIND, items=[item])
    assert association.acceptor.sop_class_extended == {STUDY_FIND: b"\1\1\1"}
    association.release()


def test_what_is_proposed_is_read() -> None:
    proposal = parse(associate_rq(CT, MR, calling="CT1", called="OPENPACS")[6:])
    implicit = ["1.2.840.10008.1.2"]
    assert proposal == Proposal(
        called="OPENPACS",
        calling="CT1",
        protocol_version=1,
        application_context=negotiation.APPLICATION_CONTEXT,
        contexts=[Offer(1, CT, implicit), Offer(3, MR, implicit)],
        max_pdu=16384,
    )


def test_items_nobody_knows_are_passed_over() -> None:
    body = associate_rq(CT)[6:] + struct.pack(">BxH", 0x77, 3) + b"???"
    assert parse(body).contexts == [Offer(1, CT, ["1.2.840.10008.1.2"])]


@pytest.mark.parametrize("identifier", [b"\2", b"\0", b"\1"])
def test_contexts_have_odd_numbers_of_their_own(identifier: bytes) -> None:
    rest = b"\0\0\0" + struct.pack(">BxH", 0x30, 5) + b"1.2.3"
    rest += struct.pack(">BxH", 0x40, 5) + b"1.2.4"
    item = struct.pack(">BxH", 0x20, 1 + len(rest)) + identifier + rest
    with pytest.raises(ProtocolError):
        parse(associate_rq(CT)[6:] + item)
