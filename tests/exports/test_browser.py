"""An export from the studies to the page that any PC shows, in a real browser."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

from apps.exports.models import Export
from apps.studies.models import Study
from tests.browsing import brightness, open_browser
from tests.dicom.objects import ct_image
from tests.exports.conftest import made, store
from tests.factories import make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    # Playwright's loop runs in this thread; the rows of a test are still made in it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        yield from open_browser(playwright)
        # Within Playwright's loop the rows above went through a connection of its own.
        connections.close_all()


@pytest.fixture
def page(browser: Browser, live_server: Any) -> Iterator[Page]:
    """A radiologist's browser, signed in; complaints of the browser fail the test."""
    client = Client()
    user = make_user("radiologist")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    session = client.cookies["sessionid"].value
    complaints: list[str] = []
    context = browser.new_context(base_url=live_server.url, accept_downloads=True)
    context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []


def head(number: int, **values: Any) -> Any:
    """A bright square that is another one in every image."""
    pixels = bytearray(64 * 64 * 2)
    for row in range(8, 8 + 8 * number):
        pixels[row * 128 + 32 : row * 128 + 96] = b"\xff\x0f" * 32
    return ct_image(Rows=64, Columns=64, InstanceNumber=number, PixelData=bytes(pixels), **values)


def test_two_studies_are_exported_watched_downloaded_and_opened(
    page: Page, browser: Browser, tmp_path: Path, settings: Any
) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = False  # the worker is this test
    settings.CELERY_BROKER_URL = "memory://"
    same = {"StudyInstanceUID": "2.25.77", "SeriesInstanceUID": "2.25.78"}
    first = store(*(head(number, **same) for number in (1, 2, 3)))
    second = store(head(1, PatientName="Second^Patient", PatientID="P2"))
    page.goto(f"/exports/new/?study={first.pk}&study={second.pk}")
    page.get_by_label("Anonymised DICOM files").check()
    expect(page.get_by_label("With pictures")).to_be_hidden()
    page.get_by_label("DICOM files in a ZIP archive", exact=True).check()
    expect(page.get_by_label("With pictures")).to_be_checked()
    page.get_by_role("button", name="Export").click()
    expect(page.get_by_text("Waiting")).to_be_visible()
    made(Export.objects.get())
    link = page.get_by_role("link", name="Download")
    expect(link).to_be_visible(timeout=15_000)  # the page has asked by itself
    with page.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "export.zip")
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        archive.extractall(tmp_path / "disc")
    assert Study.objects.count() == 2
    shows_pictures(browser, tmp_path / "disc" / "INDEX.HTM")


def test_rectangles_are_drawn_on_the_picture(page: Page, settings: Any) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = False  # the worker is this test
    settings.CELERY_BROKER_URL = "memory://"
    study = store(head(2, Modality="US"))
    page.goto(f"/exports/new/?study={study.pk}")
    page.get_by_label("Anonymised DICOM files").check()
    page.get_by_role("button", name="Export").click()
    made(Export.objects.get())
    picture = page.get_by_role("img", name="Frame 1")
    expect(picture).to_be_visible(timeout=15_000)
    box = picture.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"], steps=4)
    page.mouse.up()
    expect(page.get_by_label("Blank these regions")).to_have_value("16 32 16 32")
    assert len(page.context.pages) == 1
    page.get_by_label("Take along").check()
    page.get_by_role("button", name="Save the decisions").click()
    page.get_by_role("button", name="Everything was looked at").click()
    export = made(Export.objects.get())
    assert (export.status, export.held.get().regions) == ("done", [[16, 32, 16, 32]])


def shows_pictures(browser: Browser, path: Path) -> None:
    """The page from a folder, in a browser that has never heard of us."""
    strangers: list[str] = []
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.on("pageerror", lambda error: strangers.append(str(error)))
    page.on("requestfailed", lambda request: strangers.append(request.url))
    page.on(
        "request",
        lambda one: strangers.append(one.url) if not one.url.startswith("file:") else None,
    )
    page.goto(path.as_uri())
    series = page.get_by_role("navigation").get_by_role("button")
    expect(series).to_have_count(2)
    expect(page.get_by_text("Image 1 / 3")).to_be_visible()
    stage = page.get_by_role("img", name="The image")
    expect(page.locator("#picture")).to_have_js_property("complete", True)
    dark, _ = brightness(stage.screenshot())
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_text("Image 3 / 3")).to_be_visible()
    expect(page.locator("#picture")).to_have_js_property("complete", True)
    bright, _ = brightness(stage.screenshot())
    assert bright > 1.5 * dark
    series.nth(1).click()
    expect(page.get_by_text("Second Patient").last).to_be_visible()
    page.close()
    assert strangers == []
