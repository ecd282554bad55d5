"""A tilted series in the viewer: kept from MPR, made regular by a press, and then shown in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.studies.models import RegularSeries
from apps.studies.services.regularising import make_due
from tests.browsing import brightness, signed_in_page
from tests.dicom.objects import part10
from tests.dicom.volumes import stack
from tests.dimse.receiving import keep
from tests.storage import store_below

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
STEADY = 60_000  # milliseconds, for a machine that draws volumes without a graphics card
PLANES = ("mpr-axial", "mpr-sagittal", "mpr-coronal")


@pytest.fixture
def page(
    live_server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any
) -> Iterator[Page]:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    settings.CELERY_TASK_ALWAYS_EAGER = False  # the worker is this test
    settings.CELERY_BROKER_URL = "memory://"
    store_below(tmp_path, settings)
    yield from signed_in_page("radiologist", live_server.url)


def test_a_tilted_series_is_made_regular_and_shown_in_mpr(page: Page) -> None:
    images = stack(tilt=15.0, heights=[4.0 * number for number in range(-6, 7)])
    keep(*map(part10, images))
    study = images[0].StudyInstanceUID
    page.goto(f"/viewer/viewer?StudyInstanceUIDs={study}&hangingProtocolId=mpr")
    notice = page.get_by_role("status", name="About this series")
    expect(notice).to_contain_text("tilt of 15.0°", timeout=STEADY)
    # Not in the layout it was asked for, but as plain images.
    expect(page.locator("canvas.cornerstone-canvas")).to_have_count(1, timeout=STEADY)
    with page.expect_response(lambda answer: answer.request.method == "POST") as asked:
        page.get_by_role("button", name="Make regular for MPR and 3D").click()
    assert asked.value.ok
    expect(notice).to_contain_text("Making a regular series")
    assert make_due() == 1
    assert RegularSeries.objects.get().state == "done"
    for plane in PLANES:
        canvas = page.locator(f'[data-viewport-uid="{plane}"] canvas')
        expect(canvas).to_be_visible(timeout=STEADY)
        page.wait_for_function(IS_LOADED, timeout=STEADY)
        assert brightness(canvas.screenshot())[1] > 20  # the ball, not only the words
    expect(page.get_by_text("Axial regular").first).to_be_visible()


IS_LOADED = """() => {
  const volumes = [...window.cornerstone.cache._volumeCache.values()];
  return volumes.length && volumes.every((one) => one.volume?.loadStatus?.loaded);
}"""
