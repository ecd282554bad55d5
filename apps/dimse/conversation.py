"""An established association, from its first request to its end."""

import contextlib
import logging
from traceback import format_tb

from django.db import Error as DatabaseError
from django.db import close_old_connections

from apps.audit.throttle import Throttle
from apps.dimse import status, wire
from apps.dimse.association import Association, ReleasedError, Request
from apps.dimse.handlers import handler_for
from apps.dimse.handlers.commitment import report_elsewhere, report_here, take_answer
from apps.dimse.handlers.storage import announce, wait_until_indexed
from apps.dimse.messages import C_STORE_RQ

logger = logging.getLogger(__name__)
SAME_LINE_SECONDS, LINES_PER_HOUR = 60, 1000  # of one association


class Conversation:
    """An established association, until it ends in whatever way."""

    def __init__(self, association: Association) -> None:
        self.association = association
        self._lines = Throttle(seconds=SAME_LINE_SECONDS, per_hour=LINES_PER_HOUR)
        association.wire.on_idle = self._pause
        association.on_response = take_answer

    def run(self) -> None:
        association = self.association
        try:
            while True:
                self._answer(association.next_request())
        except ReleasedError:
            wait_until_indexed(association)
            association.wire.send(wire.release_rp())
            association.wire.drain()
        except wire.ProtocolError as error:
            logger.warning("association of %s aborted: %s", association.device.ae_title, error)
            abort(association.wire, error)
        except wire.StoppedError:
            association.wire.send(wire.abort(source=wire.SERVICE_USER, reason=0))
        finally:
            announce(association)
            report_elsewhere(association)
            self._catch_up()

    def _answer(self, request: Request) -> None:
        if request.command.field != C_STORE_RQ:
            close_old_connections()  # a store needs no database
        self._catch_up()
        try:
            handler_for(request)(request)
        except (ReleasedError, wire.PeerGoneError, wire.ProtocolError, wire.StoppedError):
            raise
        except Exception as error:  # noqa: BLE001 - logged there, without what it says
            self._refuse(request, error)

    def _refuse(self, request: Request, error: Exception) -> None:
        refusal = status.refusal_of(error)
        title, operation = self.association.device.ae_title, request.command.field
        kind = type(error).__name__
        if refusal is status.UNEXPECTED:
            said = f" at\n{''.join(format_tb(error.__traceback__))}"
        elif isinstance(error, DatabaseError):
            said = ""
        else:
            said = f": {error}"
        # Others than ours say in their errors which values they were given: names, perhaps.
        # A full disk refuses each image of a study: one line of it will do.
        if self._lines.passes((operation, kind, said)):
            logger.warning("operation 0x%04X of %s refused: %s%s", operation, title, kind, said)
        # The peer is told no more than it said itself: which file or row failed is for the log.
        ours = refusal is status.UNEXPECTED or isinstance(error, DatabaseError | OSError)
        code = refusal.normalized if operation & 0x0100 else refusal.composite
        request.respond(code, error_id=refusal.error_id, comment="" if ours else str(error))

    def _pause(self) -> None:
        """The peer is silent between two messages."""
        announce(self.association)
        report_here(self.association)
        self._catch_up()

    def _catch_up(self) -> None:
        """Do what was put off: entries of the journal, mostly."""
        put_off, self.association.put_off = self.association.put_off, []
        for one in put_off:
            try:
                one()
            except DatabaseError as error:
                title, kind = self.association.device.ae_title, type(error).__name__
                logger.error("not journalled what %s did: %s", title, kind)  # noqa: TRY400 - a trace may name a patient


def abort(link: wire.Wire, error: wire.ProtocolError) -> None:
    """Tell the peer that it breaks the rules, and hang up."""
    with contextlib.suppress(wire.PeerGoneError):
        link.send(wire.abort(source=wire.SERVICE_PROVIDER, reason=error.reason))
        link.drain()
