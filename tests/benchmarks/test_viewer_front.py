"""The front that serves the viewer before Orthanc passes on what it gets, whole and in order."""

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.viewer_front import serve
from tests.servers import free_port


class Archive(BaseHTTPRequestHandler):
    """Answers with a length, or in chunks."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path.endswith("/chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n")
        else:
            body = self.headers["Accept"].encode() * 100_000
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *args: object, **named: object) -> None:
        pass


@pytest.fixture
def front() -> Iterator[http.client.HTTPConnection]:
    archive = ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    port = free_port()
    threading.Thread(target=archive.serve_forever, daemon=True).start()
    ready = threading.Event()
    threading.Thread(target=serve, args=(port, archive.server_port, ready), daemon=True).start()
    assert ready.wait(10)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    yield connection
    connection.close()
    archive.shutdown()
    archive.server_close()


def ask(front: http.client.HTTPConnection, path: str) -> bytes:
    front.request("GET", path, headers={"Accept": "a/b"})
    return front.getresponse().read()


def test_answers_of_both_forms_come_whole_over_one_connection(
    front: http.client.HTTPConnection,
) -> None:
    assert ask(front, "/dicom-web/x") == b"a/b" * 100_000
    assert ask(front, "/dicom-web/chunked") == b"firstsecond"
    assert ask(front, "/dicom-web/x") == b"a/b" * 100_000
    assert b"window.config" in ask(front, "/viewer/app-config.js")
