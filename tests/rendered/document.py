"""docs/rendered-objects.md: what of the public sample data renders, and how near to others."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from pydicom.uid import UID

from tests.acceptance.document import dcmtk_version
from tests.rendered.driver import TWINS, Compared

MOST = 2  # grey levels
TEXT = """\
# Rendered objects

Every image of the public sample data that is a file of PS3.10 ({count}) is stored, one frame of
it (the middle one) is asked for through `/rendered` as PNG, and compared with what DCMTK's
dcmj2pnm ({version}) makes of the same frame; what that does not decode, GDCM's gdcmconv unpacks
first. Both apply the window of the header; where there is none, both show all values from the
lowest to the highest. DCMTK knows no functional groups and shows padding: such images are compared
in a window that both are told. Where no other program reads a file, the same image in another
transfer syntax stands in for it. `python -m tests.rendered.table > docs/rendered-objects.md`
writes this anew; the tests render one file of each kind.

{rendered} render; of the {compared} compared the largest difference is {largest} levels of 255.

| Transfer syntax | Pixels | Images | Compared with | Largest difference | Mean |
|---|---|---:|---|---:|---:|
{rows}

## Refused

With 422 and this reason.

| File | Why |
|---|---|
{refused}

## Not compared

They render; no other program here decodes them.

| File | Transfer syntax |
|---|---|
{alone}

## Compared through the same image in another transfer syntax

| File | Compared with |
|---|---|
{twins}
"""


def written(found: Sequence[Compared]) -> str:
    rendered = [one for one in found if one.status == 200]
    compared = [one for one in rendered if one.largest is not None]
    return TEXT.format(
        count=len(found),
        version=dcmtk_version(),
        rendered=len(rendered),
        compared=len(compared),
        largest=max(one.largest or 0 for one in compared),
        rows="\n".join(_rows(compared)),
        refused="\n".join(
            f"| {one.sample.name} | {one.reason} |" for one in _sorted(found) if one.status != 200
        ),
        alone="\n".join(
            f"| {one.sample.name} | {UID(one.sample.transfer_syntax_uid).name} |"
            for one in _sorted(rendered)
            if one.largest is None
        ),
        twins="\n".join(f"| {name} | {twin} |" for name, twin in sorted(TWINS.items())),
    )


def _sorted(found: Sequence[Compared]) -> list[Compared]:
    return sorted(found, key=lambda one: one.sample.name)


def _rows(compared: Sequence[Compared]) -> Iterator[str]:
    groups: defaultdict[tuple[str, str], list[Compared]] = defaultdict(list)
    for one in compared:
        groups[UID(one.sample.transfer_syntax_uid).name, one.kind].append(one)
    for (syntax, kind), images in sorted(groups.items()):
        peers = ", ".join(sorted({one.peer for one in images}))
        largest = max(one.largest or 0 for one in images)
        mean = max(one.usual or 0.0 for one in images)
        yield f"| {syntax} | {kind} | {len(images)} | {peers} | {largest} | {mean:.2f} |"
