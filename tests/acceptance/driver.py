"""Sends sample files to a listener of ours and looks what became of each."""

import os
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apps.dimse import messages
from apps.dimse.association import Association
from apps.dimse.limits import Limits
from apps.dimse.listener import Listener
from apps.dimse.negotiation import Context
from apps.dimse.requesting import MOST_CONTEXTS, requested
from apps.studies.models import Conflict, Instance, Series, Study
from apps.studies.spool import default_spool
from apps.studies.storage import stored_files
from apps.worklist.models import Device
from tests.acceptance.samples import Sample, behind_meta, rounds
from tests.factories import DeviceFactory

TITLE = "OPENPACS"  # our requests call by this
REJECTED = "no presentation context"
REPORTED = re.compile(
    r"^Filename +: (?P<file>.+?)$.*?^DIMSE Status +: (?P<status>.*?)$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Kept:
    """What the archive has of a file: where, in which encoding, whether bytes and counts agree."""

    where: str = ""  # "index", "conflict" or "failed"; nothing for one that is not there
    transfer_syntax_uid: str = ""
    same_bytes: bool = False
    same_counts: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Outcome:
    """`answer`: the status of the C-STORE as four hexadecimal digits, or REJECTED."""

    sample: Sample
    answer: str
    kept: Kept

    @property
    def is_indexed(self) -> bool:
        """Stored, in one of the encodings it may have been sent in, and counted right."""
        return self.answer == "0000" and self.kept.where == "index" and self.kept.same_counts

    @property
    def is_whole(self) -> bool:
        """Stored and indexed, in its transfer syntax and with every byte of the data set."""
        same_syntax = self.kept.transfer_syntax_uid == self.sample.transfer_syntax_uid
        return self.is_indexed and same_syntax and self.kept.same_bytes


@dataclass(frozen=True)
class Accepted:
    """What became of all samples, by name: sent as they are, and by dcmsend."""

    plain: dict[str, Outcome]
    dcmtk: dict[str, Outcome]


def send_all(samples: Sequence[Sample], folder: Path) -> Accepted:
    """Every sample twice; `folder` takes the reports of dcmsend."""
    found = Accepted({}, {})
    with listening() as port:
        for part in rounds(samples):
            found.plain.update((one.sample.name, one) for one in send_as_they_are(part, port))
            forget_everything()
            sent = send_with_dcmtk(part, port, folder)
            found.dcmtk.update((one.sample.name, one) for one in sent)
            forget_everything()
    return found


@contextmanager
def listening() -> Iterator[int]:
    """A listener that knows the sender; yields its port."""
    DeviceFactory.create(ae_title=TITLE, host="127.0.0.1")
    listener = Listener("127.0.0.1", 0, tls_port=None, limits=Limits(linger_seconds=0.3))
    thread = threading.Thread(target=listener.serve_forever)
    thread.start()
    try:
        yield listener.port
    finally:
        listener.stop()
        thread.join(timeout=20)


def send_as_they_are(samples: Sequence[Sample], port: int) -> list[Outcome]:
    """Every data set byte for byte, announced with the transfer syntax that it is in."""
    # Our own upper layer is the sender: others read no UID of more than 64 characters.
    ours = Device(ae_title=TITLE, host="127.0.0.1", port=port)
    answers: dict[str, str] = {}
    for part in _parts(samples):
        wanted = sorted({(one.sop_class_uid, one.transfer_syntax_uid) for one in part})
        with requested(ours, [(uid, [syntax]) for uid, syntax in wanted]) as association:
            found = association.contexts.values()
            accepted = {(one.abstract_syntax, one.transfer_syntax): one for one in found}
            for sample in part:
                context = accepted.get((sample.sop_class_uid, sample.transfer_syntax_uid))
                answer = _store(association, context, sample) if context else REJECTED
                answers[sample.name] = answer
    return _look(samples, answers)


def send_with_dcmtk(samples: Sequence[Sample], port: int, folder: Path) -> list[Outcome]:
    """What dcmsend reads and proposes by itself; a file it leaves out has no outcome."""
    report = folder / "dcmsend.txt"
    report.unlink(missing_ok=True)
    subprocess.run(
        [
            *("/usr/bin/dcmsend", "-q", "-dn", "+ma", "-nh", "-nuc", "+f", "+crf", str(report)),
            *("-aet", TITLE, "-aec", TITLE, "127.0.0.1", str(port)),
            *(str(one.path) for one in samples),
        ],
        env={**os.environ, "TCP_NODELAY": "1"},
        check=False,
        capture_output=True,
        timeout=120,
    )
    told = {
        found["file"]: found["status"][2:6].upper()
        for found in REPORTED.finditer(report.read_text())
        if found["status"].startswith("0x")
    }
    sent = [one for one in samples if str(one.path) in told]
    return _look(sent, {one.name: told[str(one.path)] for one in sent})


def forget_everything() -> None:
    """So that the next round finds none of its SOP Instance UIDs taken."""
    for model in (Conflict, Instance, Series, Study):
        model.objects.all().delete()
    for path in default_spool().failed():
        default_spool().discard(path)


def _parts(samples: Sequence[Sample]) -> Iterator[list[Sample]]:
    """As many files at a time as have contexts in one association."""
    part: list[Sample] = []
    wanted: set[tuple[str, str]] = set()
    for sample in samples:
        pair = (sample.sop_class_uid, sample.transfer_syntax_uid)
        if len(wanted | {pair}) > MOST_CONTEXTS:
            yield part
            part, wanted = [], set()
        part.append(sample)
        wanted.add(pair)
    yield part


def _store(association: Association, context: Context, sample: Sample) -> str:
    number = association.new_message_id()
    command = messages.store_request(
        sample.sop_class_uid, sample.sop_instance_uid, number, originator=None
    )
    room = association.max_pdu
    for piece in messages.fragments(context.identifier, command, sample.data_set(), max_pdu=room):
        association.wire.send(piece)
    return f"{association.next_response(number).number(messages.STATUS):04X}"


def _look(samples: Sequence[Sample], answers: dict[str, str]) -> list[Outcome]:
    failed = {path.read_bytes(): path for path in default_spool().failed()}
    return [Outcome(one, answers[one.name], _kept(one, failed)) for one in samples]


def _kept(sample: Sample, failed: dict[bytes, Path]) -> Kept:
    uid = sample.sop_instance_uid
    if row := Instance.objects.filter(sop_instance_uid=uid).first():
        return Kept(
            "index",
            row.transfer_syntax_uid,
            _is_same(sample, row.file_name),
            (row.rows or None, row.frames) == (sample.rows, sample.frames),
        )
    if conflict := Conflict.objects.filter(sop_instance_uid=uid).first():
        same = _is_same(sample, conflict.file_name)
        return Kept("conflict", same_bytes=same, reason=conflict.reason)
    for raw, path in failed.items():
        if uid.encode() in raw[: behind_meta(raw)]:
            same = raw[behind_meta(raw) :] == sample.data_set()
            return Kept("failed", same_bytes=same, reason=default_spool().reason(path))
    return Kept()


def _is_same(sample: Sample, file_name: str) -> bool:
    with stored_files().open(file_name) as file:
        raw: bytes = file.read()
    return raw[behind_meta(raw) :] == sample.data_set()
