"""What a sender is told: AA, AE or AR with the reason (HL7 2.5.1 2.9, table 0357).

AE: the content cannot be taken as it is. AR: this kind of message is not taken here.
"""

import uuid
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from apps.hl7.fields import FieldError
from apps.hl7.messages import (
    UTF8,
    MessageError,
    Segment,
    build_message,
    build_segment,
    escape,
    join,
)
from apps.orders.services import AccessionTaken, CancelRefused, OrderRefused, TransitionRefused
from apps.patients.services import IdentifierTaken, PatientMerged, PatientRefused
from apps.scheduling.services import BookingRefused
from apps.worklist.services.steps import StepStateRefused

APPLICATION = "OPENPACS"
TABLE_0357 = {
    100: "Segment sequence error",
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    200: "Unsupported message type",
    201: "Unsupported event code",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    204: "Unknown key identifier",
    205: "Duplicate key identifier",
    206: "Application record locked",
    207: "Application internal error",
}
UNABLE_TO_CANCEL = "UC"  # table 0119
WITH_ERR_BY_COMPONENT = ("2.1", "2.2", "2.3", "2.3.1", "2.4")


class MessageRefused(Exception):
    """Base of this door's own refusals. `at` is the place, such as `PID^1^3`."""

    def __init__(self, text: str, *, at: str = "") -> None:
        self.at = at
        super().__init__(text)


class FieldMissing(MessageRefused):
    """A field or segment without which nothing can be done."""


class ValueRefused(MessageRefused):
    """A value that is too long or not of its type."""


class CodeUnknown(MessageRefused):
    """A code that our tables do not have."""


class KeyUnknown(MessageRefused):
    """A number that names nothing here."""


class KeyTaken(MessageRefused):
    """A number that names something else here."""


class TypeUnsupported(MessageRefused):
    """A message type that is not taken, or not from this partner."""


class EventUnsupported(MessageRefused):
    """An event of a known message type that is not taken yet."""


class NotForProduction(MessageRefused):
    """A test or training message (MSH-11)."""


class SenderUnknown(MessageRefused):
    """MSH-3, MSH-4 and the address name no partner of ours."""


# Exception -> (MSA-1, table 0357, table 0119). The first line that fits decides.
TABLE: list[tuple[type[Exception], tuple[str, int, str]]] = [
    (SenderUnknown, ("AR", 204, "")),
    (TypeUnsupported, ("AR", 200, "")),
    (EventUnsupported, ("AE", 201, "")),
    (NotForProduction, ("AR", 202, "")),
    (FieldMissing, ("AE", 101, "")),
    (ValueRefused, ("AE", 102, "")),
    (CodeUnknown, ("AE", 103, "")),
    (KeyUnknown, ("AE", 204, "")),
    (KeyTaken, ("AE", 205, "")),
    (MessageError, ("AE", 100, "")),
    (FieldError, ("AE", 102, "")),
    (IdentifierTaken, ("AE", 205, "")),
    (PatientMerged, ("AE", 204, "")),
    (PatientRefused, ("AE", 102, "")),
    (AccessionTaken, ("AE", 205, "")),
    (CancelRefused, ("AE", 207, UNABLE_TO_CANCEL)),
    (TransitionRefused, ("AE", 207, UNABLE_TO_CANCEL)),
    (OrderRefused, ("AE", 102, "")),
    (BookingRefused, ("AE", 207, UNABLE_TO_CANCEL)),
    (StepStateRefused, ("AE", 207, UNABLE_TO_CANCEL)),
]
REFUSALS = tuple(kind for kind, _verdict in TABLE)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The answer to one message before it is put into words of HL7."""

    status: str
    code: int = 0
    text: str = ""
    at: str = ""
    condition: str = ""


ACCEPTED = Verdict(status="AA")


def verdict_of(error: Exception) -> Verdict:
    """The line of the table for a refusal; anything else is our own fault (AE 207)."""
    for kind, (status, code, condition) in TABLE:
        if isinstance(error, kind):
            at = getattr(error, "at", "")
            return Verdict(status=status, code=code, text=str(error), at=at, condition=condition)
    text = _("The message could not be processed here. Please send it again later.")
    return Verdict(status="AE", code=207, text=text)


def build_ack(header: Segment | None, verdict: Verdict) -> bytes:
    """The answer to the message with this MSH (None: it had none that could be read).

    MSA-2 is its MSH-10; sender and receiver change places (2.9.2).
    """
    segments = [_msa(header, verdict)]
    if verdict.status[1] != "A":
        segments.append(_err(header, verdict))
    return build_message(_header(header), segments, charset=UTF8)


def wants(condition: str, *, accepted: bool) -> bool:
    """Does MSH-15 or MSH-16 ask for an answer in this case (table 0155)?"""
    return condition in {"AL", "SU" if accepted else "ER"}


def is_enhanced(header: Segment) -> bool:
    """Enhanced mode: MSH-15 or MSH-16 is valued (2.9.3)."""
    return bool(header.get(15) or header.get(16))


def _header(header: Segment | None) -> list[str]:
    now = timezone.localtime().strftime("%Y%m%d%H%M%S%z")
    control_id = uuid.uuid4().hex[:20]
    if header is None:
        return [APPLICATION, "", "", "", now, "", "ACK", control_id, "P", "2.5.1"]
    event = header.get(9, 2)
    return [
        join(*header.components(5)) or APPLICATION,
        join(*header.components(6)),
        join(*header.components(3)),
        join(*header.components(4)),
        now,
        "",
        join("ACK", event, "ACK") if event else "ACK",
        control_id,
        escape(header.get(11)) or "P",
        escape(header.get(12)) or "2.5.1",
    ]


def _msa(header: Segment | None, verdict: Verdict) -> str:
    control_id = escape(header.get(10)) if header else ""
    condition = join(verdict.condition, "", "HL70119") if verdict.condition else ""
    return build_segment(
        "MSA", verdict.status, control_id, escape(verdict.text[:80]), "", "", condition
    )


def _err(header: Segment | None, verdict: Verdict) -> str:
    name = TABLE_0357[verdict.code]
    place = verdict.at.split("^") if verdict.at else []
    if header and header.get(12) in WITH_ERR_BY_COMPONENT:
        # ERR-1 ELD: segment^sequence^field^code (a CE, by subcomponents).
        segment, sequence, field = ([*place, "", "", ""])[:3]
        code = f"{verdict.code}&{escape(name)}&HL70357"
        return build_segment("ERR", f"{segment}^{sequence}^{field}^{code}")
    condition = join(verdict.condition, "", "HL70119") if verdict.condition else ""
    return build_segment(
        "ERR",
        "",
        join(*place),
        join(str(verdict.code), name, "HL70357"),
        "E",
        condition,
        "",
        "",
        escape(verdict.text),
    )
