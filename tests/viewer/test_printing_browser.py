"""A few slices of a real CT in a real viewer: printed as they stand, and put into the report."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import FrameLocator, Page, expect

from apps.audit.services import SYSTEM
from apps.reports.models import Report
from apps.studies.models import Study
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from tests.browsing import signed_in_page
from tests.conftest import do_without
from tests.factories import PASSWORD
from tests.reports.rows import make_order, make_report
from tests.reports.test_pictures import pictures_in
from tests.studies.conftest import spool
from tests.viewer.test_printing import words_in

__all__ = ["spool"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.samples,
    pytest.mark.peer,
    pytest.mark.django_db(transaction=True),
]
SLICES = 4
PATIENCE = 60_000  # milliseconds, for a machine that has other things to do
# The browser shows a PDF in a tab of its own: what is sent is taken on its way there.
TAKE = """() => {
  HTMLFormElement.prototype.submit = function () {
    const reading = (blob) => new Promise((resolve) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result.split(",")[1]);
      reader.readAsDataURL(blob);
    });
    window.printed = fetch(this.action, { method: "POST", body: new FormData(this) })
      .then((answer) => answer.blob()).then(reading);
  };
}"""
FOUR = """window.commandsManager.runCommand("setViewportGridLayout", { numRows: 2, numCols: 2 })"""
EMPTY = """[...services.viewportGridService.getState().viewports.values()]
  .filter((pane) => !pane.displaySetInstanceUIDs?.length).length === 3"""
FILL = """() => {
  const { displaySetService, viewportGridService } = window.services;
  const uid = displaySetService.getActiveDisplaySets()[0].displaySetInstanceUID;
  for (const pane of viewportGridService.getState().viewports.values()) {
    if (pane.displaySetInstanceUIDs?.length) continue;
    const { viewportId } = pane;
    viewportGridService.setDisplaySetsForViewports([{ viewportId, displaySetInstanceUIDs: [uid] }]);
  }
}"""
DRAWN = """(count) => {
  const shown = [...document.querySelectorAll(".cornerstone-viewport-element")]
    .map((one) => window.cornerstone.getEnabledElement(one)?.viewport)
    .filter((viewport) => viewport?.getCurrentImageId?.())
    .filter((viewport) => viewport.viewportStatus === "rendered");
  return shown.length === count;
}"""


@pytest.fixture
def report(samples: Path, spool: Spool, transactional_db: None) -> Report:
    """Of an order that the stored slices answer."""
    if not (settings.BUILD_DIR / "viewer" / "index.html").is_file():
        do_without("the viewer is not installed: run make install")
    files = sorted((samples / "dicom" / "ct-lidc-0314").glob("*.dcm"))[:SLICES]
    store_instances([spool.write([one.read_bytes()]) for one in files], origin=SYSTEM)
    order, study = make_order(), Study.objects.get()
    Study.objects.update(patient=order.patient, match=Study.Match.MATCHED)
    study.procedures.set(order.procedures.all())
    return make_report(order)


@pytest.fixture
def page(live_server: Any, report: Report, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    yield from signed_in_page("radiologist", live_server.url)


def button(within: Page | FrameLocator, name: str) -> Any:
    return within.get_by_role("button", name=name)


def test_what_is_on_the_screen_is_printed_and_signed(page: Page, report: Report) -> None:
    name = report.order.patient.display_name
    page.goto(f"/viewer/viewer?StudyInstanceUIDs={Study.objects.get().study_instance_uid}")
    page.wait_for_function(DRAWN, arg=1, timeout=PATIENCE)
    page.evaluate(FOUR)
    page.wait_for_function(EMPTY, timeout=PATIENCE)
    page.evaluate(FILL)
    page.wait_for_function(DRAWN, arg=4, timeout=PATIENCE)
    page.evaluate(TAKE)
    button(page, "Print, or make a film").click()
    button(page, "Print what is on the screen").click(timeout=PATIENCE)
    printed = base64.b64decode(page.evaluate("window.printed"))
    assert pictures_in(printed) == 4
    words = words_in(printed)
    for said in (name, "Printed by Ada Radiologist", "W 2000 L -450", f"/ {SLICES}"):
        assert said in words

    page.goto(f"/reports/{report.pk}/")
    viewer = page.frame_locator("iframe")
    expect(viewer.locator("canvas.cornerstone-canvas")).to_be_visible(timeout=PATIENCE)
    page.frames[-1].wait_for_function(DRAWN, arg=1, timeout=PATIENCE)
    button(viewer, "To the report").click()
    expect(page.get_by_role("img", name="Image 1 of the report")).to_be_visible(timeout=PATIENCE)
    page.get_by_label("Findings").fill("As shown.")
    page.get_by_label("Your password").fill(PASSWORD)
    button(page, "Sign").first.click()
    expect(page.get_by_text("Report signed.")).to_be_visible()
    version = report.versions.get()
    assert pictures_in(bytes(version.pdf)) == 1
    assert "W 2000 L -450" in words_in(bytes(version.pdf))
