"""Presentation states and what else is read: pages, pictures, PDF, for those who may see them."""

import io
import subprocess
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from django.test import Client
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import (
    EncapsulatedCDAStorage,
    KeyObjectSelectionDocumentStorage,
    XRayRadiationDoseSRStorage,
)

from apps.dicom.uids import new_uid
from apps.studies.models import Instance
from tests.dicom.objects import ct_image
from tests.dicom.states import item, state_of
from tests.dicom.test_structured_report import code, number, referenced
from tests.dicom.test_structured_report import item as content
from tests.dicomweb.conftest import Keep, address_of
from tests.dicomweb.test_retrieve import get

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"
CDA = f"""<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3">
<title>Discharge</title><component><structuredBody><component><section>
<title>Course</title><text><paragraph onclick="x()">All &amp; well.</paragraph>
<script>steal()</script><table><tr><td>Hb</td><td>{HOSTILE.replace("<", "&lt;")}</td></tr></table>
</text></section></component></structuredBody></component></ClinicalDocument>"""


@pytest.fixture
def image() -> Dataset:
    cells = np.linspace(0, 4095, 64 * 64, dtype="<u2")
    return ct_image(Rows=64, Columns=64, PixelData=cells.tobytes())


def report_of(image: Dataset, kind: str, *items: Dataset, **values: Any) -> Dataset:
    """A report in the study of the image."""
    made = content("CONTAINER", "Report", ContentSequence=list(items))
    given = {
        "SOPClassUID": kind, "SOPInstanceUID": new_uid(), "SeriesInstanceUID": new_uid(),
        "StudyInstanceUID": image.StudyInstanceUID, "PatientName": "Müller^Jörg",
        "PatientID": "P1", "Modality": "SR", "SpecificCharacterSet": "ISO_IR 192", **values,
    }  # fmt: skip
    for keyword, value in given.items():
        setattr(made, keyword, value)
    return made


def names(image: Dataset) -> Dataset:
    kind, uid = image.SOPClassUID, image.SOPInstanceUID
    reference = referenced(ReferencedSOPClassUID=kind, ReferencedSOPInstanceUID=uid)
    return content("IMAGE", "Key image", ReferencedSOPSequence=reference)


def page_of(client: Client, row: Instance) -> str:
    answer = get(client, f"{address_of(row)}/rendered", "text/html")
    assert answer.status_code == 200
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "img-src data:" in policy
    assert "sandbox" in policy
    return str(answer.getvalue().decode())


def words_of(client: Client, row: Instance) -> str:
    """Those of the PDF."""
    answer = get(client, f"{address_of(row)}/rendered", "application/pdf")
    assert answer["Content-Type"] == "application/pdf"
    asked = ["pdftotext", "-layout", "-", "-"]
    done = subprocess.run(asked, input=answer.getvalue(), capture_output=True, check=True)
    return str(done.stdout.decode())


def test_a_state_is_a_page_of_its_images_and_names_those_that_are_missing(
    radiologist: Client, keep: Keep, image: Dataset
) -> None:
    keep(image)
    gone = ct_image(StudyInstanceUID=image.StudyInstanceUID)
    elsewhere = ct_image()
    keep(elsewhere)
    state = state_of(image, gone, elsewhere, ContentDescription=HOSTILE)
    page = page_of(radiologist, keep(state))
    assert page.count("<img src='data:image/jpeg;base64,") == 1
    assert page.count("not in the archive") == 2  # of another study none is shown
    assert gone.SOPInstanceUID in page
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_a_state_of_one_image_is_also_a_picture(
    radiologist: Client, keep: Keep, image: Dataset
) -> None:
    keep(image)
    row = keep(state_of(image, PresentationLUTShape="INVERSE"))
    answer = get(radiologist, f"{address_of(row)}/rendered", "image/png")
    levels = np.asarray(Image.open(io.BytesIO(answer.getvalue())))
    assert (levels[0, 0, 0], levels[63, 63, 0]) == (255, 0)


def test_wado_uri_applies_a_state_to_its_image(
    radiologist: Client, keep: Keep, image: Dataset
) -> None:
    row, state = keep(image), keep(state_of(image, ImageRotation=180))
    series = row.series
    asked = {
        "requestType": "WADO", "studyUID": series.study.study_instance_uid,
        "seriesUID": series.series_instance_uid, "objectUID": row.sop_instance_uid,
        "contentType": "image/png", "presentationUID": state.sop_instance_uid,
        "presentationSeriesUID": state.series.series_instance_uid,
    }  # fmt: skip
    answer: Any = radiologist.get(f"/wado?{urlencode(asked)}")
    levels = np.asarray(Image.open(io.BytesIO(answer.getvalue())))
    assert (levels[0, 0, 0], levels[63, 63, 0]) == (255, 0)
    no_state = {**asked, "presentationUID": row.sop_instance_uid}
    no_state["presentationSeriesUID"] = series.series_instance_uid
    assert radiologist.get(f"/wado?{urlencode(no_state)}").status_code == 400
    unknown = {**asked, "presentationUID": "1.2.3"}
    assert radiologist.get(f"/wado?{urlencode(unknown)}").status_code == 404


def test_states_that_are_not_applied_and_those_of_no_image_say_so(
    radiologist: Client, keep: Keep, image: Dataset
) -> None:
    keep(image)
    blending = state_of(image, SOPClassUID="1.2.840.10008.5.1.4.1.1.11.4")
    assert "not applied here" in page_of(radiologist, keep(blending))
    empty = state_of(image)
    del empty.ReferencedSeriesSequence
    assert "names no image" in page_of(radiologist, keep(empty))
    broken = state_of(image, ShutterShape="CIRCULAR")
    assert "<img" not in page_of(radiologist, keep(broken))


@pytest.mark.peer("pdftotext")
def test_dose_reports_begin_with_totals_and_a_table(
    radiologist: Client, keep: Keep, image: Dataset
) -> None:
    unit = code("mGy.cm", "mGy.cm", "UCUM")
    total = number("812", unit, ConceptNameCodeSequence=code("DLP Total", "113813", "DCM"))
    events = [
        content(
            "CONTAINER",
            ConceptNameCodeSequence=code("CT Acquisition", "113819", "DCM"),
            ContentSequence=[
                content(
                    "TEXT",
                    TextValue=protocol,
                    ConceptNameCodeSequence=code("Protocol", "125203", "DCM"),
                ),
                number(dose, unit, ConceptNameCodeSequence=code("", "113838", "DCM")),
            ],
        )
        for protocol, dose in ((f"Thorax {HOSTILE}", "400"), ("Abdomen", "412"))
    ]
    row = keep(report_of(image, XRayRadiationDoseSRStorage, total, *events))
    page = page_of(radiologist, row)
    assert page.index("DLP Total") < page.index("<table class='rows'>") < page.index("<details>")
    assert "<th scope='col'>DLP</th>" in page  # named by the standard where the report has no name
    assert "<td class='value'>412 mGy.cm</td>" in page
    assert HOSTILE not in page
    words = words_of(radiologist, row)
    assert "812 mGy.cm" in words
    assert HOSTILE in words  # on paper it is text like any other


def test_key_objects_show_their_images(radiologist: Client, keep: Keep, image: Dataset) -> None:
    keep(image)
    gone = ct_image()
    kind = KeyObjectSelectionDocumentStorage
    page = page_of(radiologist, keep(report_of(image, kind, names(image), names(gone))))
    assert page.count("<img src='data:image/jpeg;base64,") == 1
    assert page.count("not in the archive") == 1


@pytest.mark.peer("pdftotext")
def test_clinical_documents_are_their_words_alone(
    radiologist: Client, keep: Keep, image: Dataset
) -> None:
    document = item(
        SOPClassUID=EncapsulatedCDAStorage, SOPInstanceUID=new_uid(), SeriesInstanceUID=new_uid(),
        StudyInstanceUID=image.StudyInstanceUID, PatientID="P1", Modality="DOC",
        EncapsulatedDocument=CDA.encode() + b"\0" * (len(CDA.encode()) % 2),
    )  # fmt: skip
    row = keep(document)
    page = page_of(radiologist, row)
    assert "<h2>Course</h2>" in page
    assert "All &amp; well." in page
    assert "&lt;script&gt;" in page  # what stood in the text
    for word in ("<script", "steal", "onclick"):
        assert word not in page
    assert "All & well." in words_of(radiologist, row)
    document.SOPInstanceUID, document.EncapsulatedDocument = new_uid(), b"<a><b></a>"
    answer = get(radiologist, f"{address_of(keep(document))}/rendered", "text/html")
    assert answer.status_code == 422


def test_strangers_see_no_states(
    as_role: Callable[[str], Client], client: Client, keep: Keep, image: Dataset
) -> None:
    keep(image)
    address = f"{address_of(keep(state_of(image)))}/rendered"
    assert as_role("referrer").get(address).status_code == 404
    assert as_role("front-desk").get(address).status_code == 403
    assert client.get(address).status_code in {302, 401}
