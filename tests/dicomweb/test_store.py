"""STOW-RS."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.audit.models import Event
from apps.dicomweb.exceptions import BadRequestError
from apps.dicomweb.uploads import UploadedParts
from apps.studies.models import Instance, Study
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10

pytestmark = pytest.mark.django_db
RELATED = 'multipart/related; type="application/dicom"; boundary=edge'


@pytest.fixture
def technologist(as_role: Callable[[str], Client]) -> Client:
    return as_role("technologist")


def body(*files: bytes, head: bytes = b"Content-Type: application/dicom") -> bytes:
    parts = b"".join(b"--edge\r\n" + head + b"\r\n\r\n" + one + b"\r\n" for one in files)
    return parts + b"--edge--\r\n"


def send(client: Client, content: bytes, content_type: str = RELATED, **more: Any) -> Any:
    return client.post("/dicom-web/studies", content, content_type=content_type, **more)


def test_files_are_stored_and_can_be_found_at_once(technologist: Client) -> None:
    image = ct_image()
    answer = send(technologist, body(part10(image)))
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/dicom+json"
    (item,) = answer.json()["00081199"]["Value"]
    assert item["00081155"]["Value"] == [image.SOPInstanceUID]
    found = technologist.get(item["00081190"]["Value"][0] + "/metadata")
    assert found.json()[0]["00080018"]["Value"] == [image.SOPInstanceUID]
    assert Event.objects.get(kind="study-received").peer == "technologist"


def test_some_stored_and_some_refused_are_told_apart(technologist: Client, spool: Spool) -> None:
    image = ct_image()
    send(technologist, body(part10(image)))
    image.PixelData = bytes(48)
    answer = send(technologist, body(part10(ct_image()), b"no image", part10(image)))
    assert answer.status_code == 202
    failed = [one["00081197"]["Value"] for one in answer.json()["00081198"]["Value"]]
    assert failed == [[0xC000], [0x0111]]
    assert len(answer.json()["00081199"]["Value"]) == 1
    assert send(technologist, body(b"no image")).status_code == 409
    assert len(spool.failed()) == 2


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"--edge--\r\n", RELATED, 400),
        (body(b"x" * 400)[:-12], RELATED, 400),
        (b"--edge\r\n" + b"x" * 20_000, RELATED, 400),
        (body(b"x"), 'multipart/related; type="application/dicom"', 400),
        (body(b"x"), 'multipart/related; type="application/dicom+json"; boundary=edge', 415),
        (body(b"x"), "application/dicom", 415),
        (body(b"x", head=b"Content-Type: text/html"), RELATED, 415),
    ],
)
def test_a_broken_request_leaves_nothing_behind(
    technologist: Client, spool: Spool, content: bytes, content_type: str, status: int
) -> None:
    answer = send(technologist, content, content_type)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert not spool.waiting()
    assert not spool.failed()
    assert not Study.objects.exists()


def test_who_may_only_look_may_not_store(as_role: Callable[[str], Client], client: Client) -> None:
    answer = send(as_role("referrer"), body(part10(ct_image())))
    assert answer.status_code == 403
    assert answer.json() == {"error": "You may not do this."}
    assert send(client, body(part10(ct_image()))).status_code == 401
    assert not Instance.objects.exists()


@pytest.mark.parametrize("role", ["radiologist", "resident"])
def test_who_reads_stores_what_the_viewer_made(as_role: Callable[[str], Client], role: str) -> None:
    assert send(as_role(role), body(part10(ct_image()))).status_code == 200
    event = Event.objects.get(kind="study-received")
    assert event.user is not None
    assert event.user.username == role


def test_storing_needs_the_token_of_the_page(user_of: Callable[[str], Any]) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user_of("technologist"), backend="django.contrib.auth.backends.ModelBackend")
    answer = send(strict, body(part10(ct_image())))
    assert answer.status_code == 403
    assert "token" in answer.json()["error"]
    assert not Instance.objects.exists()


class Dripping(io.BytesIO):
    """A stream that gives a few bytes at a time, so that boundaries are cut anywhere."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(7)


def test_parts_come_out_whole_however_the_bytes_arrive() -> None:
    files = [b"\r\n--edg" * 50, b"", b"--edge", part10(ct_image())]
    parts = UploadedParts(Dripping(b"preface\r\n" + body(*files)), RELATED)
    assert [b"".join(part) for part in parts] == files


def test_a_body_cut_off_is_an_error_even_in_a_drip() -> None:
    content = body(b"x" * 1000)
    for end in range(0, len(content) - 4, 37):
        with pytest.raises(BadRequestError):
            [b"".join(part) for part in UploadedParts(Dripping(content[:end]), RELATED)]
