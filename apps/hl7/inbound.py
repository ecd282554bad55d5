"""From the bytes of a message to the bytes of its answers.

Kept first, in a transaction of its own; then the effect, the journal row and the stored
acknowledgement commit together, and only then is the acknowledgement given out. Whatever
goes wrong, the sender hears AE or AR and can send again.
"""

import datetime
import logging
from collections.abc import Iterator

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.services import Origin
from apps.hl7 import acks, messages
from apps.hl7.fields import FieldError, read_moment
from apps.hl7.handlers import Handler, News
from apps.hl7.handlers.orders import take_orders
from apps.hl7.handlers.patients import take_patient
from apps.hl7.models import Message, Partner
from apps.hl7.services import received

logger = logging.getLogger(__name__)

# Message type -> (right of the partner, events taken, who takes it).
HANDLERS: dict[str, tuple[str, frozenset[str], Handler]] = {
    "ADT": (
        "may_send_patients",
        frozenset({"A01", "A04", "A05", "A08", "A28", "A31"}),
        take_patient,
    ),
    "ORM": ("may_send_orders", frozenset({"O01"}), take_orders),
    "OMG": ("may_send_orders", frozenset({"O19"}), take_orders),
    "OMI": ("may_send_orders", frozenset({"O23"}), take_orders),
}
PRODUCTION = frozenset({"", "P"})  # MSH-11; D and T are debugging and training
CLOCK_ERROR = datetime.timedelta(days=1)


def receive(raw: bytes, address: str) -> Iterator[bytes]:
    """Take what one frame held; yields the answers, each when what it says is true.

    A batch (FHS/BHS) gives one answer per message.
    """
    for one in messages.split_batch(raw):
        header = _header(one)
        try:
            yield from _receive_one(one, header, address)
        except Exception as error:  # noqa: BLE001 - the sender is answered whatever happens
            # Not even kept: no database, or a full disk.
            logger.error("HL7 message not kept: %s", _told(error))  # noqa: TRY400 - a trace may name a patient
            yield acks.build_ack(header, acks.verdict_of(error))


def _receive_one(raw: bytes, header: messages.Segment | None, address: str) -> Iterator[bytes]:
    partner = None
    if header is not None:
        partner = Partner.objects.calling(header.get(3), header.get(4), address)
    if header is None or partner is None:
        yield _turn_away(raw, header, address)
        return
    origin = Origin(protocol="hl7", peer=partner.name, address=address)
    message = received.keep_received(partner, raw=raw, header=header)
    enhanced = acks.is_enhanced(header)
    if enhanced and acks.wants(header.get(15), accepted=True):
        yield acks.build_ack(header, acks.Verdict(status="CA"))
    answer, accepted = _answer(message, header, partner, origin)
    if not enhanced or acks.wants(header.get(16), accepted=accepted):
        yield answer


def _answer(
    message: Message, header: messages.Segment, partner: Partner, origin: Origin
) -> tuple[bytes, bool]:
    """The acknowledgement, and whether it is AA.

    A message that was taken gets its stored answer again. One that was refused is looked
    at again: it had no effect, and what it missed (a catalogue entry) may be there now.
    """
    if message.status == Message.Status.PROCESSED:
        received.note_repeat(message)
        return bytes(message.acknowledgement or b""), True
    try:
        return _take(message, header, partner, origin), True
    except acks.REFUSALS as error:
        verdict = acks.verdict_of(error)
        answer = acks.build_ack(header, verdict)
        received.refuse(message, verdict=verdict, acknowledgement=answer, origin=origin)
        logger.info("HL7 message %s refused: %s %s", message.pk, verdict.status, verdict.code)
        return answer, False
    except Exception as error:  # noqa: BLE001 - the sender is answered whatever happens
        logger.error("HL7 message %s failed: %s", message.pk, _told(error))  # noqa: TRY400 - a trace may name a patient
        received.note_failure(message, error=type(error).__name__)
        return acks.build_ack(header, acks.verdict_of(error)), False


def _take(message: Message, header: messages.Segment, partner: Partner, origin: Origin) -> bytes:
    handler = _handler_for(header, partner)
    parsed = messages.parse(bytes(message.raw), default_charset=partner.character_set)
    news = News(
        message=parsed, partner=partner, origin=origin, happened_at=_happened_at(parsed, partner)
    )
    with transaction.atomic():
        row = received.locked(message)
        if row.status == Message.Status.PROCESSED:  # the same on another connection
            return bytes(row.acknowledgement or b"")
        taken = handler(news)
        answer = acks.build_ack(header, acks.ACCEPTED)
        received.conclude(
            row,
            taken=taken,
            acknowledgement=answer,
            happened_at=news.happened_at,
            origin=origin,
        )
    return answer


def _handler_for(header: messages.Segment, partner: Partner) -> Handler:
    """Who takes this kind of message from this partner; raises the refusal where nobody."""
    kind, event = header.get(9), header.get(9, 2)
    if not header.get(10):
        raise acks.FieldMissing(_("MSH-10, the control ID, is missing."), at="MSH^1^10")
    if header.get(11) not in PRODUCTION:
        text = _("Only production messages (MSH-11 P) are taken here.")
        raise acks.NotForProduction(text, at="MSH^1^11")
    if kind not in HANDLERS:
        text = _("%(kind)s messages are not taken here.") % {"kind": kind[:16] or "?"}
        raise acks.TypeUnsupported(text, at="MSH^1^9")
    allowed, events, handler = HANDLERS[kind]
    if not getattr(partner, allowed):
        text = _("%(kind)s messages are not taken from this sender.") % {"kind": kind}
        raise acks.TypeUnsupported(text, at="MSH^1^9")
    if event and event not in events:
        text = _("Event %(event)s is not supported yet.") % {"event": event[:16]}
        raise acks.EventUnsupported(text, at="MSH^1^9")
    return handler


def _header(raw: bytes) -> messages.Segment | None:
    try:
        return messages.header_of(raw)
    except messages.MessageError:
        return None


def _turn_away(raw: bytes, header: messages.Segment | None, address: str) -> bytes:
    """Refuse a message of nobody we know, or of nobody it names."""
    error: Exception = acks.TypeUnsupported(_("This is not an HL7 message: it has no MSH."))
    peer = ""
    if header is not None:
        peer = "|".join((header.get(3), header.get(4)))[:128]
        error = acks.SenderUnknown(_("This sender is not known here."), at="MSH^1^3")
    verdict = acks.verdict_of(error)
    answer = acks.build_ack(header, verdict)
    message = received.refuse_stranger(
        raw,
        kind="^".join((header.get(9), header.get(9, 2))) if header else "",
        verdict=verdict,
        acknowledgement=answer,
        origin=Origin(protocol="hl7", peer=peer, address=address),
    )
    logger.warning("HL7 message %s from %s refused: unknown sender", message.pk, address)
    return answer


def _happened_at(parsed: messages.ParsedMessage, partner: Partner) -> datetime.datetime | None:
    """EVN-2, else MSH-7: the first that can be believed and tells the time of day."""
    event = parsed.first("EVN")
    texts = (event.get(2) if event else "", parsed.header.get(7))
    moments = (_moment(text, partner) for text in texts)
    return next((at for at in moments if at), None)


def _moment(text: str, partner: Partner) -> datetime.datetime | None:
    try:
        moment = read_moment(text, zone=partner.zone)
    except FieldError:
        return None
    if moment is None or moment.precision != "time":
        return None
    # A clock that runs ahead must not make everything after it old news.
    return moment.at if moment.at < timezone.now() + CLOCK_ERROR else None


def _told(error: BaseException) -> str:
    """What broke, and the innermost line of ours that it came through.

    Not what the exception says: that may hold a patient's name.
    """
    place, trace = "?", error.__traceback__
    while trace:
        module = str(trace.tb_frame.f_globals.get("__name__", "?"))
        if module.startswith("apps."):
            place = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} in {place}"
