"""The DICOM port: accepts connections, one thread each, and survives any bytes."""

import contextlib
import ipaddress
import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections

from apps.audit.services import Origin
from apps.dimse import negotiation, offers, proposals, wire
from apps.dimse.association import Association
from apps.dimse.conversation import Conversation, abort
from apps.dimse.limits import DEFAULT_LIMITS, Limits
from apps.dimse.negotiation import ACCEPTED, Rejection
from apps.dimse.proposals import Proposal
from apps.dimse.services import note_rejection, note_seen
from apps.worklist.models import Device

logger = logging.getLogger(__name__)
BACKLOG = 128
POLL_SECONDS = 0.05


class Listener:
    """Listens from its making on; `port` 0 takes a free one. Raises OSError if it is taken."""

    def __init__(self, host: str, port: int, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._pending: dict[int, socket.socket] = {}  # oldest first
        self._open: dict[int, socket.socket] = {}
        self._by_address: Counter[str] = Counter()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=BACKLOG)
        self._socket.settimeout(wire.TICK_SECONDS)
        self.port: int = self._socket.getsockname()[1]

    def serve_forever(self) -> None:
        """Accept until `stop` is called, then let the associations end."""
        while not self._stopping.is_set():
            try:
                connection, peer = self._socket.accept()
            except TimeoutError:
                continue
            except OSError as error:
                if not self._stopping.is_set():
                    # Out of file descriptors, most likely: what is open goes on.
                    logger.warning("a connection could not be accepted: %s", error)
                    self._stopping.wait(wire.TICK_SECONDS)
                continue
            self._begin(connection, peer[0])
        self._socket.close()
        self._end_all()

    def stop(self) -> None:
        """Take no more connections; associations end at their next pause."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes a waiting accept

    def _begin(self, connection: socket.socket, address: str) -> None:
        with self._lock:
            if len(self._pending) >= self.limits.pending:
                # Who says nothing makes way: a device introduces itself at once.
                oldest = next(iter(self._pending.values()))
                with contextlib.suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
            self._pending[id(connection)] = connection
        thread = threading.Thread(target=self._serve, args=(connection, address), daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._forget(connection)
            connection.close()
            logger.warning("no thread left for a connection from %s", address)

    def _serve(self, connection: socket.socket, address: str) -> None:
        try:
            link = wire.Wire(connection, self.limits, stopped=self._stopping.is_set)
            self._talk(link, address)
        except (wire.PeerGoneError, wire.StoppedError) as end:
            logger.debug("connection from %s ended: %s", address, end)
        except Exception:
            logger.exception("connection from %s ended by an error of ours", address)
        finally:
            connection.close()
            connections.close_all()
            self._forget(connection)  # last: who waits for the end waits for all of it

    def _talk(self, link: wire.Wire, address: str) -> None:
        try:
            proposal = proposals.parse(link.read_associate())
        except wire.ProtocolError as error:
            logger.warning("no association from %s: %s", address, error)
            abort(link, error)
            return
        with self._counted(link.connection, address) as free:
            device = self._admit(link, proposal, address, free=free)
            if device is not None:
                association = _establish(link, proposal, device, address)
                Conversation(association).run()

    def _admit(
        self, link: wire.Wire, proposal: Proposal, address: str, *, free: bool
    ) -> Device | None:
        """The device that calls, or None after an A-ASSOCIATE-RJ."""
        try:
            found = find_device(proposal, address) if free else negotiation.LIMIT_EXCEEDED
            origin = Origin(protocol="dimse", address=address)
            if isinstance(found, Device):
                note_seen(found)
                return found
            note_rejection(found, calling=proposal.calling, origin=origin)
        except DatabaseError as error:
            logger.warning("no association from %s: database: %s", address, type(error).__name__)
            found = negotiation.CONGESTION
        logger.warning("association from %s rejected: %s", address, found.text)
        link.send(negotiation.reject_pdu(found))
        link.drain()
        return None

    @contextlib.contextmanager
    def _counted(self, connection: socket.socket, address: str) -> Iterator[bool]:
        """Count an association; yields whether there is room for it."""
        with self._lock:
            self._pending.pop(id(connection), None)
            free = (
                len(self._open) < self.limits.associations
                and self._by_address[address] < self.limits.associations_per_address
            )
            self._open[id(connection)] = connection
            self._by_address[address] += 1
        try:
            yield free
        finally:
            with self._lock:
                self._by_address[address] -= 1
                self._by_address += Counter()  # drops what is zero

    def _forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._pending.pop(id(connection), None)
            self._open.pop(id(connection), None)

    def _end_all(self) -> None:
        """Give running transfers a moment, then cut what is left."""
        deadline = time.monotonic() + self.limits.stop_seconds
        while self._open:
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_SECONDS)
        with self._lock:
            for connection in self._open.values():
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def find_device(proposal: Proposal, address: str) -> Device | Rejection:
    """Who calls? Known by AE title, and by address where the device asks for it."""
    if proposal.protocol_version & 1 == 0:
        return negotiation.PROTOCOL_UNKNOWN
    if proposal.application_context != negotiation.APPLICATION_CONTEXT:
        return negotiation.CONTEXT_NAME_UNKNOWN
    if proposal.called != settings.OPENPACS_AE_TITLE:
        return negotiation.CALLED_AE_UNKNOWN
    device = Device.objects.allowed().filter(ae_title=proposal.calling).first()
    if device is None:
        return negotiation.CALLING_AE_UNKNOWN
    if device.check_address and not _is_at(device.host, address):
        return negotiation.ADDRESS_UNKNOWN
    return device


def _is_at(host: str, address: str) -> bool:
    try:
        known = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    called = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(called, "ipv4_mapped", None)
    return str(mapped or called) in known


def _establish(link: wire.Wire, proposal: Proposal, device: Device, address: str) -> Association:
    answers = [offers.answer(device, proposal, offer) for offer in proposal.contexts]
    extended = offers.extended(device, proposal)
    max_pdu = link.limits.max_pdu
    link.send(negotiation.accept_pdu(proposal, answers, extended=extended, max_pdu=max_pdu))
    return Association(
        link,
        device=device,
        address=address,
        contexts={one.context.identifier: one.context for one in answers if one.result == ACCEPTED},
        max_pdu=proposal.max_pdu,
        extended=extended,
    )
