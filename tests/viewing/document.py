"""docs/viewer-acceptance.md: what the viewer showed of the public sample data."""

from collections.abc import Iterator, Sequence

from tests.viewing.cases import CASES
from tests.viewing.driver import Verdict

TEXT = """\
# Acceptance of the viewer

Every case is opened in Chromium, with software rendering, by a radiologist of a department that
was started for it with the public sample data. Each looks at the pixels of the viewports and asks
the viewer's own services what they show. It is *seen* where also no error was on the console,
no request failed, none left the host, and the content security policy was not violated.
`OPENPACS_SAMPLES=... python -m tests.viewing` goes through all cases, leaves a picture of
each in build/viewing/ and writes this table anew; names of cases behind it choose some of them,
and the other rows stay. The tests look at {short}.

A case is a function in tests/viewing/cases.py.

{seen} of {count} cases were seen, {limited} of them as far as OHIF can.

| Case | Data | What must be seen | Result |
|---|---|---|---|
{rows}
"""


def written(verdicts: Sequence[Verdict], before: str) -> str:
    """The page; cases that were not looked at keep the rows that they had `before`."""
    rows = dict(_rows_of(before))
    rows.update((one.case.name, _row(one)) for one in verdicts)
    known = [rows[one.name] for one in CASES if one.name in rows]
    return TEXT.format(
        short=", ".join(f"*{one.name}*" for one in CASES if one.short),
        seen=sum("**not seen**" not in row for row in known),
        limited=sum("as far as OHIF can" in row for row in known),
        count=len(known),
        rows="\n".join(known),
    )


def _rows_of(page: str) -> Iterator[tuple[str, str]]:
    for line in page.splitlines():
        if line.startswith("| "):
            yield line.split("|")[1].strip(), line


def _row(one: Verdict) -> str:
    data = "<br>".join(one.case.data)
    return f"| {one.case.name} | {data} | {one.case.seen} | {one.result.replace('|', '/')} |"
