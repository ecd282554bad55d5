"""The spool keeps what it acknowledged, and nothing else."""

import errno
import os
import resource
import threading
import time
from pathlib import Path

import pytest

from apps.studies.spool import ABANDONED_SECONDS, Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def test_a_written_file_waits_whole_under_a_name_of_ours(spool: Spool) -> None:
    path = spool.write([b"\0" * 128, b"DICM", memoryview(b"meta"), b"data"])
    assert path.read_bytes() == b"\0" * 128 + b"DICMmetadata"
    assert spool.waiting() == [path]
    assert path.parent == spool.incoming
    assert not list(spool.partial.iterdir())


def test_files_wait_in_the_order_of_their_arrival(spool: Spool) -> None:
    written = [spool.write([b"%d" % number]) for number in range(5)]
    assert spool.waiting() == written


def test_a_sender_that_breaks_off_leaves_nothing_behind(spool: Spool) -> None:
    def broken() -> object:
        yield b"half"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        spool.write(broken())  # type: ignore[arg-type]
    assert not list(spool.partial.iterdir())
    assert not spool.waiting()


def test_a_full_disk_is_an_error_and_leaves_nothing_behind(spool: Spool) -> None:
    # A file size limit in a child process stands for the full disk.
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            spool.write([b"x" * 4000])
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == errno.EFBIG
    assert not list(spool.partial.iterdir())
    assert not spool.waiting()


def test_a_failed_file_keeps_its_reason_and_can_be_tried_again(spool: Spool) -> None:
    path = spool.write([b"poison"])
    failed = spool.fail(path, "not a DICOM file")
    assert spool.failed() == [failed]
    assert not spool.waiting()
    assert spool.reason(failed) == "not a DICOM file"
    again = spool.retry(failed)
    assert spool.waiting() == [again]
    assert not list(spool.rejected.iterdir())


def test_discarding_twice_is_no_error(spool: Spool) -> None:
    path = spool.fail(spool.write([b"poison"]), "no")
    spool.discard(path)
    spool.discard(path)
    assert not spool.failed()
    assert not list(spool.rejected.iterdir())


def test_waiting_ends_when_the_files_are_taken(spool: Spool) -> None:
    path = spool.write([b"data"])
    assert not spool.wait_until_taken([path], timeout=0.02)
    timer = threading.Timer(0.05, spool.discard, [path])
    timer.start()
    assert spool.wait_until_taken([path], timeout=5)
    timer.join()


def test_only_names_in_the_spool_are_found(spool: Spool) -> None:
    path = spool.write([b"data"])
    assert spool.find(path.name) == path
    assert spool.find("../../etc/passwd") is None
    assert spool.find(f"../incoming/{path.name}") is None


def test_half_written_files_of_the_dead_are_swept_the_living_are_left(spool: Spool) -> None:
    old, new = spool.partial / "old.part", spool.partial / "new.part"
    for path in (old, new):
        path.write_bytes(b"half")
    long_ago = time.time() - ABANDONED_SECONDS - 1
    os.utime(old, (long_ago, long_ago))
    assert spool.sweep_abandoned() == 1
    assert list(spool.partial.iterdir()) == [new]
