"""docs/viewer-acceptance.md: what the viewer showed of the public sample data."""

from collections.abc import Sequence

from tests.viewing.driver import Verdict

TEXT = """\
# Acceptance of the viewer

Every case is opened in Chromium, with software rendering, by a radiologist of a department that
was started for it with the public sample data. Each looks at the pixels of the viewports and asks
the viewer's own services what they show. It is *seen* where also no error was on the console,
no request failed, none left the host, and the content security policy was not violated.
`OPENPACS_SAMPLES=... python -m tests.viewing` goes through all cases, leaves a picture of
each in build/viewing/ and writes this table anew; names of cases behind it choose some of them,
and the table stays. The tests look at {short}.

A case is a function in tests/viewing/cases.py.

{seen} of {count} cases were seen.

| Case | Data | What must be seen | Result |
|---|---|---|---|
{rows}
"""


def written(verdicts: Sequence[Verdict]) -> str:
    return TEXT.format(
        short=", ".join(f"*{one.case.name}*" for one in verdicts if one.case.short),
        seen=sum(not one.problems for one in verdicts),
        count=len(verdicts),
        rows="\n".join(map(_row, verdicts)),
    )


def _row(one: Verdict) -> str:
    data = "<br>".join(one.case.data)
    return f"| {one.case.name} | {data} | {one.case.seen} | {one.result.replace('|', '/')} |"
