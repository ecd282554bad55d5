"""Which of the acceptable media types can be served (PS3.18 8.3.3 and 8.7)."""

import re
from dataclasses import dataclass

from django.http import HttpRequest

from apps.dicomweb.exceptions import NotAcceptableError

DICOM = "application/dicom"
OCTETS = "application/octet-stream"
JSON = "application/dicom+json"
XML = "application/dicom+xml"
# Media types of single frames by transfer syntax (PS3.18 table 8.7.3-4 and -5).
_JPEG = ("50", "51", "57", "70")
FRAME_TYPES = {
    **{f"1.2.840.10008.1.2.4.{one}": "image/jpeg" for one in _JPEG},
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}
_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;,\s]*)')


@dataclass(frozen=True)
class Range:
    """One acceptable media range, for multipart/related that of its parts."""

    media_type: str
    multipart: bool
    transfer_syntax: str
    quality: float


@dataclass(frozen=True)
class Choice:
    """How to answer: as multipart or bare, and as which media type."""

    media_type: str
    multipart: bool


def accepted(request: HttpRequest) -> list[Range]:
    """The acceptable ranges, best first; `?accept=` goes before the header (PS3.18 8.3.3.1)."""
    text = request.GET.get("accept") or request.headers.get("Accept") or "*/*"
    ranges = [_range(one) for one in _split(text)]
    return sorted((one for one in ranges if one.quality > 0), key=lambda one: -one.quality)


def choose(
    request: HttpRequest, offered: list[str], *, transfer_syntax: str = "", single: bool
) -> Choice:
    """The best offered type; without preference multipart of the first offered.

    `single`: the answer has one part, so that it may also go bare. A transfer syntax asked
    for must be the one stored, `*` or left out: nothing is re-encoded here.
    """
    for one in accepted(request):
        if transfer_syntax and one.transfer_syntax not in ("", "*", transfer_syntax):
            continue
        fitting = [offer for offer in offered if _covers(one.media_type, offer)]
        if not fitting:
            continue
        if one.multipart or one.media_type == "*/*":
            return Choice(fitting[0], multipart=True)
        if single:
            return Choice(fitting[0], multipart=False)
    kinds = ", ".join(offered)
    syntax = f' with transfer-syntax="{transfer_syntax}"' if transfer_syntax else ""
    raise NotAcceptableError(f"Available as multipart/related of {kinds}{syntax}.")


def choose_model(request: HttpRequest) -> str:
    """Data sets as JSON, or as XML where that is what is asked for; raises NotAcceptableError."""
    for one in accepted(request):
        if one.media_type in (JSON, "application/json", "application/*", "*/*"):
            return JSON
        if one.media_type == XML:
            return XML
    raise NotAcceptableError(f"Available as {JSON} or {XML}.")


def require_json(request: HttpRequest) -> None:
    """DICOM JSON is what searches and metadata are answered in; raises NotAcceptableError."""
    for one in accepted(request):
        if one.media_type in (JSON, "application/json", "application/*", "*/*"):
            return
    raise NotAcceptableError(f"Available as {JSON}.")


def _covers(asked: str, offer: str) -> bool:
    return asked in ("*/*", offer) or asked == f"{offer.split('/', maxsplit=1)[0]}/*"


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
