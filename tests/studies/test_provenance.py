"""Objects made of images: what their study keeps, who saved them, and which are refused."""

from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedSRStorage, SegmentationStorage

from apps.audit.models import Event
from apps.audit.services import Origin
from apps.dicom.amending import Change
from apps.dicom.uids import new_uid
from apps.studies.models import Correction, Instance, Provenance, Study
from apps.studies.services import correct_study, rebuild_index, store_instances, write_sidecar
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10

pytestmark = pytest.mark.django_db
RELATED = 'multipart/related; type="application/dicom"; boundary=edge'
# Every column of a study that comes from headers.
SAID = {
    "patient_name": "Müller^Jörg",
    "patient_search_name": "MULLER JORG",
    "patient_identifier": "P0000001",
    "patient_identifier_issuer": "HOSPITAL",
    "patient_birth_date": "19800517",
    "patient_sex": "M",
    "study_date": date(2026, 5, 17),
    "study_time": time(10, 15),
    "accession_number": "A0000001",
    "study_id": "1",
    "description": "CT of the chest",
    "referring_physician": "House^Gregory",
    "time_zone": "+0200",
}


def image(**fields: Any) -> Dataset:
    return ct_image(IssuerOfPatientID="HOSPITAL", TimezoneOffsetFromUTC="+0200", **fields)


def report(about: Dataset, **fields: Any) -> Dataset:
    """A structured report as poor as the viewer writes them; fields replace or, None, remove."""
    dataset = Dataset()
    reference = Dataset()
    reference.ReferencedSOPClassUID = about.SOPClassUID
    reference.ReferencedSOPInstanceUID = about.SOPInstanceUID
    series, evidence = Dataset(), Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = about.SeriesInstanceUID, [reference]
    evidence.StudyInstanceUID = about.StudyInstanceUID
    evidence.ReferencedSeriesSequence = [series]
    observer, name = Dataset(), Dataset()
    name.CodeValue, name.CodingSchemeDesignator = "121008", "DCM"
    name.CodeMeaning = "Person Observer Name"
    observer.RelationshipType, observer.ValueType = "HAS OBS CONTEXT", "PNAME"
    observer.ConceptNameCodeSequence, observer.PersonName = [name], "unknown^unknown"
    given = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": EnhancedSRStorage,
        "SOPInstanceUID": new_uid(),
        "Modality": "SR",
        "SeriesDescription": "Create Report",
        "PatientID": about.PatientID,
        "StudyInstanceUID": about.StudyInstanceUID,
        "SeriesInstanceUID": new_uid(),
        "CurrentRequestedProcedureEvidenceSequence": [evidence],
        "ContentSequence": [observer],
        **fields,
    }
    for keyword, value in given.items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def said(study: Study) -> dict[str, Any]:
    return {column: getattr(study, column) for column in SAID}


def keep(spool: Spool, origin: Origin, *objects: Dataset) -> None:
    store_instances([spool.write([part10(one)]) for one in objects], origin=origin)


def stow(client: Client, dataset: Dataset, study: str = "") -> Any:
    content = b"--edge\r\nContent-Type: application/dicom\r\n\r\n" + part10(dataset)
    address = f"/dicom-web/studies/{study}".rstrip("/")
    return client.post(address, content + b"\r\n--edge--\r\n", content_type=RELATED)


@pytest.fixture
def radiologist(as_role: Callable[[str], Client]) -> Client:
    return as_role("radiologist")


@pytest.fixture
def about(spool: Spool, origin: Origin) -> Dataset:
    """A stored image that reports can be about."""
    made = image()
    keep(spool, origin, made)
    return made


OTHERWISE = {
    "PatientName": "Other^Name",
    "IssuerOfPatientID": "ELSEWHERE",
    "PatientBirthDate": "19700101",
    "PatientSex": "F",
    "StudyDate": "20200101",
    "StudyTime": "000000",
    "AccessionNumber": "B9",
    "StudyID": "9",
    "StudyDescription": "CAD result",
    "ReferringPhysicianName": "Nobody^At All",
    "TimezoneOffsetFromUTC": "-0500",
}


@pytest.mark.parametrize("fields", [{}, OTHERWISE, dict.fromkeys(OTHERWISE, "")])
def test_a_report_changes_nothing_that_a_study_says(
    about: Dataset, radiologist: Client, fields: dict[str, str]
) -> None:
    assert said(Study.objects.get()) == SAID
    assert stow(radiologist, report(about, **fields)).status_code == 200
    assert said(Study.objects.get()) == SAID
    found = radiologist.get("/dicom-web/studies").json()[0]
    assert found["00081030"]["Value"] == ["CT of the chest"]
    assert found["00100010"]["Value"][0]["Alphabetic"] == "Müller^Jörg"


def test_a_study_is_what_its_images_say_in_whatever_order_they_come(
    spool: Spool, origin: Origin
) -> None:
    made = image()
    keep(spool, origin, report(made, PatientID="CAD", **OTHERWISE))
    keep(spool, origin, made)
    assert said(Study.objects.get()) == SAID
    other = image()
    keep(spool, origin, report(other, PatientID="CAD", **OTHERWISE), other)
    again = Study.objects.get(study_instance_uid=other.StudyInstanceUID)
    assert said(again) == SAID


def test_who_saved_a_report_is_kept_beside_it(about: Dataset, radiologist: Client) -> None:
    made = report(about)
    stow(radiologist, made)
    row = Provenance.objects.get()
    assert row.instance.sop_instance_uid == made.SOPInstanceUID
    assert (row.name, row.user.username if row.user else "") == ("Ada Radiologist", "radiologist")
    assert row.address == "127.0.0.1"
    event = Event.objects.get(kind="object-saved")
    assert (event.user, event.study_instance_uid) == (row.user, about.StudyInstanceUID)
    assert event.details["sop_instance_uid"] == made.SOPInstanceUID


def test_of_images_and_of_what_devices_send_nobody_is_the_author(
    about: Dataset, radiologist: Client, spool: Spool, origin: Origin
) -> None:
    stow(radiologist, image(StudyInstanceUID=about.StudyInstanceUID))
    keep(spool, origin, report(about))
    assert not Provenance.objects.exists()
    assert not Event.objects.filter(kind="object-saved").exists()


def test_the_same_report_again_keeps_its_first_author(
    about: Dataset, radiologist: Client, as_role: Callable[[str], Client]
) -> None:
    made = report(about)
    stow(radiologist, made)
    stow(as_role("resident"), made)
    assert Provenance.objects.get().name == "Ada Radiologist"


def test_the_author_survives_a_new_index(
    about: Dataset, radiologist: Client, origin: Origin
) -> None:
    stow(radiologist, report(about))
    before = Provenance.objects.values("user", "name", "address", "at").get()
    write_sidecar(about.StudyInstanceUID)
    Study.everything.all().delete()
    rebuild_index(origin=origin)
    assert Provenance.objects.values("user", "name", "address", "at").get() == before
    assert said(Study.objects.get()) == SAID


def test_a_report_of_another_patient_is_refused_with_the_reason(
    about: Dataset, radiologist: Client, spool: Spool
) -> None:
    answer = stow(radiologist, report(about, PatientID="P2"))
    assert answer.status_code == 409
    assert "its patient is not the patient of the study" in answer["Warning"]
    (failed,) = answer.json()["00081198"]["Value"]
    assert failed["00081197"]["Value"] == [0x0110]
    assert Instance.objects.count() == 1
    assert Event.objects.get(kind="file-refused").details["reason"] in answer["Warning"]
    assert not spool.failed()


def test_a_segmentation_of_images_of_another_study_is_refused(
    about: Dataset, radiologist: Client
) -> None:
    stranger = report(about, SOPClassUID=SegmentationStorage, StudyInstanceUID=new_uid())
    answer = stow(radiologist, stranger)
    assert answer.status_code == 409
    assert "the images it is about are not of the study" in answer["Warning"]


def test_a_report_that_claims_the_study_of_another_address_is_refused(
    about: Dataset, radiologist: Client
) -> None:
    answer = stow(radiologist, report(about), study=new_uid())
    assert answer.status_code == 409
    assert "another study" in answer["Warning"]


def test_a_report_may_know_the_patient_by_the_number_before_a_correction(
    about: Dataset, radiologist: Client, origin: Origin
) -> None:
    correct_study(
        Study.objects.get(),
        changes=[Change("00100020", "LO", ["P7"])],
        reason="wrong number",
        source=Correction.Source.PERSON,
        origin=origin,
    )
    assert stow(radiologist, report(about, PatientID="P7")).status_code == 202  # shown corrected
    assert stow(radiologist, report(about, PatientID="P0000001")).status_code == 202
    assert stow(radiologist, report(about, PatientID="P2")).status_code == 409
    assert Study.objects.get().patient_identifier == "P7"


@pytest.mark.parametrize("patient", ["", None])
def test_a_report_that_does_not_know_its_patient_is_kept(
    about: Dataset, radiologist: Client, patient: str | None
) -> None:
    assert stow(radiologist, report(about, PatientID=patient)).status_code == 200


def test_a_device_may_send_what_a_person_may_not_save(
    about: Dataset, spool: Spool, origin: Origin, tmp_path: Path
) -> None:
    keep(spool, origin, report(about, PatientID="P2"))
    assert Instance.objects.count() == 2
    assert Study.objects.get().patient_identifier == "P0000001"


def test_the_page_of_a_report_names_who_saved_it(about: Dataset, radiologist: Client) -> None:
    made = report(about)
    stow(radiologist, made)
    address = (
        f"/dicom-web/studies/{made.StudyInstanceUID}/series/{made.SeriesInstanceUID}"
        f"/instances/{made.SOPInstanceUID}/rendered"
    )
    page = radiologist.get(address, headers={"Accept": "text/html"}).content.decode()
    assert "Saved here by" in page
    assert page.count("Ada Radiologist") == 2
    assert "unknown" not in page.lower()
