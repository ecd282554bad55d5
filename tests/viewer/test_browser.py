"""The 3D workstation shows a series, in a real browser, and asks nobody but us."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, FloatRect, Page, Request, expect
from pydicom.dataset import Dataset

from apps.studies.models import Instance
from tests.browsing import brightness, signed_in_page
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import keep
from tests.studies.conftest import spool

__all__ = ["keep", "spool"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SLICES = 8
SECONDS = 60


def slice_of(number: int, **uids: str) -> Dataset:
    """One of a stack: a bright square in a dark field."""
    pixels = bytearray(32 * 32 * 2)
    for row in range(8, 24):
        pixels[row * 64 + 16 : row * 64 + 48] = b"\xff\x0f" * 16
    return ct_image(
        Rows=32,
        Columns=32,
        InstanceNumber=number,
        PixelData=bytes(pixels),
        ImagePositionPatient=[0, 0, 2 * number],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        PixelSpacing=[2, 2],
        SliceThickness=2,
        FrameOfReferenceUID="2.25.3",
        RescaleSlope=1,
        RescaleIntercept=0,
        **uids,
    )


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    # Playwright's loop runs in this thread; the rows of a test are still made in it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


def watched(page: Page, server: str) -> list[str]:
    """What it complains of, and whom it asks beside us, from now on."""
    noted: list[str] = []

    def note_line(line: ConsoleMessage) -> None:
        if line.type == "error":
            noted.append(line.text)

    def note_request(asked: Request) -> None:
        if not asked.url.startswith((server, "data:", "blob:")):
            noted.append(asked.url)

    page.on("console", note_line)
    page.on("request", note_request)
    return noted


def wait_for_light(page: Page, clip: FloatRect) -> None:
    """Until a part of the page is neither dark nor even."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        mean, spread = brightness(page.screenshot(clip=clip))
        if mean > 20 and spread > 20:
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"it stayed dark: mean {mean:.0f}, spread {spread:.0f}")


def test_a_series_is_shown_in_the_workstation(
    allowed: None, keep: Callable[..., Instance], live_server: Any
) -> None:
    uids = {"StudyInstanceUID": "2.25.1", "SeriesInstanceUID": "2.25.2"}
    for number in range(1, SLICES + 1):
        keep(slice_of(number, **uids))
    for page in signed_in_page("resident", live_server.url):
        # Small: the volume beside the slices is drawn without a graphics card.
        page.set_viewport_size({"width": 700, "height": 480})
        noted = watched(page, live_server.url)
        page.goto("/volview/open/2.25.1/")
        page.get_by_text(f"Slice: {SLICES // 2 + 1}/{SLICES}").wait_for(timeout=SECONDS * 1000)
        wait_for_light(page, {"x": 80, "y": 60, "width": 250, "height": 150})
        # A resident may look at images, and not take them along.
        expect(page.locator(".mdi-folder-open").first).to_be_visible()
        expect(page.locator(".mdi-content-save-all")).to_be_hidden()
        assert noted == []
