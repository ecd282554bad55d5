"""ORC with its OBR, TQ1, IPC, ZDS, DG1 and NTE, read by name (TF-2x appendix B and D)."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from apps.dicom.uids import valid_uid
from apps.hl7.acks import FieldMissing, ValueRefused
from apps.hl7.fields import FieldError, Moment, Person, read_moment, read_person
from apps.hl7.messages import CLEARED, ParsedMessage, Segment
from apps.hl7.models import Partner
from apps.orders.models import Order

P = Order.Priority
# Table 0485 and the older priorities of TQ and OBR-5.
PRIORITY = {"S": P.STAT, "A": P.HIGH, "P": P.HIGH, "C": P.HIGH, "R": P.ROUTINE, "T": P.MEDIUM}
SHORT = 16  # SH, the longest accession number and requested procedure ID of a worklist
NUMBER = 64
OF_AN_ORDER = frozenset({"OBR", "TQ1", "IPC", "ZDS", "DG1", "NTE"})
Place = tuple[str, int, int]
START_PLACES: tuple[Place, ...] = (
    ("TQ1", 7, 1),
    ("ORC", 7, 4),
    ("OBR", 27, 4),
    ("OBR", 36, 1),
)
PRIORITY_PLACES: tuple[Place, ...] = (
    ("TQ1", 9, 1),
    ("ORC", 7, 6),
    ("OBR", 27, 6),
    ("OBR", 5, 1),
)


@dataclass
class OrderGroup:
    """One ORC with what follows it, and the PV1 and PID of its message."""

    number: int  # counts from 1, for the places named in an ERR
    partner: Partner
    message: ParsedMessage
    segments: list[Segment] = field(default_factory=list)

    def at(self, segment: str, place: int) -> str:
        """The place as ERR-2 names it."""
        return f"{segment}^{self.number}^{place}"

    def get(self, segment: str, place: int, component: int = 1) -> str:
        """Of the first such segment of the group; `""` counts as empty in an order."""
        found = next(self._all(segment), None)
        text = found.get(place, component) if found else ""
        return "" if text == CLEARED else text

    @property
    def control(self) -> str:
        return self.get("ORC", 1).upper()

    @property
    def order_key(self) -> tuple[str, str, str]:
        """Groups with the same key are procedures of one order."""
        if self.accession_number:
            return ("accession", self.accession_number, "")
        if self.placer_number:
            return ("placer", self.placer_namespace, self.placer_number)
        return ("group", str(self.number), "")

    @property
    def placer_number(self) -> str:
        number = self.get("ORC", 2) or self.get("OBR", 2)
        return self._no_longer(number, NUMBER, self.at("ORC", 2))

    @property
    def placer_namespace(self) -> str:
        if not self.placer_number:
            return ""
        source = "ORC" if self.get("ORC", 2) else "OBR"
        named = self.get(source, 2, 2) or self.get(source, 2, 3) or self.partner.application
        return named[:NUMBER]

    @property
    def filler_number(self) -> str:
        """ORC-3; where that is empty, an accession number too long to be one here."""
        number = self.get("ORC", 3) or self.get("OBR", 3)
        if not number and not self.accession_number:
            number = self._named_accession
        return self._no_longer(number, NUMBER, self.at("ORC", 3))

    @property
    def accession_number(self) -> str:
        """OBR-18 or IPC-1 where a worklist can carry it; else empty: one is minted."""
        number = self._named_accession
        fits = len(number) <= SHORT and number.isprintable() and "\\" not in number
        return number if fits else ""

    @property
    def _named_accession(self) -> str:
        return self.get("OBR", 18) or self.get("IPC", 1)

    @property
    def procedure_identifier(self) -> str:
        number = self.get("OBR", 19) or self.get("IPC", 2)
        return number if len(number) <= SHORT and "\\" not in number else ""

    @property
    def study_instance_uid(self) -> str:
        uid = self.get("ZDS", 1) or self.get("IPC", 3)
        if uid and not valid_uid(uid):
            raise ValueRefused(_("The Study Instance UID is not a UID."), at="ZDS^1^1")
        return uid

    @property
    def codes(self) -> list[tuple[str, str]]:
        """(code, scheme) by preference: OBR-44, then OBR-4 and its alternate."""
        if next(self._all("OBR"), None) is None:
            raise FieldMissing(_("OBR is missing."), at=self.at("OBR", 4))
        places = ((44, 1), (4, 1), (4, 4))
        found = [(self.get("OBR", at, c), self.get("OBR", at, c + 2)) for at, c in places]
        return [one for one in found if one[0]]

    @property
    def laterality(self) -> str:
        """OBR-15 as IHE RAD-2 uses it: L, R or B for both."""
        obr = next(self._all("OBR"), None)
        parts = obr.components(15) if obr else []
        return next((part for part in parts if part in ("L", "R", "B")), "")

    @property
    def priority(self) -> str:
        given = next(self._values(PRIORITY_PLACES), "R")
        return PRIORITY.get(given[:1].upper(), P.ROUTINE).value

    @property
    def referrer(self) -> Person | None:
        people = (
            read_person(segment, place)
            for name, place in (("ORC", 12), ("OBR", 16))
            for segment in self._all(name)
        )
        return next((person for person in people if person), None)

    @property
    def reason(self) -> str:
        texts = [self.get("OBR", 31, 2) or self.get("OBR", 31)]
        texts += [one.get(4) or one.get(3, 2) or one.get(3) for one in self._all("DG1")]
        return next((text for text in texts if text), "")

    @property
    def clinical_information(self) -> str:
        """OBR-13, the notes, and when the exam is wished for."""
        texts = [self.get("OBR", 13), *(one.get(3) for one in self._all("NTE"))]
        wished = self._moment(START_PLACES)
        if wished:
            at = formats.date_format(timezone.localtime(wished.at), "SHORT_DATETIME_FORMAT")
            texts.append(_("Wished for: %(at)s") % {"at": at})
        return "\n".join(text for text in texts if text)

    @property
    def cancel_reason(self) -> str:
        return self.get("ORC", 16, 2) or self.get("ORC", 16)

    @property
    def requested_at(self) -> datetime.datetime | None:
        """When the order was given: ORC-9, else OBR-6, else the time of the message."""
        moment = self._moment((("ORC", 9, 1), ("OBR", 6, 1), ("MSH", 7, 1)))
        return moment.at if moment else None

    @property
    def patient_class(self) -> str:
        return self.get("PV1", 2)[:8]

    @property
    def patient_location(self) -> str:
        pv1 = self.message.first("PV1")
        parts = pv1.components(3) if pv1 else []
        return " ".join(part for part in parts if part and part != CLEARED)[:NUMBER]

    @property
    def visit_number(self) -> str:
        return (self.get("PV1", 19) or self.get("PID", 18))[:NUMBER]

    def _all(self, name: str) -> Iterator[Segment]:
        own = name == "ORC" or name in OF_AN_ORDER
        return (
            segment
            for segment in (self.segments if own else self.message.segments)
            if segment.name == name
        )

    def _values(self, places: tuple[Place, ...]) -> Iterator[str]:
        return (text for place in places if (text := self.get(*place)))

    def _moment(self, places: tuple[Place, ...]) -> Moment | None:
        """The first of these that is a time to the minute; what is none is passed over."""
        for text in self._values(places):
            try:
                moment = read_moment(text, zone=self.partner.zone)
            except FieldError:
                continue
            if moment and moment.precision in ("day", "time"):
                return moment
        return None

    def _no_longer(self, text: str, limit: int, at: str) -> str:
        if len(text) > limit:
            message = _("An order number is longer than %(limit)d characters.")
            raise ValueRefused(message % {"limit": limit}, at=at)
        return text


def order_groups(message: ParsedMessage, partner: Partner) -> list[OrderGroup]:
    """The orders of a message; an OBR without an ORC of its own shares the one before it."""
    groups: list[OrderGroup] = []
    for segment in message.segments:
        if segment.name == "ORC":
            groups.append(OrderGroup(len(groups) + 1, partner, message, [segment]))
        elif segment.name in OF_AN_ORDER and groups:
            current = groups[-1]
            if segment.name == "OBR" and any(one.name == "OBR" for one in current.segments):
                shared = [one for one in current.segments if one.name in ("ORC", "TQ1")]
                current = OrderGroup(len(groups) + 1, partner, message, shared)
                groups.append(current)
            current.segments.append(segment)
    return groups
