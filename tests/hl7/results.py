"""A partner that is sent results, and what waits for it."""

import threading
from collections.abc import Callable

from django.utils import timezone

from apps.audit.models import Event
from apps.hl7.messages import ParsedMessage, parse
from apps.hl7.mllp import Listener
from apps.hl7.models import Message

PDF = b"%PDF-1.7 report"
Sign = Callable[..., Event]


class Receiver:
    """A partner's system: keeps what it got and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[ParsedMessage] = []
        self.code = "AA"
        self.answer_to: str | None = None
        self.mute = False
        self.listener = Listener("127.0.0.1", 0, self._answer)
        self.listener.open()
        self.thread = threading.Thread(target=self.listener.serve)
        self.thread.start()

    def _answer(self, raw: bytes, _address: str) -> list[bytes]:
        message = parse(raw)
        self.got.append(message)
        if self.mute:
            return []
        control_id = self.answer_to or message.control_id
        text = f"MSH|^~\\&|EHR|||||ACK|1|P|2.5.1\rMSA|{self.code}|{control_id}|because\r"
        return [text.encode()]

    def close(self) -> None:
        self.listener.stop()
        self.thread.join(timeout=10)


def make_due() -> None:
    Message.objects.filter(status="waiting").update(next_attempt_at=timezone.now())


def the_message() -> Message:
    return Message.objects.get()
