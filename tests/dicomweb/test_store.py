"""STOW-RS."""

import errno
import gzip
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.audit.models import Event
from apps.dicom.reading_xml import read_native_xml
from apps.dicomweb.exceptions import BadRequestError
from apps.dicomweb.uploads import UploadedParts
from apps.studies.models import CoercionRule, Instance, Study
from apps.studies.room import forget_room
from apps.studies.services import forget_rules
from apps.studies.spool import Spool
from apps.studies.storage import stored_files
from tests.dicom.objects import ct_image, part10
from tests.factories import DeviceFactory, signed_in

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
    (failed,) = answer.json()["00081198"]["Value"]
    assert failed["00081155"]["Value"] == [image.SOPInstanceUID]
    assert failed["00081197"]["Value"] == [0x0111]
    (nameless,) = answer.json()["0008119A"]["Value"]
    assert nameless["00081197"]["Value"] == [0xC000]
    assert len(answer.json()["00081199"]["Value"]) == 1
    assert not spool.failed()
    assert not list(spool.staged.iterdir())


def test_what_is_no_dicom_at_all_is_a_bad_request(technologist: Client) -> None:
    answer = send(technologist, body(b"no image"))
    assert answer.status_code == 400
    assert answer.json()["0008119A"]["Value"][0]["00081197"]["Value"] == [0xC000]
    assert Event.objects.filter(kind="file-refused").count() == 1


def test_stored_twice_is_one_instance(technologist: Client) -> None:
    file = part10(ct_image())
    for _ in range(2):
        answer = send(technologist, body(file)).json()
        assert set(answer) == {"00081190", "00081199"}
        (item,) = answer["00081199"]["Value"]
        assert item["00081190"]["Value"][0].startswith(answer["00081190"]["Value"][0])
    row = Instance.objects.get()
    address = answer["00081190"]["Value"][0]
    accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    found = technologist.get(address, headers={"Accept": accept})
    content = found.getvalue()
    assert content.count(file[132:]) == 1
    assert row.size == len(file)


def test_a_part_may_name_its_transfer_syntax(technologist: Client) -> None:
    head = b"Content-Type: application/dicom;transfer-syntax=1.2.840.10008.1.2.1"
    assert send(technologist, body(part10(ct_image()), head=head)).status_code == 200


def test_objects_of_another_study_are_a_conflict(technologist: Client) -> None:
    image, other = ct_image(), ct_image()
    address = f"/dicom-web/studies/{image.StudyInstanceUID}"
    answer = technologist.post(address, body(part10(other)), content_type=RELATED)
    assert answer.status_code == 409
    (failed,) = answer.json()["00081198"]["Value"]
    assert failed["00081155"]["Value"] == [other.SOPInstanceUID]
    assert failed["00081197"]["Value"] == [0x0110]
    assert not Instance.objects.exists()
    both = technologist.post(address, body(part10(image), part10(other)), content_type=RELATED)
    assert both.status_code == 202
    assert both.json()["00081190"]["Value"] == [address]
    assert Instance.objects.get().sop_instance_uid == image.SOPInstanceUID


def wrongly_announced() -> bytes:
    file = part10(ct_image())
    at = file.index(b"\0\0UI\x1a\0") + 8
    return file[:at] + b"1.2.840.10008.5.1.4.1.1.4\0" + file[at + 26 :]


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (part10(ct_image(StudyInstanceUID=None, SeriesInstanceUID=None)), 0xC000),
        (part10(ct_image(SOPClassUID="1.2.840.10008.1.3.10")), 0x0122),
        (wrongly_announced(), 0xA900),
    ],
    ids=["no study", "a media directory", "two classes"],
)
def test_the_reason_of_a_failure_is_told(
    technologist: Client, spool: Spool, file: bytes, reason: int
) -> None:
    answer = send(technologist, body(file))
    assert answer.status_code == 409
    (failed,) = answer.json()["00081198"]["Value"]
    assert failed["00081197"]["Value"] == [reason]
    assert not Instance.objects.exists()
    assert not spool.failed()


def test_the_answer_is_xml_where_that_is_asked_for(technologist: Client) -> None:
    accept = {"Accept": "application/dicom+xml"}
    answer = send(technologist, body(part10(ct_image())), headers=accept)
    assert answer["Content-Type"] == "application/dicom+xml"
    assert "00081199" in read_native_xml(answer.content)
    refused = send(technologist, body(part10(ct_image())), headers={"Accept": "image/png"})
    assert refused.status_code == 406
    assert Instance.objects.count() == 1


def test_who_corrects_on_arrival_says_so(technologist: Client) -> None:
    device = DeviceFactory.create(ae_title="CT1")
    CoercionRule.objects.create(
        name="no studies", device=device, attribute="StudyDescription", action="set", value="X"
    )
    forget_rules()
    answer = send(technologist, body(part10(ct_image())))
    forget_rules()
    assert answer.status_code == 202
    (item,) = answer.json()["00081199"]["Value"]
    assert item["00081196"]["Value"] == [0xB000]


@pytest.mark.parametrize(
    ("preamble", "stays"),
    [
        (b"MZ\x90\0", False),
        (b"\x7fELF", False),
        (b"\xcf\xfa\xed\xfe", False),
        (b"<html>", False),
        (b"%PDF-1.7", False),
        (b"II*\0", True),
        (b"MM\0*", True),
    ],
)
def test_a_preamble_that_could_be_run_is_blanked(
    technologist: Client, preamble: bytes, stays: bool
) -> None:
    file = preamble.ljust(128, b"!") + part10(ct_image())[128:]
    assert send(technologist, body(file)).status_code == 200
    kept = stored_files().read(Instance.objects.get().file_name, 0, 128)
    assert kept == (file[:128] if stays else bytes(128))


def test_a_full_disk_takes_nothing(
    technologist: Client, spool: Spool, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OPENPACS_DISK_LOW = 1 << 62
    forget_room()
    answer = send(technologist, body(part10(ct_image())))
    settings.OPENPACS_DISK_LOW = 0
    forget_room()
    assert answer.status_code == 507
    assert answer.json()["error"]
    # A disk that fills up in the middle of a request.
    files = iter([OSError(errno.ENOSPC, "full")])

    def write(_path: Any, parts: Any) -> None:
        raise next(files)

    monkeypatch.setattr("apps.studies.spool._write", write)
    assert send(technologist, body(part10(ct_image()))).status_code == 507
    assert not list(spool.staged.iterdir())
    assert not Instance.objects.exists()


def test_other_methods_are_told_which_there_are(technologist: Client) -> None:
    answer = technologist.put("/dicom-web/studies")
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer["Allow"].split(", "))
    assert technologist.delete("/dicom-web/studies").status_code == 405
    answer = technologist.put("/dicom-web/studies/1.2")
    assert {"GET", "POST", "DELETE"} <= set(answer["Allow"].split(", "))


def test_many_parts_are_stored_and_too_many_refused(
    technologist: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ct_image()
    same = {"StudyInstanceUID": first.StudyInstanceUID}
    same["SeriesInstanceUID"] = first.SeriesInstanceUID
    files = [part10(ct_image(**same)) for _ in range(120)]
    assert send(technologist, body(*files)).status_code == 200
    assert Study.objects.get().instance_count == Instance.objects.count() == 120
    monkeypatch.setattr("apps.dicomweb.uploads.MAX_PARTS", 3)
    assert send(technologist, body(*files[:3])).status_code == 200
    assert send(technologist, body(*files[:4])).status_code == 413


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"--edge--\r\n", RELATED, 400),
        (body(b"x" * 400)[:-12], RELATED, 400),
        (b"--edge\r\n" + b"x" * 20_000, RELATED, 400),
        (body(b"x"), 'multipart/related; type="application/dicom"', 400),
        (body(b"x"), 'multipart/related; type="text/html"; boundary=edge', 415),
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


def test_a_body_in_another_coding_is_refused_and_says_so(technologist: Client) -> None:
    answer = technologist.post(
        "/dicom-web/studies",
        gzip.compress(body(part10(ct_image()))),
        content_type=RELATED,
        headers={"content-encoding": "gzip"},
    )
    assert answer.status_code == 415
    assert "Content-Encoding" in answer.json()["error"]


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
    strict = signed_in(user_of("technologist"), enforce_csrf_checks=True)
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
    assert [b"".join(part.chunks) for part in parts] == files


def test_a_body_cut_off_is_an_error_even_in_a_drip() -> None:
    content = body(b"x" * 1000)
    for end in range(0, len(content) - 4, 37):
        with pytest.raises(BadRequestError):
            [b"".join(part.chunks) for part in UploadedParts(Dripping(content[:end]), RELATED)]
