"""Goes through the cases in one browser; a picture and a verdict of each."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser
from playwright.sync_api import Error as BrowserError

from tests.viewing.cases import Case
from tests.viewing.loading import renamed, studies_of
from tests.viewing.viewer import NotSeen, Viewer, viewing

PICTURE_SECONDS = 120  # with a volume rendered by software


@dataclass(frozen=True)
class Verdict:
    """`problems`: nothing where all was seen that must be, and nobody complained."""

    case: Case
    problems: tuple[str, ...]

    @property
    def result(self) -> str:
        if self.problems:
            return f"**not seen**: {self.problems[0]}"
        return f"as far as OHIF can: {self.case.limit}" if self.case.limit else "seen"


def files_of(cases: Iterable[Case], samples: Path, folder: Path) -> dict[str, list[Path]]:
    """The files of each case; copies go into `folder` where they are to be a study apart."""
    dicom = samples / "dicom"
    return {
        one.name: [renamed(path, folder) if one.apart else path for path in one.files(dicom)]
        for one in cases
    }


def go_through(
    cases: Iterable[Case],
    files: Mapping[str, list[Path]],
    browser: Browser,
    address: str,
    *,
    session: str,
    pictures: Path,
) -> Iterator[Verdict]:
    """Look at each case as the person of that session; pictures go into a folder."""
    for one in cases:
        with viewing(browser, address, session) as viewer:
            picture = pictures / f"{file_name(one)}.png"
            seen = _look(one, viewer, studies_of(files[one.name]), picture)
            complaints = [
                text for text in viewer.complaints if not (one.admits and one.admits in text)
            ]
            yield Verdict(one, (*seen, *complaints))


def file_name(case: Case) -> str:
    return re.sub(r"[^a-z0-9]+", "-", case.name.lower()).strip("-")


def _look(case: Case, viewer: Viewer, studies: list[str], picture: Path) -> list[str]:
    problems = []
    try:
        case.look(viewer, studies)
    except (NotSeen, BrowserError) as problem:
        problems.append(str(problem).partition("\n")[0])
    try:
        viewer.page.screenshot(path=picture, timeout=1000 * PICTURE_SECONDS)
    except BrowserError as problem:
        problems.append(str(problem).partition("\n")[0])
    return problems
