"""C-STORE as the requesting side: the sub-operations of C-MOVE and C-GET, and all sending."""

import enum
import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from apps.dicom.transcoding import ENCODABLE, UNCOMPRESSED, TranscodingError
from apps.dimse import messages
from apps.dimse.association import Association
from apps.dimse.messages import Buffer
from apps.dimse.negotiation import Context
from apps.dimse.requesting import Wanted
from apps.dimse.transcoding import transcoded
from apps.dimse.wire import ProtocolError
from apps.studies.models import Instance
from apps.studies.services import Outgoing, outgoing
from apps.worklist.models import Device

logger = logging.getLogger(__name__)
Originator = tuple[str, int]  # AE title and Message ID of a C-MOVE
NO_CONTEXT = 0x0122  # SOP class not supported
READ_AHEAD = 8 << 20  # bytes of the next data set that are read while the peer is busy
AT_ONCE = 1 << 20  # bytes for one system call, where they are not the last
_FALLBACKS = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))


class Unanswered(enum.Enum):
    """Why the peer said nothing about an instance."""

    UNREADABLE = "unreadable"  # here: it was not sent, or not to its end
    CUT = "cut"  # the association broke before


class UnreadableError(ProtocolError):
    """An instance that cannot be read to its end: the peer has half of it."""


@dataclass(frozen=True)
class Result:
    """What became of one instance.

    `status`: what the peer said, of it (PS3.4 table B.2-1, PS3.7 annex C) or of all of its
    class when contexts were negotiated; or why it said nothing.
    """

    instance: Instance
    status: int | Unanswered

    @property
    def answered(self) -> bool:
        return not isinstance(self.status, Unanswered)

    @property
    def succeeded(self) -> bool:
        return self.status == 0

    @property
    def warned(self) -> bool:
        if isinstance(self.status, Unanswered):
            return False
        return self.status in (0x0001, 0x0107, 0x0116) or self.status >> 12 == 0xB


@dataclass
class Parcel:
    """An instance ready to be sent: its data set, the front of which has been read already."""

    instance: Instance
    context: Context
    size: int
    front: list[bytes]
    rest: Iterator[bytes]


def wanted_contexts(sop_class: str, stored: Collection[str], device: Device) -> list[Wanted]:
    """A context for each transfer syntax that may be sent, so that the choice is ours.

    Those images are stored in, where the device takes them; what they can be made into.
    """
    accepted = device.accepted_syntaxes
    kept = [uid for uid in sorted(stored) if not accepted or uid in accepted]
    made = [uid for uid in accepted if uid in ENCODABLE] or list(_FALLBACKS)
    compressed = [device.preferred_syntax] if device.preferred_syntax in ENCODABLE else []
    return [(sop_class, [uid]) for uid in dict.fromkeys([*compressed, *kept, *made])]


class StorageUser:
    """The SCU of storage on an established association; one message at a time."""

    def __init__(self, association: Association, *, originator: Originator | None = None) -> None:
        self.unanswered: list[Instance] = []  # sent or taken, of which nothing was heard yet
        self._association = association
        self._originator = originator
        self._preferred = association.device.preferred_syntax
        self._contexts: dict[str, dict[str, Context]] = {}
        for context in association.contexts.values():
            if context.scp_role:  # else the peer sends in it, and takes nothing
                by_syntax = self._contexts.setdefault(context.abstract_syntax, {})
                by_syntax.setdefault(context.transfer_syntax, context)

    def store(
        self, instances: Iterable[Instance], *, stopped: Callable[[], bool]
    ) -> Iterator[Result]:
        """Send one after the other; the next is read while the peer keeps the last."""
        source = iter(instances)
        ready = self._next(source)
        while ready is not None and not stopped():
            if isinstance(ready, Result):
                result, ready = ready, None
            else:
                message_id = self._send(ready)
                following = self._next(source)
                answer = self._association.next_response(message_id)
                result = Result(ready.instance, answer.number(messages.STATUS))
                ready = following
            self.unanswered.remove(result.instance)
            yield result
            if ready is None:
                ready = self._next(source)

    def _next(self, source: Iterator[Instance]) -> Parcel | Result | None:
        instance = next(source, None)
        if instance is None:
            return None
        self.unanswered.append(instance)
        try:
            return self._parcel(instance)
        except (OSError, TranscodingError) as error:
            logger.warning("instance %s not sent: %s", instance.sop_instance_uid, error)
        except Exception:
            logger.exception("instance %s not sent", instance.sop_instance_uid)
        return Result(instance, Unanswered.UNREADABLE)

    def _parcel(self, instance: Instance) -> Parcel | Result:
        """Raises OSError where the file is damaged, TranscodingError."""
        contexts = self._contexts.get(instance.sop_class_uid, {})
        found = outgoing(instance)
        refusal: TranscodingError | None = None
        for syntax in self._choices(instance, contexts):
            try:
                return _parcel(instance, contexts[syntax], found)
            except TranscodingError as error:
                refusal = error
        if refusal is not None:
            raise refusal
        logger.warning(
            "instance %s not sent: %s takes no transfer syntax for its class that we can give",
            instance.sop_instance_uid,
            self._association.device.ae_title,
        )
        return Result(instance, NO_CONTEXT)

    def _choices(self, instance: Instance, contexts: Collection[str]) -> list[str]:
        """The accepted syntaxes in which it may be sent, the most wanted first."""
        stored = instance.transfer_syntax_uid
        accepted = self._association.device.accepted_syntaxes
        wanted = [stored, *accepted, *_FALLBACKS, *sorted(ENCODABLE)]
        if stored in UNCOMPRESSED and instance.rows:
            wanted.insert(0, self._preferred)
        possible = ENCODABLE | {stored}
        return [uid for uid in dict.fromkeys(wanted) if uid in contexts and uid in possible]

    def _send(self, parcel: Parcel) -> int:
        association, instance = self._association, parcel.instance
        message_id = association.new_message_id()
        command = messages.store_request(
            instance.sop_class_uid, instance.sop_instance_uid, message_id, self._originator
        )
        number, max_pdu = parcel.context.identifier, association.max_pdu
        pieces: list[Buffer] = list(messages.fragments(number, command, None, max_pdu=max_pdu))
        gone = written = 0
        for chunk in _whole(parcel):
            gone += len(chunk)
            last = gone == parcel.size
            pieces += messages.data_set_pieces(number, chunk, max_pdu=max_pdu, last=last)
            if last or gone - written >= AT_ONCE:
                association.wire.send_pieces(pieces)
                pieces, written = [], gone
        return message_id


def _parcel(instance: Instance, context: Context, found: Outgoing) -> Parcel:
    if context.transfer_syntax != found.transfer_syntax_uid:
        data_set = transcoded(found, context.transfer_syntax)
        return Parcel(instance, context, len(data_set), [data_set], iter(()))
    rest = iter(found.pieces())
    front: list[bytes] = []
    read = 0
    for chunk in rest:
        front.append(chunk)
        read += len(chunk)
        if read >= READ_AHEAD:
            break
    return Parcel(instance, context, found.size, front, rest)


def _whole(parcel: Parcel) -> Iterator[bytes]:
    """The data set; one that cannot be read to its end takes the association with it."""
    try:
        yield from chain(parcel.front, parcel.rest)
    except OSError as error:
        uid = parcel.instance.sop_instance_uid
        raise UnreadableError(f"instance {uid} cannot be read to its end: {error}") from None
