"""A bucket that is slow, fails or keeps half: nothing is lost, nothing half is shown."""

import http.client
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.studies.models import Instance, Study
from apps.studies.services import Outcome, is_unaltered, store_instances, verify_files
from apps.studies.services.sidecars import read_sidecar
from apps.studies.spool import Spool
from apps.studies.storage import StorageAwayError, StorageError, stored_files
from tests.dicom.objects import ct_image, part10
from tests.studies.test_bucket import BUCKET, KEYS, endpoint

__all__ = ["endpoint"]
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.fault,
    # botocore leaves connections that were cut to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("cut_connections"),
]


class Unreliable(ThreadingHTTPServer):
    """Passes requests on to a real server, with the faults it is told to make."""

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.behind = urlsplit(behind).netloc
        self.failing = 0  # answers 503 to so many requests
        self.cutting = 0  # hangs up within so many uploads
        self.seconds = 0.0  # waits before each answer

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Unreliable

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(self.server.seconds)
        if self.command == "PUT" and self.server.cutting:
            self.server.cutting -= 1
            self.close_connection = True
            return
        if self.server.failing:
            self.server.failing -= 1
            self._answer(503, {}, b"")
            return
        behind = http.client.HTTPConnection(self.server.behind, timeout=30)
        headers = {**self.headers, "Host": self.headers["Host"]}
        behind.request(self.command, self.path, body, headers)
        answer = behind.getresponse()
        content = answer.read()
        behind.close()
        self._answer(answer.status, dict(answer.getheaders()), content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"connection", "content-length", "transfer-encoding"}:
                self.send_header(name, value)
        length = headers.get("Content-Length") or headers.get("content-length")
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass_on  # noqa: N815 - names of the base

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's word
        """Nothing: requests of tests are many."""


@pytest.fixture
def server(endpoint: str, settings: Any) -> Iterator[Unreliable]:
    """The site's storage is a bucket behind an unreliable server."""
    made = Unreliable(endpoint)
    thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    query = f"endpoint_url={made.address}&region_name=us-east-1&access_key=key&secret_key=secret"
    settings.STORAGES = {
        **settings.STORAGES,
        "dicom": {
            "BACKEND": "apps.studies.storage.dicom_storage",
            "OPTIONS": {"location": f"s3://{BUCKET}/faults?{query}"},
        },
    }
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def objects(endpoint: str) -> Any:
    return boto3.resource("s3", endpoint_url=endpoint, **KEYS).Bucket(BUCKET)


def test_a_bucket_that_fails_for_a_moment_is_asked_again(
    server: Unreliable, spool: Spool, origin: Origin
) -> None:
    server.failing, server.cutting = 1, 1
    (stored,) = store_instances([spool.write([part10(ct_image())])], origin=origin)
    assert stored.outcome is Outcome.STORED
    assert (server.failing, server.cutting) == (0, 0)
    assert verify_files(origin=origin).whole == 1


def test_a_bucket_that_keeps_failing_leaves_the_file_in_the_spool(
    server: Unreliable, spool: Spool, origin: Origin
) -> None:
    path = spool.write([part10(ct_image())])
    server.cutting = 1000
    with pytest.raises(StorageError, match="upload failed"):
        store_instances([path], origin=origin)
    assert spool.waiting() == [path]
    assert not Study.objects.exists()
    server.cutting = 0
    (stored,) = store_instances([path], origin=origin)
    assert stored.outcome is Outcome.STORED
    assert not spool.waiting()


def test_an_upload_of_which_half_was_kept_is_made_again(
    server: Unreliable, endpoint: str, spool: Spool, origin: Origin
) -> None:
    content = part10(ct_image())
    path = spool.write([content])
    original = Passing._pass_on

    def keep_half(handler: Passing) -> None:
        original(handler)
        if handler.command == "PUT":
            key = urlsplit(handler.path).path.removeprefix(f"/{BUCKET}/")
            objects(endpoint).Object(key).put(Body=content[: len(content) // 2])

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Passing, "do_PUT", keep_half)
        with pytest.raises(StorageError, match="instead of"):
            store_instances([path], origin=origin)
    assert spool.waiting() == [path]
    assert not Instance.objects.exists()
    store_instances([path], origin=origin)
    kept = objects(endpoint).Object(f"faults/{Instance.objects.get().file_name}")
    assert kept.get()["Body"].read() == content


def test_a_slow_bucket_only_takes_longer(server: Unreliable, spool: Spool, origin: Origin) -> None:
    server.seconds = 0.3
    paths = [spool.write([part10(ct_image())]) for _ in range(3)]
    stored = store_instances(paths, origin=origin)
    assert {one.outcome for one in stored} == {Outcome.STORED}


def test_an_object_that_the_bucket_never_takes_does_not_hold_up_the_others(
    server: Unreliable, spool: Spool, origin: Origin
) -> None:
    images = [ct_image(SOPInstanceUID=f"2.25.9{number}") for number in range(4)]
    paths = [spool.write([part10(image)]) for image in images]
    original = Passing._pass_on

    def refuse_one(handler: Passing) -> None:
        if handler.path.endswith(paths[1].name):
            handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
            handler._answer(503, {}, b"")
        else:
            original(handler)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Passing, "do_PUT", refuse_one)
        with pytest.raises(StorageError, match="upload failed"):
            store_instances(paths, origin=origin)
    assert Instance.objects.count() == 3
    assert spool.waiting() == [paths[1]]
    store_instances(paths, origin=origin)
    assert verify_files(origin=origin).whole == 4


def test_many_images_are_on_their_way_to_a_slow_bucket_at_once(
    server: Unreliable, spool: Spool, origin: Origin
) -> None:
    server.seconds = 0.3
    images = [ct_image(SOPInstanceUID=f"2.25.9{number}") for number in range(8)]
    most, under_way, counting = 0, 0, Lock()
    original = Passing._pass_on

    def count(handler: Passing) -> None:
        nonlocal most, under_way
        with counting:
            under_way += 1
            most = max(most, under_way)
        original(handler)
        with counting:
            under_way -= 1

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Passing, "do_PUT", count)
        store_instances([spool.write([part10(image)]) for image in images], origin=origin)
    assert Instance.objects.count() == 8
    assert most > 2


def test_a_bucket_that_is_away_is_no_damage(
    server: Unreliable, spool: Spool, origin: Origin
) -> None:
    store_instances([spool.write([part10(ct_image())])], origin=origin)
    row = Instance.objects.get()
    server.failing = 1000
    for ask in (
        lambda: is_unaltered(row),
        lambda: verify_files(origin=origin),
        lambda: stored_files().open(row.file_name),
        lambda: stored_files().remove(row.file_name),
        lambda: list(stored_files().names("studies")),
        lambda: read_sidecar(row.series.study.study_instance_uid),
    ):
        with pytest.raises(StorageAwayError):
            ask()
    assert not Event.objects.filter(kind=Kind.FILE_DAMAGED).exists()
    server.failing = 0
    assert is_unaltered(row)
    stored_files().remove(row.file_name)
    assert not is_unaltered(row)
