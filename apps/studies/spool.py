"""The spool: files that were accepted and are not indexed yet. The file is the queue.

Below its root: `partial/` (being written), `incoming/` (durable, waiting), `failed/`
(could not be indexed; each with a `.reason` beside it), `staged/` (a folder for each web
request that is still bringing files). Names are made here, never from what a peer sent.
"""

import fcntl
import functools
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from apps.audit.alone import alone, held
from apps.dicom.pieces import MOST_PIECES

SUFFIX = ".dcm"
POLL_SECONDS = 0.005
ABANDONED_SECONDS = 15 * 60  # longer than any transfer may last
SYNCS = 4  # at once, of the files of a request
UNLOCKED_SECONDS = 60  # longer than it takes to lock a folder that was made

Buffer = bytes | memoryview


class Spool:
    """A spool folder; several processes may use one at the same time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.partial = root / "partial"
        self.incoming = root / "incoming"
        self.rejected = root / "failed"
        self.staged = root / "staged"
        for folder in (self.partial, self.incoming, self.rejected, self.staged):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, parts: Iterable[Buffer]) -> Path:
        """Keep one whole PS3.10 file (preamble, meta, data set); returns its path.

        When this returns the file survives a power failure: data synced, renamed, folder
        synced, in this order. On any error nothing is left behind and it propagates.
        """
        return self.write_batches([part] for part in parts)

    def write_batches(self, batches: Iterable[Sequence[Buffer]]) -> Path:
        """The same for parts that come several at a time, and are written with one call."""
        name = _new_name()
        partial, final = f"{self.partial}/{name}.part", self.incoming / name
        try:
            _write_synced(partial, batches)
            os.rename(partial, final)  # noqa: PTH104 - no Path made for a name used once
            sync_folder(self.incoming)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            final.unlink(missing_ok=True)
            raise
        return final

    @contextmanager
    def staging(self) -> Iterator["Stage"]:
        """A place for files that are nobody's until all of them are here.

        It goes with everything in it when the block ends, and when this process dies.
        """
        folder = self.staged / secrets.token_hex(8)
        folder.mkdir(mode=0o700)
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Stage(folder, self)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    def waiting(self) -> list[Path]:
        """Files to be indexed, oldest first."""
        return _files(self.incoming)

    def failed(self) -> list[Path]:
        """Files that could not be indexed, oldest first."""
        return _files(self.rejected)

    def find(self, name: str) -> Path | None:
        """A waiting or failed file by its bare name; None for anything else."""
        known = {path.name: path for path in (*self.waiting(), *self.failed())}
        return known.get(name)

    def fail(self, path: Path, reason: str) -> Path:
        """Put a file aside for good, with the reason in plain words; returns where it is."""
        target = self.rejected / path.name
        _write_synced(_reason_file(target), [[reason.encode()]])
        path.rename(target)
        sync_folder(self.rejected)
        return target

    def reason(self, path: Path) -> str:
        """Why a file failed; empty for one that did not."""
        try:
            return _reason_file(path).read_text()
        except FileNotFoundError:
            return ""

    def retry(self, path: Path) -> Path:
        """Put a failed file back in the queue."""
        target = self.incoming / path.name
        path.rename(target)
        _reason_file(path).unlink(missing_ok=True)
        sync_folder(self.incoming)
        return target

    def discard(self, path: Path) -> None:
        """Remove a file that is indexed, or that nobody wants; one that is gone is no error."""
        path.unlink(missing_ok=True)
        if path.parent == self.rejected:
            _reason_file(path).unlink(missing_ok=True)

    def wait_until_taken(self, paths: Sequence[Path], timeout: float) -> bool:
        """Wait until none of `paths` is in the queue any more; False after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        left = [str(path) for path in paths]
        while left:
            # The last is taken last, as a rule: one look tells most of the time.
            if not os.path.exists(left[-1]):  # noqa: PTH110 - asked hundreds of times
                left.pop()
            elif time.monotonic() >= deadline:
                return False
            else:
                time.sleep(POLL_SECONDS)
        return True

    def sweeping(self) -> AbstractContextManager[bool]:
        """True for the one process at a time that may take files nobody told it of."""
        return alone(self.root)

    def sweep_abandoned(self) -> int:
        """Remove half-written files of processes that died; nobody was told they are safe."""
        oldest = time.time() - ABANDONED_SECONDS
        abandoned = [path for path in self.partial.iterdir() if path.stat().st_mtime < oldest]
        for path in abandoned:
            path.unlink(missing_ok=True)
        return len(abandoned) + sum(map(_remove_unlocked, self.staged.iterdir()))


class Stage:
    """The folder of one web request; see `Spool.staging`."""

    def __init__(self, folder: Path, spool: Spool) -> None:
        self.folder = folder
        self._spool = spool

    def keep(self, parts: Iterable[Buffer]) -> Path:
        """Write one file, to be admitted or forgotten; raises OSError."""
        path = self.folder / _new_name()
        _write(path, ([part] for part in parts))
        return path

    def put_by(self, parts: Iterable[Buffer]) -> Path:
        """Write what is needed for the time of the request only; raises OSError."""
        path = self.folder / secrets.token_hex(8)
        with path.open("wb") as file:
            file.writelines(parts)
        return path

    def admit(self, paths: Sequence[Path]) -> list[Path]:
        """Put files of the folder in the queue, durable from then on; returns where they are."""
        _sync_together(paths)
        made = [self._spool.incoming / path.name for path in paths]
        for path, target in zip(paths, made, strict=True):
            path.rename(target)
        sync_folder(self._spool.incoming)
        return made


def default_spool() -> Spool:
    """The spool of this site (OPENPACS_SPOOL)."""
    return _spool(str(settings.SPOOL_DIR))


@functools.lru_cache(maxsize=8)
def _spool(root: str) -> Spool:
    return Spool(Path(root))


def received_at(name: str) -> datetime:
    """When a file came, by the name it was given then; kept in the storage too."""
    return datetime.fromtimestamp(int(name.partition("-")[0]) / 1e9, UTC)


def sync_folder(folder: Path) -> None:
    """Make renames and links in a folder survive a power failure."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_synced(path: str | Path, batches: Iterable[Sequence[Buffer]]) -> None:
    _write(path, batches, last=os.fsync)


def _write(
    path: str | Path,
    batches: Iterable[Sequence[Buffer]],
    last: Callable[[int], object] = lambda _handle: None,
) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        for batch in batches:
            for start in range(0, len(batch), MOST_PIECES):
                _write_all(handle, batch[start : start + MOST_PIECES])
        last(handle)
    finally:
        os.close(handle)


def _write_all(handle: int, pieces: Sequence[Buffer]) -> None:
    written = os.writev(handle, pieces)
    if written < sum(map(len, pieces)):  # a signal, or a disk that is nearly full
        rest = memoryview(b"".join(pieces))[written:]
        while rest:
            rest = rest[os.write(handle, rest) :]


def _sync_together(paths: Sequence[Path]) -> None:
    """Sync several files at once: they share what the file system writes for each of them."""
    if len(paths) == 1:
        _sync(paths[0])
    elif paths:
        with ThreadPoolExecutor(min(len(paths), SYNCS)) as pool:
            for _ in pool.map(_sync, paths):
                pass  # an error is raised here


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _new_name() -> str:
    return f"{time.time_ns():020d}-{secrets.token_hex(8)}{SUFFIX}"


def _remove_unlocked(folder: Path) -> bool:
    """Remove the folder of a request whose process died: nobody holds its lock any more."""
    try:
        if folder.stat().st_mtime > time.time() - UNLOCKED_SECONDS:
            return False
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        if mine := held(lock):
            shutil.rmtree(folder, ignore_errors=True)
        return mine
    finally:
        os.close(lock)


def _reason_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.reason")


def _files(folder: Path) -> list[Path]:
    names = sorted(os.listdir(folder))  # noqa: PTH208 - of thousands, many times a minute
    return [folder / name for name in names if name.endswith(SUFFIX)]
