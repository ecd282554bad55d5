"""Killing the listener and the worker while images come, and holding a ledger against it.

A scanner that was told 0x0000 may delete its copy: whatever dies, and whenever, such an
object is there afterwards, whole and once. `python -m tests.faults --kills 50 --objects
2000` is the long run; a short one is among the tests.
"""

import argparse
import functools
import hashlib
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dsutils import create_file_meta

from openpacs.install import ROOT
from tests.dicom.objects import ct_image
from tests.migrated import lay_into
from tests.servers import free_port
from tests.waiting import wait_for, wait_for_port

SENDERS = 4
DEADLINE_SECONDS = 900
_SETUP = "import django; django.setup(); "
DEVICE = """from apps.worklist.models import Device
Device.objects.create(name="Scanner", ae_title="CT1", host="127.0.0.1")
"""
PROGRAMS = {
    "listener": ("manage.py", "rundimse", "--processes", "2"),
    "worker": ("-c", f"{_SETUP}from openpacs.parts import run_worker; run_worker()"),
    "beat": ("-c", f"{_SETUP}from openpacs.parts import run_beat; run_beat()"),
}


class Rig:
    """The listener, the worker and the clock of a department, each to be killed at will."""

    def __init__(self, home: Path, engines: Mapping[str, str]) -> None:
        self.home = home
        self.port = free_port()
        self.environment = {
            **os.environ,
            "DATABASE_URL": "",
            "REDIS_URL": "",
            **engines,
            "DJANGO_SETTINGS_MODULE": "openpacs.settings",
            "OPENPACS_HOME": str(home),
            "OPENPACS_DICOM_PORT": str(self.port),
        }
        self._log = (home / "log").open("ab")
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def manage(self, *arguments: str) -> str:
        """Run one management command; its output. Raises where it fails."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            check=True,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        ).stdout

    def start(self, name: str, *, under: Sequence[str] = ()) -> None:
        """Start a program, perhaps `under` another one that looks at it."""
        self._running[name] = subprocess.Popen(
            [*under, sys.executable, *PROGRAMS[name]],
            cwd=ROOT,
            env=self.environment,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # a group of its own: strace lets go of what it started
        )

    def wait_until_listening(self) -> None:
        wait_for_port(self.port, seconds=DEADLINE_SECONDS)

    def kill(self, name: str) -> None:
        """kill -9, without a word before; then started anew, as a supervisor does."""
        self._running[name].kill()
        self._running[name].wait()
        self.start(name)

    def stop(self) -> None:
        for process in self._running.values():
            _signal(process, signal.SIGTERM)
        for process in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            _signal(process, signal.SIGKILL)
            process.wait()
        self._log.close()


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """To a program and to all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


@dataclass
class Ledger:
    """What was answered with success: SOP Instance UID and digest of the pixels."""

    wanted: int
    told: dict[str, str] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def is_full(self) -> bool:
        return self.has(self.wanted)

    def has(self, count: int) -> bool:
        return len(self.told) >= count

    def next_object(self) -> Dataset:
        """An image that nobody has sent yet."""
        number = next(self._numbers)
        image = ct_image(
            SOPInstanceUID=f"2.25.4{number:08d}",
            StudyInstanceUID=f"2.25.2{number % 10:08d}",
            SeriesInstanceUID=f"2.25.3{number % 10:08d}",
            Rows=100,
            Columns=100,
            PixelData=random.Random(number).randbytes(20_000),
        )
        image.file_meta = create_file_meta(
            sop_class_uid=image.SOPClassUID,
            sop_instance_uid=image.SOPInstanceUID,
            transfer_syntax=ExplicitVRLittleEndian,
        )
        return image

    def sign(self, image: Dataset) -> None:
        self.told[image.SOPInstanceUID] = digest(image)


def digest(image: Dataset) -> str:
    return hashlib.sha256(image.PixelData).hexdigest()


@contextmanager
def rig(engines: Mapping[str, str], programs: Iterable[str] = PROGRAMS) -> Iterator[Rig]:
    """A department of which these programs run; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        made = Rig(Path(folder), engines)
        if engines:
            made.manage("migrate", "--verbosity", "0")
            made.manage("shell", "--verbosity", "0", "-c", DEVICE)
        else:
            lay_into(made.home, DEVICE)
        try:
            for name in programs:
                made.start(name)
            yield made
        except BaseException:
            sys.stderr.write((made.home / "log").read_text(errors="replace")[-5000:])
            raise
        finally:
            made.stop()


def storm(target: Rig, ledger: Ledger, *, kills: int, chance: random.Random) -> None:
    """Send from several sides until the ledger is full, killing all the while."""
    senders = [
        threading.Thread(target=_send, args=(target, ledger), daemon=True) for _ in range(SENDERS)
    ]
    for sender in senders:
        sender.start()
    step = ledger.wanted // (kills + 1)
    for number in range(1, kills + 1):
        wait_for(functools.partial(ledger.has, number * step), seconds=DEADLINE_SECONDS)
        time.sleep(chance.random() * 0.05)
        target.kill(chance.choice(("listener", "worker")))
    for sender in senders:
        sender.join(DEADLINE_SECONDS)
        if sender.is_alive():
            raise TimeoutError("a sender waits for ever")


def _send(target: Rig, ledger: Ledger) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    image = ledger.next_object()
    while not ledger.is_full and time.monotonic() < deadline:
        association = _associate(target, image)
        while association.is_established and not ledger.is_full:
            if not _store(association, image):
                break  # sent again on the next one: it may be there twice, never not at all
            ledger.sign(image)
            image = ledger.next_object()
        if association.is_established:
            association.release()


def _associate(target: Rig, image: Dataset) -> Association:
    """An association, perhaps one that is not established: killed within the handshake."""
    entity = AE(ae_title="CT1")
    entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = 10
    entity.add_requested_context(image.SOPClassUID)
    target.wait_until_listening()
    return entity.associate("127.0.0.1", target.port, ae_title="OPENPACS")


def _store(association: Association, image: Dataset) -> bool:
    try:
        return bool(association.send_c_store(image).get("Status") == 0)
    except (RuntimeError, ValueError, AttributeError):
        return False  # killed within the answer


def reckon(target: Rig, ledger: Ledger) -> dict[str, int]:
    """Lost, altered and partial objects, counted when all have been indexed."""
    incoming = target.home / "spool" / "incoming"
    wait_for(lambda: not any(incoming.iterdir()), seconds=DEADLINE_SECONDS)
    target.manage("scrub")  # raises where a file is damaged, missing or unknown
    kept = {}
    for path in (target.home / "dicom").rglob("*.dcm"):
        image = dcmread(path)
        kept[str(image.SOPInstanceUID)] = digest(image)
    rows = int(
        target.manage(
            *("shell", "--verbosity", "0", "-c"),
            "from apps.studies.models import Instance; print(Instance.objects.count())",
        )
    )
    return {
        "acknowledged": len(ledger.told),
        "lost": len(ledger.told.keys() - kept.keys()),
        "altered": sum(kept.get(uid, told) != told for uid, told in ledger.told.items()),
        "rows without a file": rows - len(kept),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    engines = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")}
    ledger, began = Ledger(options.objects), time.monotonic()
    with rig(engines) as target:
        storm(target, ledger, kills=options.kills, chance=random.Random(options.seed))
        found = reckon(target, ledger)
    found |= {"kills": options.kills, "seconds": round(time.monotonic() - began)}
    sys.stdout.write(", ".join(f"{key}: {value}" for key, value in found.items()) + "\n")
    if found["lost"] or found["altered"] or found["rows without a file"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
