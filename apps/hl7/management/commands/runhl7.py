"""Listens for HL7 messages."""

import contextlib
import logging
import os
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext_lazy as _

from apps.hl7.listening import make_listener

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = str(_("Listen for HL7 messages (MLLP) on OPENPACS_BIND and OPENPACS_HL7_PORT."))

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = settings.OPENPACS_BIND, settings.OPENPACS_HL7_PORT
        listener = make_listener(host, port)
        try:
            listener.open()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else error
            message = f"HL7 cannot listen on {host}:{port}: {reason}. Set OPENPACS_HL7_PORT."
            raise CommandError(message) from error
        for sign in (signal.SIGTERM, signal.SIGINT):
            # Only the main thread may take signals; elsewhere the caller stops us.
            with contextlib.suppress(ValueError):
                signal.signal(sign, lambda *_args: listener.stop())
        logger.info("HL7 listens on %s:%s", listener.host, listener.port)
        listener.serve()
