"""The same viewer in front of Orthanc: `python -m benchmarks.viewer_front PORT ORTHANC_PORT`.

Files as openpacs serves them: compressed beforehand, names with a hash kept for ever; all
else goes to Orthanc. Bytes are passed on as they come, both ways over connections that are
kept, so that it costs Orthanc as little as a front can.
"""

import mimetypes
import re
import socket
import sys
import threading
from pathlib import Path

from openpacs.install import ROOT

FILES, PAGE = ROOT / "build" / "public", ROOT / "build" / "viewer" / "index.html"
CONFIG = Path(__file__).with_name("viewer_config.js")
HASHED = re.compile(r"^.+[.-][0-9a-f]{12,}\..+$|^.*/[0-9a-f]{12,}\..+$")
FOREVER, NOT_KEPT = "public, max-age=315360000, immutable", "no-store"
BUFFER = 1 << 18
END = b"\r\n\r\n"


def serve(port: int, behind: int, ready: threading.Event | None = None) -> None:
    """Serve for ever; `ready` is set once somebody may connect."""
    with socket.create_server(("127.0.0.1", port), backlog=128) as listener:
        if ready:
            ready.set()
        while True:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_talk, args=(client, behind), daemon=True).start()


def _talk(client: socket.socket, behind: int) -> None:
    """One connection of the browser, with one to Orthanc beside it."""
    upstream: socket.socket | None = None
    held = b""
    with client:
        try:
            while head := _head(client, held):
                request, held = head
                path = request.split(b" ", 2)[1].decode().partition("?")[0]
                if path.startswith("/dicom-web/"):
                    upstream = _passed_on(request, client, upstream, behind)
                else:
                    client.sendall(_file(path))
        except OSError:
            pass  # it hung up
        finally:
            if upstream:
                upstream.close()


def _head(source: socket.socket, held: bytes) -> tuple[bytes, bytes] | None:
    """A whole header and what came behind it; None where the other has hung up."""
    while END not in held:
        more = source.recv(BUFFER)
        if not more:
            return None
        held += more
    head, _, rest = held.partition(END)
    return head + END, rest


def _passed_on(
    request: bytes, client: socket.socket, upstream: socket.socket | None, behind: int
) -> socket.socket:
    """Ask Orthanc and pass its answer on; a kept connection that it closed is opened anew."""
    for _ in range(2):
        upstream = upstream or _connected(behind)
        try:
            upstream.sendall(request)
            answer = _head(upstream, b"")
        except OSError:
            answer = None
        if answer:
            _pass_answer(answer, upstream, client)
            return upstream
        upstream.close()
        upstream = None
    raise ConnectionError("Orthanc does not answer")


def _connected(port: int) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=120)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _pass_answer(answer: tuple[bytes, bytes], upstream: socket.socket, to: socket.socket) -> None:
    head, body = answer
    to.sendall(head + body)
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    if length:
        left = int(length[1]) - len(body)
        while left > 0 and (more := upstream.recv(min(left, BUFFER))):
            to.sendall(more)
            left -= len(more)
    elif b"chunked" in head.lower():
        while not body.endswith(b"0" + END) and (more := upstream.recv(BUFFER)):
            to.sendall(more)
            body = body[-8:] + more


def _file(path: str) -> bytes:
    """A file of the viewer, its configuration, or its page for any other address."""
    if path == "/viewer/app-config.js":
        return _answer(CONFIG.read_bytes(), "text/javascript", NOT_KEPT)
    found = FILES / path.lstrip("/")
    if "." not in path.rpartition("/")[2]:
        return _answer(PAGE.read_bytes(), "text/html; charset=utf-8", NOT_KEPT)
    if not found.is_file():
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    packed = found.with_name(f"{found.name}.gz")
    kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
    keep = FOREVER if HASHED.match(path) else "public, max-age=60"
    if packed.is_file():
        return _answer(packed.read_bytes(), kind, keep, "Content-Encoding: gzip\r\n")
    return _answer(found.read_bytes(), kind, keep)


def _answer(body: bytes, kind: str, keep: str, more: str = "") -> bytes:
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        f"Cache-Control: {keep}\r\n{more}\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
