"""Transcoding at arm's length: codecs read other people's bytes in processes of their own.

The processes import this room only, no Django, so that they are small and start quickly.
"""

import multiprocessing
import resource
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from apps.dicom.transcoding import MOST_BYTES, TranscodingError, transcode

PROCESSES = 2
MEMORY_BYTES = 6 * MOST_BYTES
CPU_SECONDS = 120  # of one image
IMAGES_PER_PROCESS = 500  # what a codec leaks goes with its process


class Workshop:
    """Processes that transcode, started when first needed and anew after one has died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def transcode(self, data_set: bytes, source: str, target: str) -> bytes:
        """Raises TranscodingError, also where no process survives the image.

        One that dies takes the images of its neighbours with it: each is tried once more.
        """
        for _attempt in range(2):
            pool = self._open()
            try:
                return pool.submit(_work, data_set, source, target).result()
            except BrokenProcessPool:
                self._forget(pool)
        raise TranscodingError("the codec crashed or took too much")

    def close(self) -> None:
        """End the processes; the next image starts new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    def _open(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    max_workers=PROCESSES,
                    mp_context=multiprocessing.get_context("spawn"),
                    initializer=_limit_memory,
                    max_tasks_per_child=IMAGES_PER_PROCESS,
                )
            return self._pool

    def _forget(self, pool: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is pool:
                self._pool = None
        pool.shutdown(wait=False)


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _work(data_set: bytes, source: str, target: str) -> bytes:
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
    # Beyond it the kernel ends the process.
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))
    return transcode(data_set, source, target)
