"""Somebody else's end of an HL7 line: a bare socket that knows MLLP and nothing of ours."""

import socket
import threading
import time
from types import TracebackType
from typing import Self

START, END = b"\x0b", b"\x1c\x0d"


class ListeningPeer:
    """A port that keeps every message it gets and acknowledges each with AA."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(timeout=5)

    def wait_for(self, text: str, seconds: float = 60) -> str:
        """The first message that holds `text`, now or within `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for message in list(self.messages):
                if text in message:
                    return message
            time.sleep(0.1)
        raise AssertionError(f"no message with {text!r} came; got {len(self.messages)}")

    def _listen(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:  # closed: the test is over
                return
            with line:
                self._answer(line)

    def _answer(self, line: socket.socket) -> None:
        received = b""
        while chunk := line.recv(65536):
            received += chunk
            while END in received:
                message, _, received = received.partition(END)
                text = message.lstrip(START).decode()
                self.messages.append(text)
                line.sendall(START + _acknowledge(text).encode() + END)


def send(port: int, message: str) -> str:
    """Send one message (segments on lines of their own) and return what is answered."""
    body = "\r".join(line.strip() for line in message.strip().splitlines()) + "\r"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as line:
        line.sendall(START + body.encode() + END)
        received = b""
        while END not in received:
            chunk = line.recv(65536)
            assert chunk, "the line was cut before an acknowledgement"
            received += chunk
    return received.partition(END)[0].lstrip(START).decode()


def _acknowledge(message: str) -> str:
    header = message.split("\r", maxsplit=1)[0].split("|")
    return f"MSH|^~\\&|PEER|PEER|OPENPACS||20260101||ACK|A{header[9]}|P|2.3.1\rMSA|AA|{header[9]}\r"
