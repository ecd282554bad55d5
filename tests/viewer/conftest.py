"""A radiologist's browser: with a page of the site, or with the viewer."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.browsing import open_browser, signed_in_page
from tests.viewing.loading import session_of
from tests.viewing.viewer import Viewer, viewing


@pytest.fixture
def page(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """Complaints of the browser fail the test."""
    # Playwright's loop runs in this thread; the rows of a test are still made in it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    yield from signed_in_page("radiologist", live_server.url)


@pytest.fixture
def viewer(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Viewer]:
    """It notes what the browser complains of."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # as above
    session = session_of("radiologist")
    with sync_playwright() as playwright:
        for browser in open_browser(playwright):
            with viewing(browser, live_server.url, session) as made:
                yield made
