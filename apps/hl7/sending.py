"""Carries waiting messages to their partners. No transaction is open while it does."""

import logging

from apps.hl7 import messages
from apps.hl7.mllp import NoAnswerError, exchange
from apps.hl7.models import Message
from apps.hl7.services.outbox import claim, note_not_sent, note_sent

logger = logging.getLogger(__name__)

ROUND = 500  # messages tried in one go
ANSWER_SECONDS = 30.0  # for connecting, sending and the acknowledgement together
TAKEN = frozenset({"AA", "CA"})
NEVER = frozenset({"AR", "CR"})
ANSWER_BYTES = 64 * 1024  # of an acknowledgement are kept


def send_due() -> int:
    """Try the messages that are due, in order; returns how many arrived.

    A partner that does not answer is left alone until its message is due again: the others
    keep their attempts, and the other partners do not wait for it.
    """
    sent = 0
    for _number in range(ROUND):
        message = Message.objects.due().first()
        if message is None:
            break
        if claim(message) and _attempt(message):
            sent += 1
    return sent


def _attempt(message: Message) -> bool:
    """One attempt; True where the partner has taken the message."""
    partner = message.partner
    if partner is None:
        note_not_sent(message, reason="no partner", for_good=True)
        return False
    try:
        answer = exchange(partner.host, partner.port, bytes(message.raw), timeout=ANSWER_SECONDS)
        code, reason = _read(answer, message.control_id)
    except NoAnswerError as error:
        note_not_sent(message, reason=str(error))
        logger.warning("HL7 message %s not sent to %s: %s", message.pk, partner.name, error)
        return False
    kept = answer[:ANSWER_BYTES]
    if code in TAKEN:
        note_sent(message, acknowledgement=kept)
        return True
    note_not_sent(message, reason=reason, acknowledgement=kept, for_good=code in NEVER)
    logger.warning("HL7 message %s not taken by %s: %s", message.pk, partner.pk, code or "?")
    return False


def _read(answer: bytes, control_id: str) -> tuple[str, str]:
    """MSA-1 and the reason given; "" where the answer is not to this message."""
    try:
        parsed = messages.parse(answer, default_charset="8859/1")
    except messages.MessageError:
        return "", "the answer is not an HL7 message"
    msa = parsed.first("MSA")
    if msa is None or msa.get(2) != control_id:
        return "", "the answer is to another message"
    err = parsed.first("ERR")
    told = (err.get(8) or err.raw(3) or err.raw(1)) if err else ""
    code = msa.get(1).upper()
    return code, " ".join(part for part in (code, msa.get(3), told) if part)
