"""Several listener processes behind one port: forked, watched, replaced, stopped together.

The parent has no threads, so that it may fork at any time, and serves nothing itself.
"""

import contextlib
import logging
import os
import signal
import time
from typing import NoReturn

from django.db import connections

from apps.dimse.listener import Listener

logger = logging.getLogger(__name__)
TICK_SECONDS = 0.1
SPARE_SECONDS = 1.0  # beside what a child may take to stop by itself
STEADY_SECONDS = 5.0  # a child that ends sooner is replaced only after as long


class Processes:
    """`count` forks that serve `listener`, until `stop` is called."""

    def __init__(self, listener: Listener, count: int) -> None:
        self._listener = listener
        self._count = count
        self._started: dict[int, float] = {}  # process, when
        self._not_before = 0.0
        self._stopping = False  # a plain flag: signal handlers set it

    def serve_forever(self) -> None:
        """Returns when all children have ended after `stop`."""
        while not self._stopping:
            self._reap()
            if len(self._started) < self._count and time.monotonic() >= self._not_before:
                self._start()
            else:
                time.sleep(TICK_SECONDS)
        self._end_all()

    def stop(self) -> None:
        """May be called by a signal handler."""
        self._stopping = True

    def _start(self) -> None:
        parent = os.getpid()
        connections.close_all()  # none of them may be shared
        process = os.fork()
        if process == 0:
            self._serve(parent)
        self._started[process] = time.monotonic()

    def _serve(self, parent: int) -> NoReturn:
        """What a child does; never returns."""
        code = 1
        try:
            signal.signal(signal.SIGTERM, lambda *_: self._listener.stop())
            # Ctrl-C in a terminal reaches every process: the parent passes it on in order.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            if self._stopping:  # it was told before it could hear
                self._listener.stop()
            self._listener.serve_forever(is_over=lambda: os.getppid() != parent)
            code = 0
        except Exception:
            logger.exception("a listener process broke")
        finally:
            os._exit(code)

    def _reap(self) -> None:
        for process in list(self._started):
            ended, status = os.waitpid(process, os.WNOHANG)
            if not ended:
                continue
            self._listener.slots.forget(process)
            if self._stopping:
                del self._started[process]
                continue
            code = os.waitstatus_to_exitcode(status)
            logger.warning("a listener process ended (%d) and is replaced", code)
            if time.monotonic() - self._started.pop(process) < STEADY_SECONDS:
                self._not_before = time.monotonic() + STEADY_SECONDS

    def _end_all(self) -> None:
        deadline = time.monotonic() + self._listener.limits.stop_seconds + SPARE_SECONDS
        while self._started:
            # Again and again: a child that has just been forked forgets what it was told.
            self._signal(signal.SIGKILL if time.monotonic() > deadline else signal.SIGTERM)
            self._reap()
            time.sleep(TICK_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
