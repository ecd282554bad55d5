"""Key images and a saved measurement in a real viewer, on a few slices of a real CT."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from apps.audit.services import SYSTEM
from apps.dicom.key_objects import KEY_OBJECTS
from apps.studies.models import Instance, Provenance, Study
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from tests.browsing import signed_in_page
from tests.conftest import do_without
from tests.studies.conftest import spool

__all__ = ["spool"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.samples,
    pytest.mark.django_db(transaction=True),
]
SLICES = 4
PATIENCE = 60_000  # milliseconds, for a machine that has other things to do


@pytest.fixture
def study(samples: Path, spool: Spool, transactional_db: None) -> Study:
    if not (settings.BUILD_DIR / "viewer" / "index.html").is_file():
        do_without("the viewer is not installed: run make install")
    files = sorted((samples / "dicom" / "ct-lidc-0314").glob("*.dcm"))[:SLICES]
    store_instances([spool.write([one.read_bytes()]) for one in files], origin=SYSTEM)
    return Study.objects.get()


@pytest.fixture
def page(live_server: Any, study: Study, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    yield from signed_in_page("radiologist", live_server.url)


def star(page: Page) -> Any:
    return page.get_by_role("button", name="Key image", exact=True)


def opened(page: Page, study: Study) -> None:
    page.goto(f"/viewer/viewer?StudyInstanceUIDs={study.study_instance_uid}")
    expect(star(page)).to_be_enabled(timeout=PATIENCE)


def said(study: Study) -> dict[str, Any]:
    row = Study.objects.values().get(pk=study.pk)
    changing = {"modalities", "size", "revision", "status", "last_instance_at"}
    return {
        name: value
        for name, value in row.items()
        if name not in changing and not name.endswith("_count")
    }


def test_a_star_is_kept_and_a_saved_measurement_has_an_author(page: Page, study: Study) -> None:
    before = said(study)
    opened(page, study)
    with page.expect_response(re.compile("/change/$"), timeout=PATIENCE) as answer:
        star(page).click()
        expect(star(page)).to_have_attribute("aria-pressed", "true")
    assert answer.value.ok
    marked = Instance.objects.get(sop_instance_uid=answer.value.json()["images"][0]["image"])
    page.mouse.move(700, 500)
    page.keyboard.press("ArrowDown")
    expect(star(page)).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Shift+K")
    expect(star(page)).to_have_attribute("aria-pressed", "true")

    measure_and_save(page)
    report = Provenance.objects.exclude(instance__sop_class_uid=KEY_OBJECTS).get()
    assert (report.name, report.instance.series.modality) == ("Ada Radiologist", "SR")
    assert said(study) == before

    found = page.request.get("/dicom-web/series?Modality=KO").json()
    assert [one["0020000D"]["Value"] for one in found] == [[study.study_instance_uid]]
    page.goto(f"/studies/{study.pk}/")
    expect(page.get_by_role("region", name="Made here")).to_contain_text("Ada Radiologist")
    shown = page.get_by_role("region", name="Key images").get_by_role("link")
    expect(shown).to_have_count(1)
    page.goto(shown.get_attribute("href") or "")
    expect(star(page)).to_have_attribute("aria-pressed", "true", timeout=PATIENCE)
    assert page.evaluate(SHOWN) == marked.sop_instance_uid


READ_AGAIN = """async () => {
  const { unsaved } = await import("/static/js/viewer/measurements.js");
  return services.measurementService.getMeasurements().length === 1 && unsaved().length === 0;
}"""
SHOWN = """() => {
  const { viewportGridService, cornerstoneViewportService } = window.services;
  const id = viewportGridService.getActiveViewportId();
  const imageId = cornerstoneViewportService.getCornerstoneViewport(id).getCurrentImageId();
  return cornerstone.metaData.get("instance", imageId).SOPInstanceUID;
}"""


def measure_and_save(page: Page) -> None:
    page.evaluate("commandsManager.runCommand('setToolActive', { toolName: 'Length' })")
    page.mouse.move(600, 400)
    page.mouse.down()
    page.mouse.move(680, 440, steps=3)
    page.mouse.move(750, 480, steps=3)
    page.mouse.up()
    page.locator("[data-cy=trackedMeasurements-btn]").click(timeout=PATIENCE)
    page.get_by_text("Create SR").click(timeout=PATIENCE)
    with page.expect_response(
        lambda one: one.request.method == "POST" and "/dicom-web/" in one.url, timeout=PATIENCE
    ) as answer:
        page.get_by_role("button", name="Save").last.click()
    assert answer.value.ok
    # The report that was stored is shown in their place: nothing is left to be asked about.
    page.wait_for_function(READ_AGAIN, timeout=PATIENCE)
