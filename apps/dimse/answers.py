"""Answers of a C-FIND as bytes: a template made once for a query, filled for every row.

Nothing is built per answer but its bytes: thousands of answers are a matter of
milliseconds, which they are not with a dataset object for each.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from django.conf import settings
from django.utils import timezone
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from apps.dicom.charsets import encode_value, readable_character_set
from apps.dicom.json import JsonDataset
from apps.dicom.names import shortened
from apps.dicom.projecting import project
from apps.dicom.writing import beginning, element, json_element, padding
from apps.dimse import identifiers
from apps.dimse.questions import (
    AVAILABILITY,
    CHARACTER_SET,
    LEVEL,
    RETRIEVE_TITLE,
    TIME_ZONE,
    Question,
)
from apps.studies.services.finding import Row, Shown
from apps.worklist.models import Device

_LITTLE, _BIG = str(ExplicitVRLittleEndian), str(ExplicitVRBigEndian)
# A date and its time: what a caller in another time zone reads differently.
_MOMENTS = ((0x00080020, 0x00080030), (0x00080021, 0x00080031))
Text = Callable[[Any], str]


class Template:
    """The answers to one question of one device, in one transfer syntax."""

    def __init__(
        self, question: Question, shown: Sequence[Shown], device: Device, transfer_syntax: str
    ) -> None:
        self._explicit = transfer_syntax in (_LITTLE, _BIG)
        self._big = transfer_syntax == _BIG
        self._asked, self._own = question.character_set, device.character_set
        self._shorten = _shortening(device.name_length)
        self._zone = question.terms.zone
        self._headers = [one for one in question.wanted if one.tag in question.headers]
        self._places = {one.tag: one.place for one in shown}
        self._fields = [
            (*self._start(one.tag, one.attribute.vr), one.place, self._text(one), one.attribute.vr)
            for one in shown
        ]
        self._fixed = self._constants(question)

    def fill(self, row: Row, header: JsonDataset) -> bytes:
        """The identifier of one answer."""
        if self._zone is not None:
            row = self._in_zone(row)
        answered = {one.tag: project(one, header) for one in self._headers}
        try:
            made = self._fill(row, answered, _ascii)
        except UnicodeEncodeError:
            made = self._fill_in_character_set(row, answered)
        return self._swapped(made) if self._big else made

    def _fill(
        self,
        row: Row,
        answered: Mapping[int, dict[str, Any]],
        write: Callable[[str, str], bytes],
        *declared: tuple[int, bytes],
    ) -> bytes:
        parts = [*declared, *self._fixed]
        for tag, start, length, pad, place, text, vr in self._fields:
            raw = write(vr, text(row[place])) if vr != "US" else _short(row[place])
            if len(raw) & 1:
                raw += pad
            parts.append((tag, start + length(len(raw)) + raw))
        for tag, found in answered.items():
            made = json_element(tag, found, explicit_vr=self._explicit, write_text=write)
            parts.append((tag, made))
        parts.sort()
        return b"".join([raw for _, raw in parts])

    def _fill_in_character_set(self, row: Row, answered: Mapping[int, dict[str, Any]]) -> bytes:
        """Texts beyond ASCII are written in what the caller can read (PS3.4 C.2.2.2)."""
        texts: list[str] = []

        def collect(_vr: str, text: str) -> bytes:
            texts.append(text)
            return b""

        self._fill(row, answered, collect)
        chosen = readable_character_set(texts, asked=self._asked, own=self._own)
        declared = element(CHARACTER_SET, "CS", chosen.encode(), explicit_vr=self._explicit)
        return self._fill(
            row,
            answered,
            lambda vr, text: encode_value(text, vr, chosen),
            (CHARACTER_SET, declared),
        )

    def _constants(self, question: Question) -> list[tuple[int, bytes]]:
        """What every answer says of itself, and the empty values of what we do not support."""
        values = {
            LEVEL: ("CS", str(question.level)),
            RETRIEVE_TITLE: ("AE", settings.OPENPACS_AE_TITLE),
        }
        asked = {one.tag: one.vr for one in question.wanted}
        if AVAILABILITY in asked:
            values[AVAILABILITY] = ("CS", "ONLINE")
        if question.zone:
            values[TIME_ZONE] = ("SH", question.zone)
        filled = {*values, *self._places, *question.headers}
        values |= {tag: (vr, "") for tag, vr in asked.items() if tag not in filled}
        return [
            (tag, element(tag, vr, text.encode("ascii"), explicit_vr=self._explicit))
            for tag, (vr, text) in values.items()
        ]

    def _start(self, tag: int, vr: str) -> tuple[int, bytes, Callable[[int], bytes], bytes]:
        return tag, *beginning(tag, vr, explicit_vr=self._explicit), padding(vr)

    def _text(self, one: Shown) -> Text:
        text = one.attribute.text
        if one.attribute.vr == "PN" and self._shorten:
            return self._shorten
        return text

    def _in_zone(self, row: Row) -> Row:
        """Dates and times on the clock of the caller."""
        values = list(row)
        for day_tag, clock_tag in _MOMENTS:
            day, clock = self._places.get(day_tag), self._places.get(clock_tag)
            if day is not None and clock is not None:
                values[day], values[clock] = _moved(row[day], row[clock], self._zone)
        return tuple(values)

    def _swapped(self, made: bytes) -> bytes:
        return identifiers.encode(identifiers.decode(made, _LITTLE), _BIG)


def _ascii(_vr: str, text: str) -> bytes:
    return text.encode("ascii")


def _short(value: int | None) -> bytes:
    return b"" if value is None else min(value, 0xFFFF).to_bytes(2, "little")


def _shortening(length: int | None) -> Text | None:
    return (lambda name: shortened(name, length)) if length else None


def _moved(day: date | None, clock: time | None, zone: Any) -> tuple[date | None, time | None]:
    if day is None or clock is None:
        return day, clock
    site = timezone.get_default_timezone()
    try:
        moment = datetime.combine(day, clock, site).astimezone(zone)
    except OverflowError:
        return day, clock
    return moment.date(), moment.time()
