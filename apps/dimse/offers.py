"""What we offer: SOP classes, the right a device needs for each, transfer syntaxes."""

from collections.abc import Sequence

from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from apps.dicom.sop_classes import is_standard_storage
from apps.dicom.uids import valid_uid
from apps.dimse.identifiers import ENCODINGS
from apps.dimse.negotiation import (
    ABSTRACT_UNKNOWN,
    ACCEPTED,
    TRANSFER_UNKNOWN,
    USER_REJECTION,
    Answer,
    Context,
)
from apps.dimse.proposals import Offer, Proposal
from apps.worklist.models import Device

VERIFICATION = "1.2.840.10008.1.1"
WORKLIST = "1.2.840.10008.5.1.4.31"
MPPS = "1.2.840.10008.3.1.2.3.3"
MPPS_RETRIEVE = "1.2.840.10008.3.1.2.3.4"
COMMITMENT = "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
AVAILABILITY = "1.2.840.10008.5.1.4.33"
PATIENT_FIND, STUDY_FIND = "1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.1.2.2.1"
PATIENT_MOVE, STUDY_MOVE = "1.2.840.10008.5.1.4.1.2.1.2", "1.2.840.10008.5.1.4.1.2.2.2"
PATIENT_GET, STUDY_GET = "1.2.840.10008.5.1.4.1.2.1.3", "1.2.840.10008.5.1.4.1.2.2.3"
_GET = {PATIENT_GET, STUDY_GET}
# No data sets to be kept: MIME and XML (retired), Papyrus (retired), real-time video.
REFUSED_SYNTAXES = frozenset(
    {"1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2", "1.2.840.10008.1.20"}
    | {f"1.2.840.10008.1.2.7.{number}" for number in (1, 2, 3)}
)
# Byte by byte what we offer of extended negotiation. Patient and Study Root C-FIND (PS3.4
# C.5.1.1): relational queries, date-time matching, fuzzy matching of names, timezones.
EXTENDED = dict.fromkeys((PATIENT_FIND, STUDY_FIND), bytes((1, 1, 1, 1)))
# Storage (PS3.4 B.3.1): level 2, everything is kept; attributes may be corrected.
EXTENDED_STORAGE = bytes((2, 0, 0, 0, 1, 0))
LESS_WANTED = frozenset({str(ImplicitVRLittleEndian), str(ExplicitVRBigEndian)})
RIGHTS = {
    VERIFICATION: "active",
    WORKLIST: "may_read_worklist",
    MPPS: "may_report_steps",
    MPPS_RETRIEVE: "may_report_steps",
    COMMITMENT: "may_store",
    PATIENT_FIND: "may_query",
    STUDY_FIND: "may_query",
    PATIENT_MOVE: "may_retrieve",
    STUDY_MOVE: "may_retrieve",
    PATIENT_GET: "may_retrieve",
    STUDY_GET: "may_retrieve",
}


def is_storage(device: Device, abstract_syntax: str) -> bool:
    """A storage class of the standard, or a private one that this device may send."""
    return is_standard_storage(abstract_syntax) or abstract_syntax in device.private_classes


def brings_images(proposal: Proposal) -> bool:
    """Does the peer propose to be the SCU of a storage class, that is to send to us?"""
    return any(
        is_standard_storage(uid) and proposal.roles.get(uid, (True, False))[0]
        for uid in proposal.sop_classes
    )


def allowed(device: Device, abstract_syntax: str) -> bool:
    """May the device use this SOP class? False for one that we do not offer."""
    right = "may_store" if is_storage(device, abstract_syntax) else RIGHTS.get(abstract_syntax, "")
    return bool(right and getattr(device, right))


def answer(device: Device, proposal: Proposal, offer: Offer) -> Answer:
    """Our answer to one proposed presentation context."""
    abstract = offer.abstract_syntax
    scu, scp = _roles(device, proposal, abstract)
    result = _result(device, abstract, may=scu or scp)
    taken = None
    if result == ACCEPTED:
        taken = transfer_syntax_for(abstract, offer.transfer_syntaxes, given=scp)
    if result == ACCEPTED and taken is None:
        result = TRANSFER_UNKNOWN
    syntax = taken or offer.transfer_syntaxes[0]
    return Answer(Context(offer.identifier, abstract, syntax, scu, scp), result)


def extended(device: Device, proposal: Proposal) -> dict[str, bytes]:
    """What we take of the extended negotiation: of each byte no more than we offer."""
    settled = {}
    for sop_class, proposed in proposal.extended.items():
        offered = EXTENDED.get(sop_class)
        if offered and allowed(device, sop_class):
            settled[sop_class] = bytes(map(min, proposed, offered))
        elif is_storage(device, sop_class):
            settled[sop_class] = EXTENDED_STORAGE
    return settled


def _result(device: Device, abstract_syntax: str, *, may: bool) -> int:
    if abstract_syntax not in RIGHTS and not is_storage(device, abstract_syntax):
        return ABSTRACT_UNKNOWN
    return ACCEPTED if may else USER_REJECTION


def _roles(device: Device, proposal: Proposal, abstract_syntax: str) -> tuple[bool, bool]:
    """Whether the device may be SCU and SCP of a class; it is SCU where it proposes nothing."""
    scu, scp = proposal.roles.get(abstract_syntax, (True, False))
    may_be_scp = False
    if abstract_syntax == COMMITMENT:
        may_be_scp = device.may_commit
    elif is_storage(device, abstract_syntax):
        may_be_scp = device.may_retrieve and bool(_GET & proposal.sop_classes)
    return scu and allowed(device, abstract_syntax), scp and may_be_scp


def transfer_syntax_for(
    abstract_syntax: str, proposed: Sequence[str], *, given: bool = False
) -> str | None:
    """The transfer syntax we take: for images the one they are in, for messages ours.

    `given`: images that the peer gets from us. What they are stored in is not known yet, and
    a plain one can be made of nearly all; who wants them as stored proposes that by itself.
    """
    if abstract_syntax in RIGHTS:
        return next((uid for uid in ENCODINGS if uid in proposed), None)
    plain = [uid for uid in ENCODINGS if uid in proposed and uid != ExplicitVRBigEndian]
    if given and plain:
        return plain[0]
    readable = [uid for uid in proposed if uid not in REFUSED_SYNTAXES and valid_uid(uid)]
    wanted = [uid for uid in readable if uid not in LESS_WANTED]
    return next(iter([*wanted, *readable]), None)
