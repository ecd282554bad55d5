"""The viewer's scripts are kept compiled after its first image, and nothing starts twice."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pydicom
import pytest
from playwright.sync_api import ConsoleMessage, Page, Request, expect

from apps.audit.services import Origin
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from openpacs import settings as installed

pytestmark = [
    pytest.mark.browser,
    pytest.mark.samples,
    pytest.mark.django_db(transaction=True),
]
STARTED = 60_000  # milliseconds; the viewer is large
KEPT = """() => {
  const main = document.querySelector('script[src*="/app.bundle."]')?.src;
  return main && localStorage.openpacsCompiled === main;
}"""
RUNS = """() => {
  const all = performance.getEntriesByType("resource").map((one) => one.name);
  return all.filter((name) => name.includes("/app.bundle.") && name.endsWith(".js")).length;
}"""
SHOWN = "() => window.cornerstone?.getRenderingEngines?.()?.[0]?.getViewports()[0]?.csImage"


@pytest.fixture
def study(samples: Path, tmp_path: Path, transactional_db: None, origin: Origin) -> str:
    """One image of a chest, stored; the UID of its study."""
    file = min((samples / "dicom" / "ct-lidc-0314").glob("*.dcm"))
    store_instances([Spool(tmp_path / "spool").write([file.read_bytes()])], origin=origin)
    return str(pydicom.dcmread(file, stop_before_pixels=True).StudyInstanceUID)


def test_scripts_run_again_once_and_the_viewer_starts_once(page: Page, study: str) -> None:
    errors: list[str] = []
    layouts: list[str] = []

    def note_line(said: ConsoleMessage) -> None:
        if said.type == "error" or "preload" in said.text:
            errors.append(said.text)

    def note_request(asked: Request) -> None:
        if "/viewer/layouts/" in asked.url:
            layouts.append(asked.url)

    page.on("console", note_line)
    page.on("request", note_request)
    address = f"/viewer/viewer?StudyInstanceUIDs={study}"
    page.goto(address)
    page.wait_for_function(KEPT, timeout=STARTED)
    assert page.locator("[data-cy=viewport-grid]").count() == 1
    assert page.evaluate("cornerstone.getConfiguration().rendering.webGlContextCount") == 1
    assert len(layouts) == 1  # what the page fetched beforehand was taken

    page.goto(address)
    page.wait_for_function(SHOWN, timeout=STARTED)
    assert page.evaluate(RUNS) == 1
    assert errors == []


def test_as_installed_all_parts_of_the_extension_are_one_file(
    page: Page, study: str, settings: Any
) -> None:
    settings.VIEWER_EXTENSION = installed.VIEWER_EXTENSION
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    page.goto(f"/viewer/viewer?StudyInstanceUIDs={study}")
    page.wait_for_function(SHOWN, timeout=STARTED)
    expect(page.locator("[data-cy=openpacsLayouts]")).to_be_visible()
    assert [one for one in asked if one.startswith("/static/") and one.endswith(".js")] == [
        "/static/viewer/extension.js"
    ]
