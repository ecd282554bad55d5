"""The upload page in a real browser, with connections that break."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from apps.studies.models import Instance, Study, Upload
from tests.browsing import signed_in_page
from tests.dicom.objects import ct_image, part10
from tests.factories import PatientIdentifierFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LARGE = 9 << 20


@pytest.fixture
def page(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A technologist's browser, signed in; complaints of the browser fail the test."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    for page in signed_in_page("technologist", live_server.url):
        page.on("dialog", lambda dialog: dialog.accept())
        yield page


def large(folder: Path) -> Path:
    path = folder / "large.dcm"
    path.write_bytes(
        part10(ct_image(Rows=1024, Columns=512, NumberOfFrames=9, PixelData=bytes(LARGE)))
    )
    return path


def choose(page: Page, *files: Any) -> None:
    page.locator("[data-files]").first.set_input_files(list(files))


def test_files_for_a_patient_by_keyboard_and_mouse(
    page: Page, samples: Path, tmp_path: Path
) -> None:
    patient = PatientIdentifierFactory.create(value="P4711").patient
    page.goto("/studies/upload/")
    page.keyboard.press("/")
    page.keyboard.type("P4711")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Choose").click()
    expect(page.locator(".upload-target")).to_contain_text(patient.display_name)
    real = samples / "dicom" / "cornerstone" / "no-pixel-spacing.dcm"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.write(real, "disc/one")
        zipped.writestr("disc/readme.txt", "hello")
    packed = tmp_path / "disc.zip"
    packed.write_bytes(archive.getvalue())
    other = tmp_path / "notes.doc"
    other.write_bytes(b"no image at all")
    choose(page, real, packed, other)
    expect(page.locator("[data-summary]")).to_have_text("3 of 3 files finished")
    rows = page.locator("[data-list] > li")
    expect(rows.nth(1)).to_contain_text("disc/readme.txt: neither a DICOM file")
    expect(rows.nth(2)).to_contain_text("neither a DICOM file")
    expect(page.get_by_role("link", name="View the study").first).to_be_visible()
    study = Study.objects.get()
    assert study.patient == patient
    assert study.patient_identifier == "P4711"
    assert Instance.objects.count() == 1


def test_a_connection_that_breaks_in_the_middle_is_no_matter(page: Page, tmp_path: Path) -> None:
    seen: list[str] = []

    def sometimes(route: Route) -> None:
        seen.append(route.request.headers.get("upload-offset", ""))
        if route.request.method == "PATCH" and len(seen) in (2, 3):
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/upload/files/*/", sometimes)
    page.goto("/studies/upload/")
    choose(page, large(tmp_path))
    expect(page.locator("[data-state]")).to_have_text("stored", timeout=20_000)
    assert len(seen) >= 4
    assert Instance.objects.get().size > LARGE


def test_a_page_loaded_again_goes_on_with_the_same_file(page: Page, tmp_path: Path) -> None:
    page.route(
        "**/upload/files/*/",
        lambda route: (
            route.continue_()
            if route.request.headers.get("upload-offset") == "0"
            else route.abort("connectionreset")
        ),
    )
    page.goto("/studies/upload/")
    path = large(tmp_path)
    choose(page, path)
    expect(page.locator("[data-state]")).to_have_text(
        "the connection broke: trying again", timeout=20_000
    )
    page.unroute("**/upload/files/*/")
    page.goto("/studies/upload/")
    expect(page.locator(".upload-unfinished")).to_contain_text("large.dcm")
    here = Upload.objects.get().offset
    assert 0 < here < LARGE
    with page.expect_request(lambda request: request.method == "PATCH") as first:
        choose(page, path)
    assert first.value.headers["upload-offset"] == str(here)
    expect(page.locator("[data-state]")).to_have_text("stored", timeout=20_000)
    assert Upload.objects.count() == 1
    assert Instance.objects.get().size > LARGE
