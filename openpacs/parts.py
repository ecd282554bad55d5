"""The programs of the department, as functions that run until stopped."""

import logging
import shelve
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from apps.site.services import AlreadySetUp, setup_link
from openpacs.celery import app
from openpacs.processes import Part

log = logging.getLogger(__name__)


def first_user_link() -> str:
    """The one-time address for making the first user; empty where there are users."""
    try:
        return setup_link()
    except AlreadySetUp:
        return ""


def serve_web() -> None:
    Granian(
        "openpacs.wsgi:application",
        address=settings.OPENPACS_BIND,
        port=settings.OPENPACS_HTTP_PORT,
        interface=Interfaces.WSGI,
        workers=settings.OPENPACS_WEB_WORKERS,
        blocking_threads=settings.OPENPACS_WEB_THREADS,
        respawn_failed_workers=True,
        workers_kill_timeout=5,
        websockets=False,
        log_dictconfig=web_logging(),
        log_level=LogLevels.warning,  # it sets the level of its logger after all
        log_access=False,  # addresses of pages hold no names, but who looked is the journal's
    ).serve()


def serve_events() -> None:
    Granian(
        "openpacs.asgi:application",
        address=settings.OPENPACS_BIND,
        port=settings.OPENPACS_EVENTS_PORT,
        interface=Interfaces.ASGINL,
        workers=1,  # who listens is known to one process
        respawn_failed_workers=True,
        workers_kill_timeout=5,
        http=HTTPModes.http1,  # a WebSocket begins as a request of HTTP/1.1
        log_dictconfig=web_logging(),
        log_level=LogLevels.warning,
        log_access=False,
    ).serve()


def web_logging() -> dict[str, Any]:
    """Our logging for the web server too: it brings a format of its own, without times.

    What it says at every start is left out, as the supervisor says it in its own words.
    """
    ours: dict[str, Any] = settings.LOGGING
    return {**ours, "loggers": {**ours["loggers"], "_granian": {"level": "WARNING"}}}


def command(name: str) -> Callable[[], object]:
    """A part that is a management command."""
    return lambda: call_command(name)


def run_worker() -> None:
    # The supervisor has said so already, in one line.
    warnings.filterwarnings("ignore", message=r"You're running the worker with superuser")
    app.worker_main(
        [
            *("-q", "worker", "--loglevel", "INFO", "--pool", "threads"),
            *("--concurrency", str(settings.OPENPACS_WORKER_THREADS)),
            *("--queues", "ingest,outbound,default"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ]
    )


def forget_damaged(schedule: Path) -> None:
    """Delete what beat kept of its last runs where it cannot be read: it begins anew then.

    It is not written in one piece. After a failure of the power the department would not start.
    """
    try:
        with shelve.open(str(schedule)) as kept:  # noqa: S301 - written by beat
            dict(kept)
    except Exception:  # noqa: BLE001 - half a pickle raises anything
        log.warning("The schedule of the last run cannot be read: beginning anew")
        for path in schedule.parent.glob(f"{schedule.name}*"):
            path.unlink()


def run_beat() -> None:
    schedule = settings.OPENPACS_HOME / "beat-schedule"
    forget_damaged(schedule)
    app.start(["-q", "beat", "--loglevel", "INFO", "--schedule", str(schedule), "--pidfile="])


PARTS = (
    Part("web", serve_web),
    *([Part("events", serve_events)] if settings.OPENPACS_EVENTS_PORT else []),  # 0: closed
    Part("dimse", command("rundimse")),
    Part("hl7", command("runhl7")),
    Part("worker", run_worker),
    Part("beat", run_beat),
)
