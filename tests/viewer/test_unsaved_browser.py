"""Measurements that would be lost are asked about, in a real browser."""

import os
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10
from tests.studies.conftest import spool
from tests.viewing.viewer import Viewer

__all__ = ["spool"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PICTURES = os.environ.get("OPENPACS_TEST_PICTURES")  # a folder for looking at what was seen
# A page of a report in the same browser, as far as the viewer can tell.
DESK = """() => {
  const heard = (window.heard = []);
  const channel = new BroadcastChannel("openpacs-reading");
  channel.addEventListener("message", ({ data }) => data.role === "viewer" && heard.push(data));
  window.say = (message) => channel.postMessage({ role: "desk", from: "desk-1", ...message });
  window.say({ kind: "hello", report: "1", narrowed: "" });
}"""
OPEN = "(uid) => say({ kind: 'open', studies: [uid], to: heard[0].from })"

TAKES_ALL = """() => {
  const { measurements } = heard.filter((one) => one.kind === "measured").at(-1);
  say({ kind: "kept", inText: [], changed: [], offered: measurements.map((one) => one.id) });
}"""

SHOW_REPORT = """() => {
  const { displaySetService, viewportGridService } = window.services;
  const report = displaySetService.getActiveDisplaySets().find((one) => one.Modality === "SR");
  viewportGridService.setDisplaySetsForViewport({
    viewportId: viewportGridService.getActiveViewportId(),
    displaySetInstanceUIDs: [report.displaySetInstanceUID],
  });
}"""
LATER = 500  # milliseconds: what must not happen would have happened by then


@pytest.fixture
def studies(spool: Spool, origin: Origin) -> list[str]:
    """Two studies of two patients, of one image each."""
    noise = np.random.default_rng(1).integers(0, 900, (64, 64), dtype="<u2")
    look = {"Rows": 64, "Columns": 64, "PixelData": noise.tobytes()}
    made = [ct_image(PatientID=number, **look) for number in ("P1", "P2")]
    store_instances([spool.write([part10(one)]) for one in made], origin=origin)
    return [str(one.StudyInstanceUID) for one in made]


def shows(viewer: Viewer, study: str) -> bool:
    told = "heard.filter((one) => one.kind === 'shows').at(-1)?.studies"
    return bool(viewer.page.evaluate(told) == [study])


def draw_length(viewer: Viewer) -> None:
    """Draw a line over the image, and wait until it is told as one that nothing keeps."""
    viewer.command("setToolActiveToolbar", toolName="Length")
    box = viewer.page.locator("[data-cy=viewport-pane] canvas").first.bounding_box()
    assert box
    middle, across = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    viewer.page.mouse.move(middle - 60, across)
    viewer.page.mouse.down()
    viewer.page.mouse.move(middle, across + 20, steps=4)
    viewer.page.mouse.move(middle + 60, across + 40, steps=4)
    viewer.page.mouse.up()
    viewer.page.wait_for_function(
        "heard.filter((one) => one.kind === 'measured').at(-1)?.measurements[0]?.kept === false"
    )


def test_the_viewer_asks_before_it_leaves_measurements(viewer: Viewer, studies: list[str]) -> None:
    first, second = studies
    page = viewer.page
    viewer.open(first)
    viewer.wait_for_images()
    page.evaluate(DESK)
    draw_length(viewer)
    question = page.get_by_role("dialog", name="Measurements not saved: 1")

    page.evaluate(OPEN, second)
    expect(question).to_contain_text(re.compile(r"Length\s[\d.]+ (mm|px)"))
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/unsaved.png")
    expect(question.get_by_role("button", name="Put into the report")).to_be_hidden()
    question.get_by_role("button", name="Stay here").click()
    expect(question).to_be_hidden()
    assert (shows(viewer, first), viewer.state()["measurements"]) == (True, ["Length"])

    page.evaluate(OPEN, second)
    question.get_by_role("button", name="Store with the images").click()
    viewer.wait_until(lambda: shows(viewer, second), "the second study")
    assert Event.objects.get(kind=Kind.OBJECT_SAVED).study_instance_uid == first

    draw_length(viewer)
    page.evaluate(TAKES_ALL)
    page.evaluate(OPEN, first)
    question.get_by_role("button", name="Put into the report").click()
    viewer.wait_until(lambda: shows(viewer, first), "the first study again")
    assert page.evaluate("heard.some((one) => one.kind === 'insert')")
    keep_what_is_drawn(viewer, first)
    assert viewer.complaints == []


def keep_what_is_drawn(viewer: Viewer, study: str) -> None:
    """A stored report that comes into the viewport drops nothing that was drawn before."""
    viewer.open(study)
    viewer.wait_for_images()
    viewer.page.evaluate(DESK)
    draw_length(viewer)
    viewer.page.evaluate(SHOW_REPORT)
    viewer.wait_for_state(lambda now: now["viewports"][0]["shows"] == ["SR"], "the report shown")
    viewer.page.wait_for_timeout(LATER)
    assert viewer.state()["measurements"] == ["Length"]


def draw_segmentation(viewer: Viewer) -> None:
    """Paint a stroke into a new segmentation, as in the viewer's mode for these."""
    viewer.page.get_by_text("Add segmentation").first.click()
    viewer.wait_for_state(lambda now: now["segmentations"], "a segmentation")
    viewer.command("setToolActiveToolbar", toolName="CircularBrush")
    box = viewer.page.locator("[data-cy=viewport-pane] canvas").first.bounding_box()
    assert box
    middle, across = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    viewer.page.mouse.move(middle, across)
    viewer.page.mouse.down()
    viewer.page.mouse.move(middle + 40, across, steps=4)
    viewer.page.mouse.up()


def test_the_browsers_back_does_not_drop_a_segmentation(viewer: Viewer, studies: list[str]) -> None:
    first, second = studies
    page = viewer.page
    viewer.open(first)
    viewer.wait_for_images()
    viewer.command("navigateHistory", to=f"/segmentation?StudyInstanceUIDs={second}")
    page.get_by_text("Add segmentation").first.wait_for()
    viewer.wait_for_images()
    draw_segmentation(viewer)
    question = page.get_by_role("dialog", name="Drawings not saved: 1")

    page.evaluate("history.back()")
    question.get_by_role("button", name="Stay here").click()
    assert second in page.url
    assert len(viewer.state()["segmentations"]) == 1

    page.evaluate("history.back()")
    question.get_by_role("button", name="Store with the images").click()
    page.wait_for_url(f"**{first}")
    assert Event.objects.get(kind=Kind.OBJECT_SAVED).study_instance_uid == second
    assert viewer.complaints == []
