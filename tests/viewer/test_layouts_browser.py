"""A layout of one's own in the viewer itself: made, kept, and there when the study is opened."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from playwright.sync_api import Page, expect

from apps.audit.services import Origin
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from apps.viewer.models import HangingProtocol
from tests.browsing import signed_in_page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.samples,
    pytest.mark.django_db(transaction=True),
]
STARTED = 60_000  # milliseconds; the viewer is large, and its volumes are made without a GPU
SLICES = 8
# Every viewport shows something: [kind, cornerstone's blend mode, slab in mm], left to right.
SHOWN = """() => {
  const { cornerstoneViewportService, hangingProtocolService, viewportGridService } =
    window.services ?? {};
  if (!hangingProtocolService?.getState()) return null;
  const ids = [...viewportGridService.getState().viewports.keys()];
  const all = ids.map((id) => cornerstoneViewportService.getCornerstoneViewport(id));
  if (!all.length || !all.every((one) => one?.getProperties?.()?.voiRange)) return null;
  return all.map((one) => [one.type, one.getBlendMode?.(), one.getSlabThickness?.()]);
}"""
MIP = 1  # cornerstone's BlendModes.MAXIMUM_INTENSITY_BLEND


@pytest.fixture
def page(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A radiologist's browser; complaints of the browser fail the test."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    yield from signed_in_page("radiologist", live_server.url)


@pytest.fixture
def study(samples: Path, tmp_path: Path, transactional_db: None, origin: Origin) -> str:
    """A few neighbouring slices of a chest, stored; the UID of their study."""
    files = sorted((samples / "dicom" / "ct-lidc-0314").glob("*.dcm"), key=height)[40:][:SLICES]
    spool = Spool(tmp_path / "spool")
    outcomes = store_instances([spool.write([path.read_bytes()]) for path in files], origin=origin)
    assert len(outcomes) == SLICES
    return str(pydicom.dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)


def height(path: Path) -> float:
    wanted = ["ImagePositionPatient"]
    return float(pydicom.dcmread(path, specific_tags=wanted).ImagePositionPatient[2])


def shown(page: Page, address: str) -> list[list[Any]]:
    page.goto(address)
    viewports: list[list[Any]] = page.wait_for_function(SHOWN, timeout=STARTED).json_value()
    return viewports


def test_a_slab_is_drawn_and_the_layout_comes_back(page: Page, study: str) -> None:
    errors: list[str] = []
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.set_viewport_size({"width": 900, "height": 700})  # beside a report
    address = f"/viewer/viewer?StudyInstanceUIDs={study}"
    assert len(shown(page, f"{address}&hangingProtocolId=mpr")) == 3

    page.get_by_role("button", name="Thick slab").click()
    dialog = page.get_by_role("dialog", name="Thick slab")
    dialog.get_by_label("Maximum (MIP)").check()
    dialog.get_by_role("slider").fill("12.5")
    expect(dialog.get_by_role("spinbutton")).to_have_value("12.5")
    page.keyboard.press("ArrowRight")
    first, second, _third = page.evaluate(SHOWN)
    assert first == ["orthographic", MIP, 13]
    assert second[1] != MIP
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

    page.get_by_role("button", name="Layouts").click()
    dialog = page.get_by_role("dialog", name="Layouts")
    dialog.get_by_label("Name").fill("Chest")
    dialog.get_by_role("button", name="Save this layout as mine").click()
    expect(dialog).to_be_hidden()
    row = HangingProtocol.objects.get()
    assert (row.name, row.modality, row.is_default) == ("Chest", "CT", True)

    again = shown(page, address)
    assert page.evaluate("services.hangingProtocolService.getState().protocolId") == (
        f"openpacs-{row.pk}"
    )
    assert again[0] == ["orthographic", MIP, 13]
    assert len(again) == 3
    assert errors == []
