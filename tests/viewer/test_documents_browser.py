"""Documents beside the images, in a real viewer: a dose report and a presentation state."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from pydicom.dataset import Dataset
from pydicom.uid import XRayRadiationDoseSRStorage

from tests.dicom.objects import ct_image
from tests.dicom.states import graphic, item, state_of
from tests.dicom.test_structured_report import code
from tests.dicomweb.conftest import Keep, keep, spool
from tests.viewer.test_documents import HOSTILE, document

__all__ = ["keep", "spool"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PATIENCE = 30_000  # milliseconds: the viewer is large


def image() -> Dataset:
    cells = np.linspace(0, 4095, 64 * 64, dtype="<u2")
    return ct_image(
        Rows=64, Columns=64, PixelData=cells.tobytes(), PixelSpacing=[1, 1],
        ImagePositionPatient=[0, 0, 0], ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        FrameOfReferenceUID="2.25.77", WindowCenter="2000", WindowWidth="4000",
    )  # fmt: skip


def test_what_the_viewer_cannot_show_is_read_beside_the_images(page: Page, keep: Keep) -> None:
    shown = image()
    keep(shown)
    keep(document(shown, XRayRadiationDoseSRStorage, ConceptNameCodeSequence=code(HOSTILE)))
    marks = item(GraphicLayer="L", GraphicObjectSequence=[graphic("CIRCLE", 32, 32, 40, 32)])
    voi = item(WindowCenter="100", WindowWidth="200")
    keep(
        state_of(
            shown,
            ContentDescription="Marks",
            GraphicAnnotationSequence=[marks],
            SoftcopyVOILUTSequence=[voi],
        )
    )
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"/viewer/viewer?StudyInstanceUIDs={shown.StudyInstanceUID}")
    expect(page.locator("canvas.cornerstone-canvas").first).to_be_visible(timeout=PATIENCE)
    page.locator("#openpacsDocuments-btn").click()
    report = page.get_by_role("link", name=HOSTILE)
    expect(report).to_be_visible(timeout=PATIENCE)
    report.click()
    beside = page.frame_locator(".openpacs-document iframe")
    expect(beside.get_by_role("heading", name=HOSTILE)).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Close the document").click()
    expect(page.locator(".openpacs-document")).to_have_count(0)
    button = page.get_by_role("button", name="Show on the image")
    button.click()
    expect(page.locator(".openpacs-graphics path")).to_have_count(1, timeout=PATIENCE)
    expect(page.get_by_text("W:200").or_(page.get_by_text("200", exact=True)).first).to_be_visible()
    button.click()
    expect(page.locator(".openpacs-graphics")).to_have_count(0)
    assert page.locator("[data-sonner-toast]").count() == 0
    assert complaints == []
