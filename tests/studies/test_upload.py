"""Uploads: pieces, ZIP files, pictures, and whose they are."""

import base64
import io
import stat
import time
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset

from apps.accounts.models import User
from apps.audit.models import Event
from apps.studies import unpacking
from apps.studies.models import Instance, Study, Upload
from apps.studies.room import forget_room
from apps.studies.services import drop_old_uploads
from apps.studies.spool import Spool
from apps.studies.storage import stored_files
from apps.studies.tasks import take_in_upload
from tests.dicom.objects import ct_image, part10
from tests.factories import PatientFactory, PatientIdentifierFactory
from tests.reports.rows import make_order

pytestmark = pytest.mark.django_db
BATCH = "0123456789abcdef" * 2
PIECE = "application/offset+octet-stream"


@pytest.fixture
def technologist(as_role: Callable[[str], Client]) -> Client:
    return as_role("technologist")


def begin(client: Client, size: int, content: bytes = b"", **said: Any) -> Any:
    pairs = {"name": "a.dcm", "batch": BATCH, **said}
    coded = ",".join(
        f"{key} {base64.b64encode(str(value).encode()).decode()}" for key, value in pairs.items()
    )
    return client.post(
        reverse("studies:upload-create"),
        content,
        content_type=PIECE if content else "text/plain",
        headers={"Upload-Length": str(size), "Upload-Metadata": coded},
    )


def patch(client: Client, address: str, offset: int, content: bytes) -> Any:
    head = {"Upload-Offset": str(offset)}
    return client.patch(address, content, content_type=PIECE, headers=head)


def bring(client: Client, content: bytes, **said: Any) -> list[dict[str, Any]]:
    """Upload one file whole; what became of it."""
    answer = begin(client, len(content), content, **said)
    assert answer.status_code == 201, answer.content
    found = client.get(reverse("studies:upload-batch", args=[said.get("batch", BATCH)])).json()
    (row,) = [one for one in found["files"] if one["key"] in answer["Location"]]
    assert row["state"] == "done"
    results: list[dict[str, Any]] = row["results"]
    return results


def zipped(files: dict[str, bytes], **how: Any) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, **how) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def picture(kind: str, mode: str = "RGB", **how: Any) -> bytes:
    made = io.BytesIO()
    Image.linear_gradient("L").convert(mode).save(made, kind, **how)
    return made.getvalue()


def stored(study: Study) -> Dataset:
    row = Instance.objects.get(series__study=study)
    with stored_files().open(row.file_name) as file:
        return dcmread(io.BytesIO(file.read()))


def test_a_file_is_stored_and_told_in_plain_words(technologist: Client, spool: Spool) -> None:
    (line,) = bring(technologist, part10(ct_image()))
    assert (line["outcome"], line["words"]) == ("stored", "stored")
    assert line["study"] == Study.objects.get().pk
    assert not list((spool.root / "uploads").iterdir())
    event = Event.objects.get(kind="files-uploaded")
    assert event.details["stored"] == 1
    assert event.user is not None


def test_the_same_file_again_was_here_already(technologist: Client) -> None:
    file = part10(ct_image())
    bring(technologist, file)
    (line,) = bring(technologist, file)
    assert line["outcome"] == "known"


def test_a_file_goes_on_where_it_broke_off(technologist: Client) -> None:
    file = part10(ct_image())
    address = begin(technologist, len(file))["Location"]
    assert patch(technologist, address, 0, file[:100])["Upload-Offset"] == "100"
    head = technologist.head(address)
    assert (head["Upload-Offset"], head["Upload-Length"]) == ("100", str(len(file)))
    assert head["Tus-Resumable"] == "1.0.0"
    assert patch(technologist, address, 50, file[50:]).status_code == 409
    assert patch(technologist, address, 100, file[100:]).status_code == 204
    assert technologist.head(address)["Upload-Offset"] == str(len(file))
    assert Study.objects.exists()
    assert patch(technologist, address, len(file), b"x").status_code == 409


def test_the_same_file_chosen_again_is_the_same_upload(technologist: Client) -> None:
    first = begin(technologist, 1000, fingerprint="a.dcm|1000|17")
    patch(technologist, first["Location"], 0, b"x" * 300)
    again = begin(technologist, 1000, fingerprint="a.dcm|1000|17", batch="f" * 32)
    assert again["Location"] == first["Location"]
    assert again["Upload-Offset"] == "300"
    assert Upload.objects.get().batch == "f" * 32
    page = technologist.get(reverse("studies:upload")).content.decode()
    assert "a.dcm" in page
    assert technologist.delete(first["Location"]).status_code == 204
    assert not Upload.objects.exists()


def test_what_is_wrong_with_a_request_is_told(technologist: Client, settings: Any) -> None:
    empty = begin(technologist, 0)
    assert (empty.status_code, empty.json()) == (400, {"error": "This file is empty."})
    assert "empty" in begin(technologist, 0).json()["error"]
    assert begin(technologist, 10, batch="x").status_code == 400
    assert begin(technologist, 10, patient=99).status_code == 400
    assert begin(technologist, 1 << 50).status_code == 413
    address = begin(technologist, 10)["Location"]
    assert patch(technologist, address, 0, b"x" * 11).status_code == 413
    assert technologist.patch(address, b"x", content_type="text/plain").status_code == 415
    assert technologist.patch(address, b"x", content_type=PIECE).status_code == 400
    settings.OPENPACS_DISK_LOW = 1 << 62
    forget_room()
    answer = begin(technologist, 10)
    settings.OPENPACS_DISK_LOW = 0
    forget_room()
    assert answer.status_code == 507


def test_uploads_are_their_users_own(
    technologist: Client, as_role: Callable[[str], Client]
) -> None:
    address = begin(technologist, 10)["Location"]
    other = as_role("pacs-administrator")
    assert other.head(address).status_code == 404
    assert patch(other, address, 0, b"x").status_code == 404
    assert as_role("referrer").get(reverse("studies:upload")).status_code == 403


def test_uploads_of_yesterday_are_forgotten(technologist: Client) -> None:
    address = begin(technologist, 10)["Location"]
    patch(technologist, address, 0, b"x")
    path = Upload.objects.get().path
    assert path.exists()
    assert drop_old_uploads() == 0
    Upload.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert drop_old_uploads() == 1
    assert not path.exists()


def test_a_zip_file_is_told_file_by_file(technologist: Client, spool: Spool) -> None:
    same = ct_image()
    lines = bring(
        technologist,
        zipped(
            {
                "disc/DICOMDIR": part10(ct_image()),
                "disc/a": part10(same),
                "disc/b": part10(ct_image(StudyInstanceUID=same.StudyInstanceUID)),
                "disc/again": part10(same),
                "disc/more.zip": zipped({"c": part10(ct_image())}),
                "disc/readme.txt": b"hello",
                "disc/cut": part10(ct_image())[:-20],
                "../../evil": part10(ct_image()),
                "letter.pdf": b"%PDF-1.4",
            }
        ),
        name="disc.zip",
    )
    told = {line["name"]: line["outcome"] for line in lines}
    assert told == {
        "disc/DICOMDIR": "skipped",
        "disc/a": "stored",
        "disc/b": "stored",
        "disc/again": "known",
        "disc/more.zip": "refused",
        "disc/readme.txt": "refused",
        "disc/cut": "refused",
        "../../evil": "refused",
        "letter.pdf": "refused",
    }
    assert Study.objects.get().instance_count == 2
    assert not spool.failed()
    assert not spool.waiting()


def linked() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return made.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (linked(), "a link"),
        (zipped({"bomb": bytes(30 << 20)}), "too large"),
        (zipped({"a": b"x"})[:-30], "damaged"),
        (zipped({"a": part10(ct_image())}).replace(b"CT of", b"CT 0f"), ""),
        (b"PK\x03\x04 no archive", "damaged"),
    ],
    ids=["link", "bomb", "cut off", "altered", "none"],
)
def test_a_hostile_zip_file_stores_nothing(
    technologist: Client, spool: Spool, content: bytes, words: str
) -> None:
    lines = bring(technologist, content, name="x.zip")
    assert all(words in line["words"] for line in lines)
    if words:
        assert not Study.objects.exists()
    assert not list(spool.staged.iterdir())


def test_a_zip_file_of_too_many_files_is_refused(
    technologist: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MOST_FILES", 3)
    (line,) = bring(technologist, zipped({str(number): b"x" for number in range(4)}))
    assert "too many" in line["words"]
    monkeypatch.setattr(unpacking, "MOST_FILES", 300)
    began = time.monotonic()
    assert len(bring(technologist, zipped({str(number): b"x" for number in range(200)}))) == 200
    assert time.monotonic() - began < 5


def test_files_are_corrected_to_the_patient_that_was_chosen(technologist: Client) -> None:
    number = PatientIdentifierFactory.create(value="P77")
    patient = number.patient
    file = part10(ct_image(PatientName="Some^Body", PatientID="X"))
    bring(technologist, file, patient=patient.pk)
    study = Study.objects.get()
    assert study.patient == patient
    assert study.patient_identifier == "P77"
    assert study.patient_name == patient.person_name
    old = {one.keyword: one.old_text for one in study.corrections.all()}
    assert old["PatientID"] == "X"
    assert {one.reason for one in study.corrections.all()} == {"chosen when it was uploaded"}
    assert str(stored(study).PatientName) == "Some^Body"


def test_files_are_corrected_to_the_order_that_was_chosen(technologist: Client) -> None:
    order = make_order()
    procedure = order.procedures.get()
    bring(technologist, part10(ct_image(AccessionNumber="ELSE")), procedure=procedure.pk)
    study = Study.objects.get()
    assert study.match == "matched"
    assert list(study.procedures.all()) == [procedure]
    assert study.accession_number == order.accession_number


def test_a_study_that_is_somebody_elses_stays_so(technologist: Client) -> None:
    first = PatientIdentifierFactory.create(value="P1").patient
    file = part10(image := ct_image())
    bring(technologist, file, patient=first.pk)
    other = PatientIdentifierFactory.create(value="P2").patient
    more = part10(ct_image(StudyInstanceUID=image.StudyInstanceUID))
    (line,) = bring(technologist, more, patient=other.pk)
    assert "stays so" in line["words"]
    assert Study.objects.get().patient == first


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "turned", "PDF"])
@pytest.mark.parametrize("photo", [True, False])
def test_pictures_and_documents_become_objects_of_the_patient(
    technologist: Client, kind: str, photo: bool
) -> None:
    patient = PatientIdentifierFactory.create(value="P1").patient
    exif = Image.Exif()
    exif[0x010E], exif[0x0112] = "Some^Body", 6
    contents = {
        "JPEG": picture("JPEG", comment=b"Some^Body"),
        "PNG": picture("PNG", "RGBA"),
        "turned": picture("JPEG", exif=exif),
        "PDF": b"%PDF-1.4 ...",
    }
    said = {"patient": patient.pk, "pictures": "photo" if photo else "capture"}
    for _ in range(2):
        bring(technologist, contents[kind], name="x/letter", **said)
    study = Study.objects.get()
    assert study.patient == patient
    made = stored(study)
    assert str(made.PatientName) == patient.person_name
    if kind == "PDF":
        assert made.EncapsulatedDocument == contents["PDF"]
        assert made.DocumentTitle == "letter"
        return
    assert made.SOPClassUID.endswith(".77.1.4" if photo else "1.1.7")
    assert b"Some^Body" not in made.PixelData
    shown = made.pixel_array
    assert shown.shape == (256, 256, 3)
    across, down = int(shown[128, 200, 0]) - int(shown[128, 20, 0]), int(shown[200, 128, 0])
    assert (across < -100) if kind == "turned" else (abs(across) < 10 and down > 150)


def test_a_damaged_picture_is_refused(technologist: Client) -> None:
    patient = PatientFactory.create()
    (line,) = bring(technologist, picture("PNG")[:60], patient=patient.pk)
    assert line["outcome"] == "refused"
    assert not Study.objects.exists()


def test_pictures_for_an_order_join_its_study(technologist: Client) -> None:
    procedure = make_order().procedures.get()
    bring(technologist, picture("PNG", "L"), procedure=procedure.pk)
    study = Study.objects.get()
    assert study.study_instance_uid == procedure.study_instance_uid
    assert study.match == "matched"
    assert stored(study).PhotometricInterpretation == "MONOCHROME2"


def test_an_upload_is_taken_in_once(technologist: Client) -> None:
    bring(technologist, part10(ct_image()))
    key = Upload.objects.get().key
    take_in_upload.run(key)
    assert Event.objects.filter(kind="files-uploaded").count() == 1


def test_the_page_finds_patients_and_orders(
    technologist: Client, user_of: Callable[[str], User], django_assert_max_num_queries: Any
) -> None:
    order = make_order()
    address = reverse("studies:upload")
    with django_assert_max_num_queries(12):
        page = technologist.get(address, {"q": order.accession_number}).content.decode()
    assert f"?procedure={order.procedures.get().pk}" in page
    page = technologist.get(address, {"patient": order.patient.pk}).content.decode()
    assert f'data-patient="{order.patient.pk}"' in page
    assert order.patient.display_name in page
    page = technologist.get(address, {"patient": "999999"}).content.decode()
    assert 'data-patient=""' in page
