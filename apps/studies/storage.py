"""Where DICOM files are kept: a folder, or S3 through django-storages.

Names in the storage are made by us: `studies/2026/11/22/<study>/<file>.dcm`. The folder
is readable without us, and the index can be rebuilt from it.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl, urlsplit

from botocore.config import Config
from botocore.exceptions import ClientError
from django.core.files.storage import FileSystemStorage, storages
from storages.backends.s3 import S3Storage

from apps.studies.spool import SUFFIX, sync_folder

S3_SCHEME = "s3"
_S3_OPTIONS = frozenset(
    {"endpoint_url", "region_name", "access_key", "secret_key", "addressing_style", "verify"}
)


# Of a bucket: files sent at once, and how many may fail before the rest is left for later.
AT_ONCE, MOST_FAILED = 8, 8
IN_MEMORY = 1 << 24  # bytes of an object that is read whole


class StorageError(OSError):
    """The storage did not keep what it was given."""


class StorageAwayError(StorageError):
    """The storage cannot be asked now: nobody knows whether it has a file."""


class DicomStorage(Protocol):
    """What the archive needs of a storage, beside Django's own `open`."""

    def adopt(self, source: Path, name: str) -> None:
        """Keep a spool file under `name`; doing it twice is no error; raises OSError."""

    def adopt_all(self, names: Mapping[Path, str]) -> dict[Path, OSError]:
        """Keep spool files under their names; those that could not be kept, each with the why."""

    def settle(self, names: Iterable[str]) -> None:
        """Return when adopted files survive a power failure."""

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Part of a file; raises OSError where it is shorter than that."""

    def read_into(self, name: str, offset: int, room: memoryview) -> None:
        """Fill `room` with part of a file; raises OSError where it is shorter than that."""

    def size(self, name: str) -> int:
        """Length of a file in bytes; raises OSError where there is none."""

    def remove(self, name: str) -> None:
        """Take a file away; one that is gone is no error."""

    def names(self, top: str) -> Iterator[str]:
        """Every DICOM file below a top folder, in no order."""

    def at_hand(self, name: str) -> AbstractContextManager[Path]:
        """The file as one of this machine, for reading; raises OSError."""

    def open(self, name: str, mode: str = "rb") -> Any: ...


class FolderStorage(FileSystemStorage):
    """A folder, by default beside the spool: adopting a file is then a hard link."""

    def adopt(self, source: Path, name: str) -> None:
        try:
            os.link(source, self._place(name))
        except FileExistsError:
            return
        except OSError:
            self._adopt_otherwise(source, name)

    def adopt_all(self, names: Mapping[Path, str]) -> dict[Path, OSError]:
        tried = ((source, _problem(self.adopt, source, name)) for source, name in names.items())
        return {source: problem for source, problem in tried if problem}

    def settle(self, names: Iterable[str]) -> None:
        for folder in {name.rpartition("/")[0] for name in names}:
            sync_folder(Path(self._place(folder)))

    def _place(self, name: str) -> str:
        # `path` looks for ways out of the folder, for longer than a link or a frame takes; names
        # are ours.
        return f"{self.location}/{name}"

    def _adopt_otherwise(self, source: Path, name: str) -> None:
        target = Path(self._place(name))
        if not source.exists():
            raise FileNotFoundError(source)
        if target.parent.exists():
            _copy_synced(source, target)  # another file system, or one without links
        else:
            self._make_folder(target.parent)
            self.adopt(source, name)

    def read(self, name: str, offset: int, length: int) -> bytes:
        handle = os.open(self._place(name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _whole(os.pread(handle, length, offset), length)
        finally:
            os.close(handle)

    def read_into(self, name: str, offset: int, room: memoryview) -> None:
        handle = os.open(self._place(name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            check_length(os.preadv(handle, [room], offset), len(room))
        finally:
            os.close(handle)

    def remove(self, name: str) -> None:
        Path(self.path(name)).unlink(missing_ok=True)

    def names(self, top: str) -> Iterator[str]:
        root = Path(self.location)
        for folder, _, files in os.walk(root / top):
            below = Path(folder).relative_to(root)
            yield from (f"{below}/{name}" for name in files if name.endswith(SUFFIX))

    @contextmanager
    def at_hand(self, name: str) -> Iterator[Path]:
        yield Path(self.path(name))

    def _make_folder(self, folder: Path) -> None:
        """A new folder is as durable as its entries in the folders above."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        root = Path(self.location)
        for above in folder.parents:
            if root in (above, *above.parents):
                sync_folder(above)


class BucketStorage(S3Storage):
    """A bucket. The spool entry goes only after the object's size was confirmed."""

    location: str

    def adopt(self, source: Path, name: str) -> None:
        key = self.key_of(name)
        size = source.stat().st_size
        with _asking("upload"):
            self.bucket.upload_file(str(source), key, Config=self.transfer_config)
            kept = self.bucket.Object(key).content_length
        if kept != size:
            raise StorageError(f"upload is {kept} bytes long instead of {size}")

    def adopt_all(self, names: Mapping[Path, str]) -> dict[Path, OSError]:
        """Several at once: each waits for the network. A bucket that is away is soon let be."""
        failed: dict[Path, OSError] = {}

        def adopt(source: Path) -> None:
            if len(failed) >= MOST_FAILED:
                failed[source] = StorageAwayError("too many uploads failed")
            elif problem := _problem(self.adopt, source, names[source]):
                failed[source] = problem

        with ThreadPoolExecutor(min(len(names), AT_ONCE) or 1) as pool:
            for _ in pool.map(adopt, names):
                pass  # what is no OSError is raised here
        return failed

    def settle(self, names: Iterable[str]) -> None:
        """An answered PUT is durable."""

    def read(self, name: str, offset: int, length: int) -> bytes:
        if not length:
            return b""
        last = offset + length - 1
        with _asking("download"):
            answer = self.bucket.Object(self.key_of(name)).get(Range=f"bytes={offset}-{last}")
            data = answer["Body"].read()
        return _whole(data, length)

    def read_into(self, name: str, offset: int, room: memoryview) -> None:
        room[:] = self.read(name, offset, len(room))

    def open(self, name: str, mode: str = "rb") -> Any:
        """The whole object: in memory if it is small, else in a file that goes when closed."""
        kept = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed by who asked
        with _asking("download"):
            shutil.copyfileobj(self.bucket.Object(self.key_of(name)).get()["Body"], kept)
        kept.seek(0)
        return kept

    def size(self, name: str) -> int:
        with _asking("look"):
            return int(self.bucket.Object(self.key_of(name)).content_length)

    def remove(self, name: str) -> None:
        with _asking("removal"):
            self.bucket.Object(self.key_of(name)).delete()

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        mother: Any = super()
        with _asking("listing"):
            found: tuple[list[str], list[str]] = mother.listdir(path)
        return found

    def names(self, top: str) -> Iterator[str]:
        front = len(self.key_of(""))
        with _asking("listing"):
            for found in self.bucket.objects.filter(Prefix=self.key_of(f"{top}/")):
                if found.key.endswith(SUFFIX):
                    yield found.key[front:]

    @contextmanager
    def at_hand(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name.rpartition("/")[2]
            with _asking("download"):
                self.bucket.download_file(self.key_of(name), str(path))
            yield path

    def key_of(self, name: str) -> str:
        return f"{self.location}/{name}" if self.location else name


def dicom_storage(location: str) -> DicomStorage:
    """The storage that DICOM_STORAGE names: a folder or s3://bucket/prefix?endpoint_url=...

    Keys come from the query (access_key, secret_key) or from AWS's own environment.
    """
    address = urlsplit(str(location))
    if address.scheme != S3_SCHEME:
        return FolderStorage(location=location)
    options = {key: value for key, value in parse_qsl(address.query) if key in _S3_OPTIONS}
    storage: Any = BucketStorage
    bucket = storage(
        bucket_name=address.netloc,
        location=address.path.strip("/"),
        default_acl=None,
        client_config=Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"max_attempts": 3, "mode": "standard"},
            max_pool_connections=4 * AT_ONCE,
        ),
        file_overwrite=True,
        querystring_auth=True,
        **options,
    )
    return cast("DicomStorage", bucket)


def stored_files() -> DicomStorage:
    """The DICOM storage of this site."""
    return cast("DicomStorage", storages["dicom"])


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Whatever goes wrong with a bucket as OSError: botocore's errors have no useful base."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        kind = StorageError if _is_an_answer(error) else StorageAwayError
        raise kind(f"{what} failed ({type(error).__name__})") from error


def _is_an_answer(error: Exception) -> bool:
    """Does the bucket say that it has no such object, or a shorter one?"""
    code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
    return code in {"404", "NoSuchKey", "InvalidRange", "416"}


def _problem(adopt: Callable[[Path, str], None], source: Path, name: str) -> OSError | None:
    try:
        adopt(source, name)
    except OSError as error:
        return error
    return None


def _copy_synced(source: Path, target: Path) -> None:
    partial = target.with_suffix(".part")
    with source.open("rb") as reader, partial.open("wb") as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)
        writer.flush()
        os.fsync(writer.fileno())
    partial.rename(target)


def check_length(read: int, length: int) -> None:
    """Raise StorageError where not all was read that should be there (bytes)."""
    if read != length:
        raise StorageError(f"{read} bytes where {length} should be")


def _whole(data: bytes, length: int) -> bytes:
    check_length(len(data), length)
    return data
