"""`manage.py rundimse`: the DICOM port of the department."""

import logging
import signal
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.dimse import tls
from apps.dimse.listener import Listener
from apps.dimse.processes import Processes
from apps.dimse.rehearsal import rehearse
from apps.dimse.slots import MAX_PROCESSES
from apps.studies.tasks import warm_up

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Listens for DICOM associations: images, worklist, performed steps, commitment."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.OPENPACS_BIND)
        parser.add_argument(
            "--port",
            type=int,
            default=settings.OPENPACS_DICOM_PORT or None,
            help="0: any free one; without it OPENPACS_DICOM_PORT, where 0 is none at all",
        )
        parser.add_argument(
            "--tls-port", type=int, default=settings.OPENPACS_DICOM_TLS_PORT or None
        )
        parser.add_argument("--processes", type=int, default=settings.OPENPACS_DICOM_PROCESSES)

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["processes"] <= MAX_PROCESSES:
            raise CommandError(f"There can be 1 to {MAX_PROCESSES} listener processes.")
        warm_up()
        listener = _listener(options["host"], options["port"], options["tls_port"])
        # A single process needs no other one to watch it: the supervisor does.
        count = options["processes"]
        serving = listener if count <= 1 else Processes(listener, count)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stops(serving))
        for door in listener.doors:
            over = " over TLS" if door.encrypted else ""
            title, host = settings.OPENPACS_AE_TITLE, options["host"]
            logger.info("%s listens on %s:%d%s", title, host, door.port, over)
        serving.serve_forever()
        logger.info("%s has stopped listening", settings.OPENPACS_AE_TITLE)


def _listener(host: str, port: int | None, tls_port: int | None) -> Listener:
    if port is None and tls_port is None:
        raise CommandError("There is no DICOM port: set OPENPACS_DICOM_PORT or its TLS port.")
    try:
        if tls_port is not None:
            tls.check_settings()
        return Listener(host, port, tls_port=tls_port, on_start=rehearse)
    except tls.TLSSettingsError as error:
        raise CommandError(f"The DICOM TLS port cannot be opened: {error}.") from None
    except OSError as error:
        tried = port if tls_port is None else f"{port or 'none'} or {host}:{tls_port}"
        raise CommandError(
            f"The DICOM port {host}:{tried} cannot be opened: {error.strerror}. "
            "Another program may use it; OPENPACS_DICOM_PORT chooses another one."
        ) from None


def _stops(serving: Listener | Processes) -> Callable[..., None]:
    return lambda *_: serving.stop()
