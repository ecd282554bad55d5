"""docs/accepted-objects.md: what was accepted of the public sample data, and why not."""

import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator

from pydicom.uid import UID

from tests.acceptance.driver import REJECTED, Accepted, Outcome
from tests.acceptance.expectations import OTHERWISE

TEXT = """\
# Accepted objects

All {count} DICOM files of the public sample data are sent to the listener with C-STORE, twice:
every data set byte for byte as it is in its file, announced with the transfer syntax it is in
(a file without File Meta Information: in the one it shows), by our own requester; and by
DCMTK's dcmsend ({version}), which writes headers anew and proposes the transfer syntax of each
file, for plain ones all plain syntaxes (we then take Explicit VR Little Endian).

*Stored* files were answered with success, are in the index with their rows and frames, and are
kept with every byte of the data set in their transfer syntax. The tests send all files and hold
this table to what they see; `python -m tests.acceptance.table > docs/accepted-objects.md` writes
it anew.

## By class and transfer syntax

| SOP class | Transfer syntax | Files | Stored | Stored from dcmsend |
|---|---|---:|---:|---:|
{classes}

## Not stored as sent, or otherwise than expected

What differs from the expectation is in bold.

| File | Expected | Answer | Why |
|---|---|---|---|
{refused}

## Stored as sent, and not from dcmsend

| File | dcmsend | Why |
|---|---|---|
{unsent}
"""
WHY = {
    REJECTED: "no storage class: a directory of a medium",
    "A900": "no SOP Class and Instance UID at the front of the data set",
}


def render(found: Accepted) -> str:
    return TEXT.format(
        count=len(found.plain),
        version=dcmtk_version(),
        classes="\n".join(_classes(found)),
        refused="\n".join(_refused(found)),
        unsent="\n".join(_unsent(found)),
    )


def dcmtk_version() -> str:
    said = subprocess.run(
        ["/usr/bin/dcmsend", "--version"], capture_output=True, text=True, check=True
    ).stdout
    return said.split()[2].rstrip(",")


def _classes(found: Accepted) -> Iterator[str]:
    counts: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for name, one in found.plain.items():
        sample = one.sample
        count = counts[_name(sample.sop_class_uid), _name(sample.transfer_syntax_uid)]
        count["files"] += 1
        count["stored"] += one.is_whole
        count["dcmtk"] += name in found.dcmtk and found.dcmtk[name].is_indexed
    for (sop_class, syntax), count in sorted(counts.items()):
        numbers = f"{count['files']} | {count['stored']} | {count['dcmtk']}"
        yield f"| {sop_class} | {syntax} | {numbers} |"


def _name(uid: str) -> str:
    return UID(uid).name


def _refused(found: Accepted) -> Iterator[str]:
    for name, one in sorted(found.plain.items()):
        if not one.is_whole or name in OTHERWISE:
            answer = one.answer if one.answer == REJECTED else f"0x{one.answer}"
            yield f"| {name} | {one.sample.expected} | {answer} | {_why(one)} |"


def _why(one: Outcome) -> str:
    if one.sample.name in OTHERWISE:
        return f"**{OTHERWISE[one.sample.name]}**"
    if one.kept.where == "failed":
        return f"in the ingest queue, marked: {one.kept.reason}"
    return WHY[one.answer]


_OTHER_UIDS = "announces other UIDs than those in the data set (of VR UN, or cut at 64 characters)"


def _unsent(found: Accepted) -> Iterator[str]:
    for name, one in sorted(found.plain.items()):
        sent = found.dcmtk.get(name)
        if one.is_whole and sent is None:
            yield f"| {name} | does not send it | cannot read or propose it |"
        elif one.is_whole and sent and not sent.is_indexed:
            yield f"| {name} | 0x{sent.answer} | {_OTHER_UIDS} |"
