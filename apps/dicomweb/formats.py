"""Data sets in DICOM JSON as the body of an answer: JSON, XML in parts, or a table."""

import csv
import io
import re
from collections.abc import Callable, Sequence

import orjson
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from pydicom.datadict import keyword_for_tag

from apps.dicom.json import JsonDataset
from apps.dicom.native_xml import native_xml
from apps.dicom.writing import value_text
from apps.dicomweb.exceptions import NotAcceptableError
from apps.dicomweb.multipart import multipart_response
from apps.dicomweb.negotiation import JSON, XML, Range, accepted
from apps.dicomweb.parts import held_part

CSV = "text/csv"
MEDIA_TYPES = (JSON, f'multipart/related; type="{XML}"', CSV)
Write = Callable[[Sequence[JsonDataset]], HttpResponseBase]

# What a spreadsheet would take for a formula, or begin one behind what it strips.
_FORMULA = re.compile(r"[\t\r\n ]*[=+\-@\uff0b\uff0d\uff1d\uff20]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


def chosen_format(request: HttpRequest) -> Write:
    """How to write the answer, by the best acceptable type; raises NotAcceptableError."""
    for one in accepted(request):
        for covers, write in _FORMATS:
            if covers(one):
                return write
    raise NotAcceptableError(f"Available as {', as '.join(MEDIA_TYPES)}.")


def write_json(datasets: Sequence[JsonDataset]) -> HttpResponseBase:
    return HttpResponse(orjson.dumps(datasets), content_type=JSON)


def write_xml(datasets: Sequence[JsonDataset]) -> HttpResponseBase:
    """One part for each data set (PS3.18 8.7.3.2); no part is no body at all."""
    if not datasets:
        return HttpResponse(status=204)
    bodies = [native_xml(one) for one in datasets]
    return multipart_response(XML, [held_part(body, XML) for body in bodies])


def write_csv(datasets: Sequence[JsonDataset]) -> HttpResponseBase:
    """A line for each data set, a column for each attribute that any has; no sequences.

    Several values stand with backslashes between them, as DICOM writes them.
    """
    names = sorted({name for one in datasets for name in one if one[name]["vr"] != "SQ"})
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([keyword_for_tag(int(name, 16)) or name for name in names])
    for one in datasets:
        writer.writerow([_cell(one.get(name, {}).get("Value", [])) for name in names])
    return HttpResponse(text.getvalue(), content_type=f"{CSV}; charset=utf-8; header=present")


def _cell(values: Sequence[object]) -> str:
    text = "\\".join("" if value is None else value_text(value) for value in values)
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def _is_json(one: Range) -> bool:
    types = (JSON, "application/json", "application/*", "*/*")
    return not one.multipart and one.media_type in types


def _is_xml(one: Range) -> bool:
    return one.multipart and one.media_type in (XML, "application/*", "*/*")


def _is_csv(one: Range) -> bool:
    return not one.multipart and one.media_type in (CSV, "text/*")


_FORMATS: tuple[tuple[Callable[[Range], bool], Write], ...] = (
    (_is_json, write_json),
    (_is_xml, write_xml),
    (_is_csv, write_csv),
)
