"""Which of the acceptable media types are served, and in which transfer syntax (PS3.18 8.7)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from django.http import HttpRequest

from apps.dicom.decoding import DECODABLE, PROGRESSIVE, SPECTRAL
from apps.dicom.header import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, NATIVE
from apps.dicom.transcoding import ENCODABLE
from apps.dicomweb.exceptions import NotAcceptableError

DICOM = "application/dicom"
OCTETS = "application/octet-stream"
JSON = "application/dicom+json"
XML = "application/dicom+xml"
STORED = "*"  # as transfer syntax: whatever the object is stored in
# Transfer syntaxes of single frames by media type (PS3.18 table 8.7.3-4 and -5). The first is
# what frames are encoded in that are stored in none of them.
_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_HTJ2K = tuple(f"1.2.840.10008.1.2.4.{one}" for one in ("201", "202", "203"))
FRAME_SYNTAXES: dict[str, tuple[str, ...]] = {
    "image/jls": ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"),
    "image/dicom-rle": ("1.2.840.10008.1.2.5",),
    "image/jp2": _JPEG_2000,
    "image/jphc": _HTJ2K,
    "image/jpeg": tuple(f"1.2.840.10008.1.2.4.{one}" for one in ("70", "57", "50", "51")),
}
FRAME_TYPES = {syntax: kind for kind, syntaxes in FRAME_SYNTAXES.items() for syntax in syntaxes}
# What is encoded for those who ask. Implicit VR has no place in web services (PS3.18 8.7.3).
TARGETS = ENCODABLE - {IMPLICIT_LITTLE}
# Forms of JPEG that viewers in a browser decode not at all or, those of twelve bits, to wrong
# values: who takes any syntax gets them plain.
_FOR_US_ALONE = frozenset({SPECTRAL, PROGRESSIVE, "1.2.840.10008.1.2.4.51"})
_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;,\s]*)')


@dataclass(frozen=True)
class Range:
    """One acceptable media range, for multipart/related that of its parts."""

    media_type: str
    multipart: bool
    transfer_syntax: str
    quality: float

    def covers(self, offer: str) -> bool:
        top = offer.split("/", maxsplit=1)[0]
        return self.media_type in ("*/*", offer, f"{top}/*")


@dataclass(frozen=True)
class Choice:
    """How to answer: as multipart or bare, as which media type, in which transfer syntax."""

    media_type: str
    multipart: bool
    transfer_syntax: str = ""


def accepted(request: HttpRequest) -> list[Range]:
    """The acceptable ranges, best first; `?accept=` goes before the header (PS3.18 8.3.3.1)."""
    # A plus sign that was not escaped in the address is a space by now.
    asked = re.sub(r"\bdicom (?=json|xml)", "dicom+", request.GET.get("accept", ""))
    return ranges_of(asked or request.headers.get("Accept") or "*/*")


def ranges_of(text: str) -> list[Range]:
    """Acceptable ranges as an Accept header lists them, best first."""
    return list(_ranges(text))


@lru_cache(maxsize=256)
def _ranges(text: str) -> tuple[Range, ...]:
    ranges = [_range(one) for one in _split(text)]
    return tuple(sorted((one for one in ranges if one.quality > 0), key=lambda one: -one.quality))


def choose(request: HttpRequest, offered: list[str], *, single: bool) -> Choice:
    """The best offered type; without preference multipart of the first offered.

    `single`: the answer has one part, so that it may also go bare.
    """
    for one in accepted(request):
        fitting = [offer for offer in offered if one.covers(offer)]
        if fitting and (multipart := _form(one, single=single)) is not None:
            return Choice(fitting[0], multipart)
    raise NotAcceptableError(f"Available as multipart/related of {', '.join(offered)}.")


def choose_for_files(request: HttpRequest, stored: Iterable[str], *, single: bool) -> Choice:
    """For objects stored in these transfer syntaxes; that of the choice may be STORED."""
    syntaxes = set(stored)
    for one in accepted(request):
        multipart = _form(one, single=single)
        target = one.transfer_syntax or EXPLICIT_LITTLE
        if multipart is None or not one.covers(DICOM):
            continue
        if target == STORED or all(can_become(syntax, target) for syntax in syntaxes):
            return Choice(DICOM, multipart, target)
    raise NotAcceptableError(
        f'Available as multipart/related; type="{DICOM}"; transfer-syntax=*, which is '
        f"{_listed(syntaxes)}, and in {_listed(_reachable(syntaxes))}."
    )


def choose_for_frames(request: HttpRequest, stored: str, *, single: bool) -> Choice:
    """For frames stored in a transfer syntax, which is kept where that is asked for."""
    choice = frames_choice(accepted(request), stored, single=single)
    if choice is not None:
        return choice
    kind = FRAME_TYPES.get(stored)
    also = f', and as {kind} with transfer-syntax="{stored}"' if kind else ""
    raise NotAcceptableError(
        f"Available as multipart/related of {OCTETS} with transfer-syntax=*{also}."
    )


def frames_choice(ranges: Iterable[Range], stored: str, *, single: bool) -> Choice | None:
    """What `choose_for_frames` chooses of these ranges, best first; None where none will do."""
    for one in ranges:
        multipart = _form(one, single=single)
        if multipart is None:
            continue
        for offer in (OCTETS, *FRAME_SYNTAXES):
            if one.covers(offer) and (target := _frame_syntax(offer, one.transfer_syntax, stored)):
                return Choice(offer, multipart, target)
    return None


def choose_model(request: HttpRequest) -> str:
    """Data sets as JSON, or as XML where that is what is asked for; raises NotAcceptableError."""
    for one in accepted(request):
        if one.media_type in (JSON, "application/json", "application/*", "*/*"):
            return JSON
        if one.media_type == XML:
            return XML
    raise NotAcceptableError(f"Available as {JSON} or {XML}.")


def choose_metadata(request: HttpRequest) -> str:
    """JSON, or XML as multipart; raises NotAcceptableError."""
    for one in accepted(request):
        if one.multipart and one.covers(XML):
            return XML
        if not one.multipart and (one.covers(JSON) or one.media_type == "application/json"):
            return JSON
    raise NotAcceptableError(f'Available as {JSON} and as multipart/related; type="{XML}".')


def _form(one: Range, *, single: bool) -> bool | None:
    """Multipart or bare; None where neither is acceptable."""
    if one.multipart or one.media_type == "*/*":
        return True
    return False if single else None


def can_become(stored: str, target: str) -> bool:
    """Is an object in one transfer syntax to be had in another?"""
    readable = stored in DECODABLE or stored in NATIVE
    return stored == target or (target in TARGETS and readable)


def _reachable(stored: set[str]) -> set[str]:
    return {target for target in TARGETS if all(can_become(one, target) for one in stored)}


def _frame_syntax(media_type: str, asked: str, stored: str) -> str:
    """The transfer syntax of frames in a media type; empty where there is none to be had."""
    # Frames of these have the same bytes, or get them: no browser could read others.
    plain = {*NATIVE, EXPLICIT_BIG}
    held = EXPLICIT_LITTLE if stored in plain else stored
    if media_type == OCTETS:
        if asked in ("", EXPLICIT_LITTLE) or (asked == STORED and stored in _FOR_US_ALONE):
            return EXPLICIT_LITTLE if stored in plain or stored in DECODABLE else ""
        return held if asked in (STORED, stored) else ""
    family = FRAME_SYNTAXES[media_type]
    if stored in family and asked in ("", STORED, stored):
        return stored
    target = family[0] if asked in ("", STORED) else asked
    able = target in TARGETS and (stored in plain or stored in DECODABLE)
    return target if target in family and able else ""


def _listed(syntaxes: Iterable[str]) -> str:
    return ", ".join(sorted(syntaxes)) or "no other"


def _split(text: str) -> list[str]:
    """At commas outside quotes."""
    return [part for part in re.findall(r'(?:"[^"]*"|[^,])+', text) if part.strip()]


def _range(text: str) -> Range:
    media_type = text.split(";", maxsplit=1)[0].strip().lower()
    found = {name.lower(): value.strip('"') for name, value in _PARAMETER.findall(text)}
    multipart = media_type == "multipart/related"
    if multipart:
        media_type = found.get("type", "*/*").lower()
    try:
        quality = float(found.get("q", "1"))
    except ValueError:
        quality = 0.0
    return Range(media_type, multipart, found.get("transfer-syntax", ""), quality)
