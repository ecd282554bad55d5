"""`manage.py rundimse`: the DICOM port of the department."""

import logging
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.dimse.listener import Listener

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Listens for DICOM associations: images, worklist, performed steps, commitment."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.OPENPACS_BIND)
        parser.add_argument("--port", type=int, default=settings.OPENPACS_DICOM_PORT)

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        try:
            listener = Listener(host, port)
        except OSError as error:
            raise CommandError(
                f"The DICOM port {host}:{port} cannot be opened: {error.strerror}. "
                "Another program may use it; OPENPACS_DICOM_PORT chooses another one."
            ) from None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: listener.stop())
        logger.info("%s listens on %s:%d", settings.OPENPACS_AE_TITLE, host, listener.port)
        listener.serve_forever()
        logger.info("%s has stopped listening", settings.OPENPACS_AE_TITLE)
