"""The DICOM port: accepts connections, one thread each, and survives any bytes."""

import contextlib
import logging
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable

from django.db import Error as DatabaseError

from apps.audit.services import Origin
from apps.audit.throttle import Throttle
from apps.dimse import negotiation, offers, proposals, tls, wire
from apps.dimse.admission import Caller, find_device
from apps.dimse.association import Association
from apps.dimse.conversation import Conversation, abort
from apps.dimse.database import close_idle_connections, leave_connection, take_connection
from apps.dimse.doors import Door, Newcomer
from apps.dimse.limits import DEFAULT_LIMITS, Limits
from apps.dimse.negotiation import ACCEPTED, Rejection
from apps.dimse.proposals import Proposal
from apps.dimse.secure import HandshakeError, SecureSocket
from apps.dimse.services import note_rejection, note_seen
from apps.dimse.slots import Slots
from apps.worklist.models import Device

logger = logging.getLogger(__name__)
POLL_SECONDS = 0.05
SAME_LINE_SECONDS, LINES_PER_HOUR = 60, 2000  # of each process


class Listener:
    """Listens from its making on, and may then be forked; each fork serves on its own.

    A port of 0 takes a free one, None none at all. Raises OSError if one is taken.
    `on_start` is done by each fork, in a thread beside those that accept.
    """

    def __init__(
        self,
        host: str,
        port: int | None,
        *,
        tls_port: int | None = None,
        limits: Limits = DEFAULT_LIMITS,
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        self.limits = limits
        self._on_start = on_start
        self.slots = Slots(limits)
        self.doors = [
            Door(host, number, encrypted=encrypted)
            for number, encrypted in ((port, False), (tls_port, True))
            if number is not None
        ]
        self._lines = Throttle(seconds=SAME_LINE_SECONDS, per_hour=LINES_PER_HOUR)
        self._stopping = False  # a plain flag: signal handlers set it
        self._lock = threading.Lock()
        self._pending: dict[int, Newcomer] = {}  # oldest first
        self._open: dict[int, socket.socket] = {}

    @property
    def port(self) -> int:
        return self.doors[0].port

    @property
    def tls_port(self) -> int:
        return self.doors[-1].port

    def serve_forever(self, *, is_over: Callable[[], bool] = lambda: False) -> None:
        """Accept until `stop` is called or `is_over`, then let the associations end."""
        self.slots.enter()
        threads = [threading.Thread(target=self._accept, args=(door,)) for door in self.doors]
        for thread in (*threads, threading.Thread(target=self._on_start, daemon=True)):
            thread.start()
        # Not accepting itself, the main thread is free for signals.
        while not self._stopping and not is_over():
            time.sleep(POLL_SECONDS)
        self.stop()
        for thread in threads:
            thread.join()
        self._end_all()
        close_idle_connections()
        self.slots.forget(os.getpid())

    def stop(self) -> None:
        """Take no more connections; associations end at their next pause."""
        self._stopping = True

    def _accept(self, door: Door) -> None:
        while not self._stopping:
            try:
                newcomer = door.accept(leave_to_others=self.slots.is_busier())
            except OSError as error:
                # Out of file descriptors, most likely: what is open goes on.
                logger.warning("a connection could not be accepted: %s", error)
                time.sleep(wire.TICK_SECONDS)
                continue
            if newcomer is not None:
                self._begin(newcomer)
        door.close()

    def _begin(self, newcomer: Newcomer) -> None:
        with self._lock:
            if len(self._pending) >= self.limits.pending:
                self._make_way()
            self._pending[id(newcomer.connection)] = newcomer
        thread = threading.Thread(target=self._serve, args=(newcomer,), daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._forget(newcomer.connection)
            newcomer.connection.close()
            logger.warning("no thread left for a connection from %s", newcomer.address)

    def _make_way(self) -> None:
        """Who says nothing makes way: the oldest of the address that has most of them."""
        by_address = Counter(one.address for one in self._pending.values())
        ((crowd, _count),) = by_address.most_common(1)
        key = next(key for key, one in self._pending.items() if one.address == crowd)
        with contextlib.suppress(OSError):
            self._pending.pop(key).connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, newcomer: Newcomer) -> None:
        connection: socket.socket | SecureSocket = newcomer.connection
        try:
            if newcomer.encrypted:
                connection = self._secured(newcomer)
            self._talk(connection, newcomer)
        except HandshakeError as error:
            self._log("no TLS with %s: %s", newcomer.address, str(error))
        except tls.TLSSettingsError as error:
            logger.error("no TLS with %s: %s", newcomer.address, error)  # noqa: TRY400 - it says all
        except (wire.PeerGoneError, wire.StoppedError) as end:
            logger.debug("connection from %s ended: %s", newcomer.address, end)
        except Exception:
            logger.exception("connection from %s ended by an error of ours", newcomer.address)
        finally:
            connection.close()
            leave_connection()
            self._forget(newcomer.connection)  # last: who waits for the end waits for all of it

    def _secured(self, newcomer: Newcomer) -> SecureSocket:
        secured = SecureSocket(newcomer.connection, tls.server_context())
        secured.handshake(self.limits.handshake_seconds)
        return secured

    def _talk(self, connection: socket.socket | SecureSocket, newcomer: Newcomer) -> None:
        link = wire.Wire(connection, self.limits, stopped=lambda: self._stopping)
        try:
            proposal = proposals.parse(link.read_associate())
        except wire.ProtocolError as error:
            self._log("no association from %s: %s", newcomer.address, str(error))
            abort(link, error)
            return
        take_connection()  # whoever says nothing keeps none from the others
        caller = _caller(connection, newcomer.address)
        found = self._find(proposal, caller)
        if isinstance(found, Rejection):
            self._reject(link, found, newcomer.address)
            return
        with self.slots.taken(
            device=found.pk, at_most=found.max_associations, address=newcomer.address
        ) as free:
            if not free:
                _note(negotiation.LIMIT_EXCEEDED, proposal, caller)
                self._reject(link, negotiation.LIMIT_EXCEEDED, newcomer.address)
                return
            self._admit(newcomer.connection)
            if offers.brings_images(proposal):
                leave_connection()  # storing needs no database, and may last
            Conversation(_establish(link, proposal, found, newcomer.address)).run()

    def _find(self, proposal: Proposal, caller: Caller) -> Device | Rejection:
        try:
            found = find_device(proposal, caller)
            if isinstance(found, Device):
                note_seen(found)
            else:
                _note(found, proposal, caller)
        except DatabaseError as error:
            kind = type(error).__name__
            logger.warning("no association from %s: database: %s", caller.address, kind)
            return negotiation.CONGESTION
        return found

    def _reject(self, link: wire.Wire, rejection: Rejection, address: str) -> None:
        self._log("association from %s rejected: %s", address, rejection.text)
        link.send(negotiation.reject_pdu(rejection))
        link.drain()

    def _log(self, line: str, address: str, what: str) -> None:
        """Anybody may knock a hundred times a second: the log hears of it once a minute."""
        if self._lines.passes((line, address, what)):
            logger.warning(line, address, what)

    def _admit(self, connection: socket.socket) -> None:
        """From now on it makes way for nobody."""
        with self._lock:
            self._pending.pop(id(connection), None)
            self._open[id(connection)] = connection

    def _forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._pending.pop(id(connection), None)
            self._open.pop(id(connection), None)

    def _end_all(self) -> None:
        """Give running transfers a moment, then cut what is left."""
        deadline = time.monotonic() + self.limits.stop_seconds
        while self._open and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        with self._lock:
            for connection in self._open.values():
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def _caller(connection: socket.socket | SecureSocket, address: str) -> Caller:
    if isinstance(connection, SecureSocket):
        return Caller(address, encrypted=True, certificate=connection.certificate())
    return Caller(address)


def _note(rejection: Rejection, proposal: Proposal, caller: Caller) -> None:
    origin = Origin(protocol="dimse", address=caller.address)
    note_rejection(rejection, calling=proposal.calling, origin=origin)


def _establish(link: wire.Wire, proposal: Proposal, device: Device, address: str) -> Association:
    answers = [offers.answer(device, proposal, offer) for offer in proposal.contexts]
    extended = offers.extended(device, proposal)
    answer = negotiation.accept_pdu(
        proposal,
        answers,
        extended=extended,
        identified=bool(device.identity_user),
        max_pdu=link.limits.max_pdu,
    )
    link.send(answer)
    contexts = [one.context for one in answers if one.result == ACCEPTED]
    return Association(
        link,
        device=device,
        address=address,
        contexts={context.identifier: context for context in contexts},
        max_pdu=proposal.max_pdu,
        extended=extended,
    )
