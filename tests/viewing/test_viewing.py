"""A few of the cases of the viewer on real data; `python -m tests.viewing` goes through all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from apps.studies.spool import Spool
from tests.browsing import open_browser
from tests.studies.conftest import spool
from tests.viewing.cases import CASES
from tests.viewing.driver import files_of, go_through
from tests.viewing.loading import load, session_of

__all__ = ["spool"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.samples,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture
def browser(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    # Playwright's loop runs in this thread; the rows of a test are still made in it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        yield from open_browser(playwright)


def test_the_viewer_shows_real_data_and_complains_of_nothing(
    samples: Path, spool: Spool, browser: Browser, live_server: Any, tmp_path: Path
) -> None:
    short = [one for one in CASES if one.short]
    files = files_of(short, samples, tmp_path)
    load(sorted({path for part in files.values() for path in part}))
    session = session_of("radiologist")
    verdicts = go_through(
        short, files, browser, live_server.url, session=session, pictures=tmp_path
    )
    assert {one.case.name: one.problems for one in verdicts} == {one.name: () for one in short}
