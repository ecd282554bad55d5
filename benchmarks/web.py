"""DICOMweb contestants and lean HTTP clients: one connection each, kept open."""

import json
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

from benchmarks.processes import BenchmarkError

ROOT = "/dicom-web"
JSON = "application/dicom+json"
OCTETS = "multipart/related; type=application/octet-stream; transfer-syntax=*"
DICOM = "multipart/related; type=application/dicom; transfer-syntax=*"
BUFFER = 1 << 20
SECONDS = 120.0  # without a byte
_LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True)
class Site:
    """Where a contestant answers, and what it wants to be told with every request."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    headers: dict[str, str]
    body: bytes


class Connection:
    """One kept-alive connection; answers are read as fast as they come, and not copied."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._socket = socket.create_connection(("127.0.0.1", site.port), timeout=SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(BUFFER)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def read(self, path: str, accept: str, **headers: str) -> None:
        """Ask, and throw away what comes."""
        said, held = self._ask(path, accept, headers)
        if "content-length" in said:
            left = int(said["content-length"]) - len(held)
            while left > 0:
                left -= self._some(left)
        else:
            while not held.endswith(_LAST_CHUNK):
                held = held[-len(_LAST_CHUNK) :] + bytes(self._buffer[: self._some(BUFFER)])

    def get(self, path: str, accept: str, **headers: str) -> Answer:
        return self._whole(*self._ask(path, accept, headers))

    def post(self, path: str, content_type: str, body: bytes) -> Answer:
        """Send a body; the whole answer."""
        said = {"Content-Type": content_type, "Content-Length": str(len(body))}
        self._send(path, JSON, said, method="POST")
        self._socket.sendall(body)
        return self._whole(*self._front(path))

    def _whole(self, said: dict[str, str], held: bytes) -> Answer:
        body = bytearray(held)
        while not _is_whole(said, body):
            body += self._buffer[: self._some(BUFFER)]
        whole = bytes(body)
        return Answer(said, whole if "content-length" in said else b"".join(_unchunked(whole)))

    def stream(self, path: str, accept: str, *, most: int) -> int:
        """Read so many bytes of an answer of any length or form, then hang up."""
        self._send(path, accept, {})
        read = 0
        while read < most and (more := self._socket.recv_into(self._buffer)):
            read += more
        return read

    def _ask(self, path: str, accept: str, more: dict[str, str]) -> tuple[dict[str, str], bytes]:
        self._send(path, accept, more)
        return self._front(path)

    def _front(self, path: str) -> tuple[dict[str, str], bytes]:
        """The header of an answer, and what has come of its body."""
        front = b""
        while b"\r\n\r\n" not in front:
            front += bytes(self._buffer[: self._some(BUFFER)])
        head, _, held = front.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        said = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
        if " 200 " not in first:
            raise BenchmarkError(f"{path}: {first}")
        return said, held

    def _send(self, path: str, accept: str, more: dict[str, str], *, method: str = "GET") -> None:
        said = {"Host": f"127.0.0.1:{self._site.port}", "Accept": accept}
        lines = [
            f"{name}: {value}" for name, value in {**said, **self._site.headers, **more}.items()
        ]
        head = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""])
        self._socket.sendall(head.encode())

    def _some(self, most: int) -> int:
        read = self._socket.recv_into(self._buffer, min(most, BUFFER))
        if not read:
            raise BenchmarkError("the server hung up in the middle of an answer")
        return read


def _is_whole(said: dict[str, str], body: bytearray) -> bool:
    if "content-length" in said:
        return len(body) >= int(said["content-length"])
    return body.endswith(_LAST_CHUNK)


def _unchunked(body: bytes) -> Iterator[bytes]:
    """RFC 9112 7.1"""
    position = 0
    while True:
        end = body.index(b"\r\n", position)
        length = int(body[position:end], 16)
        if not length:
            return
        yield body[end + 2 : end + 2 + length]
        position = end + 2 + length + 2


def read_all(site: Site, paths: Sequence[str], accept: str, *, readers: int) -> float:
    """Read every address, dealt out to so many connections; seconds it took."""
    shares = [paths[number::readers] for number in range(readers)]
    with ThreadPoolExecutor(readers) as pool:
        ready = threading.Barrier(readers + 1)
        jobs = [pool.submit(_read_share, site, share, accept, ready) for share in shares]
        ready.wait()
        began = time.perf_counter()
        for job in jobs:
            job.result()
        return time.perf_counter() - began


def _read_share(site: Site, paths: Iterable[str], accept: str, ready: threading.Barrier) -> None:
    with Connection(site) as connection:
        ready.wait()
        for path in paths:
            connection.read(path, accept)


def instances_of(site: Site, study: str) -> list[str]:
    """The addresses of all instances of a study."""
    with Connection(site) as connection:
        answer = connection.get(f"{ROOT}/studies/{study}/instances?limit=1000", JSON)
    return [
        f"{ROOT}/studies/{study}/series/{row['0020000E']['Value'][0]}"
        f"/instances/{row['00080018']['Value'][0]}"
        for row in json.loads(answer.body)
    ]
