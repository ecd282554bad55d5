"""The viewer on real data: `python -m tests.viewing [CASE ...]`, with OPENPACS_SAMPLES set."""

import json
import os
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
warnings.simplefilter("ignore")
django.setup()

from django.conf import settings
from playwright.sync_api import sync_playwright

from tests.browsing import open_browser
from tests.conftest import SAMPLES
from tests.department import Department
from tests.viewing.cases import CASES, Case
from tests.viewing.document import written
from tests.viewing.driver import Verdict, files_of, go_through

DOCUMENT = settings.BASE_DIR / "docs" / "viewer-acceptance.md"
PICTURES = settings.BUILD_DIR / "viewing"


def main() -> int:
    names = sys.argv[1:]
    chosen = [one for one in CASES if not names or one.name in names]
    PICTURES.mkdir(parents=True, exist_ok=True)
    verdicts = []
    with tempfile.TemporaryDirectory() as folder:
        verdicts = look_at(chosen, Path(folder))
    before = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    DOCUMENT.write_text(written(verdicts, before))
    return int(any(one.problems for one in verdicts))


def look_at(cases: Sequence[Case], folder: Path) -> list[Verdict]:
    """All of them in one department, whose home is `folder`."""
    (folder / "copies").mkdir()
    files = files_of(cases, SAMPLES, folder / "copies")
    department = Department(folder, {})
    verdicts = []
    try:
        department.start()
        wanted = folder / "wanted.json"
        wanted.write_text(json.dumps(sorted({str(one) for part in files.values() for one in part})))
        said = department.run(sys.executable, "-m", "tests.viewing.loading", str(wanted))
        session = said.split()[-1]
        with sync_playwright() as playwright:
            for browser in open_browser(playwright):
                for verdict in go_through(
                    cases, files, browser, department.address, session=session, pictures=PICTURES
                ):
                    verdicts.append(verdict)
                    sys.stdout.write(f"{verdict.case.name}: {verdict.result}\n")
                    sys.stdout.flush()
    finally:
        department.stop()
    return verdicts


if __name__ == "__main__":
    raise SystemExit(main())
