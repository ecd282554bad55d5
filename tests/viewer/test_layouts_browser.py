"""A layout of one's own in the viewer itself: made, kept, and there when the study is opened."""

import io
from pathlib import Path
from typing import Any

import pydicom
import pytest
from playwright.sync_api import Page, expect
from pydicom.uid import MRImageStorage

from apps.audit.services import Origin
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from apps.viewer.models import HangingProtocol

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
# The first viewport shows two series, as soon as it does: [colours, opacity, window].
FUSED = """() => {
  const { cornerstoneViewportService, hangingProtocolService, viewportGridService } =
    window.services ?? {};
  if (!hangingProtocolService?.getState()) return null;
  const id = viewportGridService.getActiveViewportId();
  const one = cornerstoneViewportService.getCornerstoneViewport(id);
  const ids = one?.getAllVolumeIds?.() ?? [];
  if (ids.length !== 2) return null;
  const { colormap, voiRange } = one.getProperties(ids[1]);
  if (!voiRange || colormap?.name === "Grayscale") return null;
  return [colormap?.name, colormap?.opacity, voiRange.lower, voiRange.upper];
}"""
LAY_OVER = """() => {
  const { displaySetService, viewportGridService } = window.services;
  const sets = displaySetService.getActiveDisplaySets();
  const uidOf = (modality) => sets.find((one) => one.Modality === modality).displaySetInstanceUID;
  const viewportId = viewportGridService.getActiveViewportId();
  const options = { viewportId, displaySetInstanceUID: uidOf("MR") };
  const under = { viewportId, displaySetInstanceUIDs: [uidOf("CT")] };
  viewportGridService.setDisplaySetsForViewport(under);
  commandsManager.runCommand("addDisplaySetAsLayer", options);
}"""
COLOUR = """() => {
  const { displaySetService, viewportGridService } = window.services;
  const over = displaySetService.getActiveDisplaySets().find((one) => one.Modality === "MR");
  const viewportId = viewportGridService.getActiveViewportId();
  const options = { viewportId, displaySetInstanceUID: over.displaySetInstanceUID };
  const colours = { ...options, colormap: { name: "hot_iron" }, opacity: 0.4, immediate: true };
  commandsManager.runCommand("setViewportColormap", colours);
  const grey = { ...options, windowWidth: 600, windowCenter: 200 };
  commandsManager.runCommand("setViewportWindowLevel", grey);
}"""
MIP = 1  # cornerstone's BlendModes.MAXIMUM_INTENSITY_BLEND


@pytest.fixture
def study(samples: Path, tmp_path: Path, transactional_db: None, origin: Origin) -> str:
    """A few neighbouring slices of a chest, stored; the UID of their study."""
    spool = Spool(tmp_path / "spool")
    files = slices(samples)
    outcomes = store_instances([spool.write([path.read_bytes()]) for path in files], origin=origin)
    assert len(outcomes) == SLICES
    return str(pydicom.dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)


@pytest.fixture
def second_series(samples: Path, tmp_path: Path, study: str, origin: Origin) -> None:
    """The same places once more, as MR."""
    spool = Spool(tmp_path / "spool")
    made = [spool.write([as_mr(path)]) for path in slices(samples)]
    assert len(store_instances(made, origin=origin)) == SLICES


def slices(samples: Path) -> list[Path]:
    files = (samples / "dicom" / "ct-lidc-0314").glob("*.dcm")
    return sorted(files, key=height)[40:][:SLICES]


def as_mr(path: Path) -> bytes:
    dataset = pydicom.dcmread(path)
    dataset.Modality, dataset.SeriesInstanceUID = "MR", "2.25.78"
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = MRImageStorage
    dataset.SOPInstanceUID += ".1"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    written = io.BytesIO()
    dataset.save_as(written)
    return written.getvalue()


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


def keep(page: Page, name: str) -> HangingProtocol:
    """Keep what is on the screen, windows and all."""
    page.evaluate("void commandsManager.runCommand('openpacsLayouts')")
    dialog = page.get_by_role("dialog", name="Layouts")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Keep the windows, too").check()
    dialog.get_by_role("button", name="Save this layout as mine").click()
    expect(dialog).to_be_hidden()
    return HangingProtocol.objects.get(name=name)


@pytest.mark.usefixtures("second_series")
def test_a_fusion_comes_back_in_its_colours(page: Page, study: str) -> None:
    address = f"/viewer/viewer?StudyInstanceUIDs={study}"
    shown(page, address)
    page.evaluate(LAY_OVER)
    page.wait_for_function(FUSED, timeout=STARTED)
    page.evaluate(COLOUR)
    wanted = ["hot_iron", 0.4, -100, 499]
    page.wait_for_function(f"(said) => String(({FUSED})()) === String(said)", arg=wanted)
    row = keep(page, "Fused")
    under, over = row.layout["viewports"][0]["series"]
    assert (under["modality"], under["colours"]) == ("CT", None)
    assert over["colours"] == {"name": "hot_iron", "opacity": 0.4, "curve": [], "threshold": None}

    page.goto(address)
    assert page.wait_for_function(FUSED, timeout=STARTED).json_value() == wanted
