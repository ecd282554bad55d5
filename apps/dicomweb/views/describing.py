"""WADO-RS metadata of studies, series and instances (PS3.18 10.4.1.1.2), JSON and XML."""

import zlib
from collections.abc import Iterable, Iterator

import orjson
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from isal import isal_zlib

from apps.dicom.native_xml import native_xml
from apps.dicomweb.caching import etag_of, kept
from apps.dicomweb.metadata import (
    instance_text,
    kept_metadata,
    series_json,
    series_texts,
    state,
)
from apps.dicomweb.methods import Description, described
from apps.dicomweb.multipart import multipart_response, multipart_stream, streamed
from apps.dicomweb.negotiation import JSON, XML, choose_metadata
from apps.dicomweb.parts import Part, held_part
from apps.dicomweb.tasks import order_metadata
from apps.dicomweb.views.lookup import (
    find_instance,
    find_series,
    find_study,
    note,
    note_unless_ahead,
    root,
)
from apps.studies.models import Series

METADATA = Description(("accept",), (JSON, f'multipart/related; type="{XML}"'))
_VARY = ("Accept", "Accept-Encoding", "Cookie")
_GZIP = 31  # window bits of zlib that mean gzip
_CHUNK = 1 << 20


@described(METADATA)
@require_safe
def study_metadata(request: HttpRequest, study: str) -> HttpResponseBase:
    """GET /studies/{study}/metadata, one series after the other"""
    row = find_study(request, study)
    kind = choose_metadata(request)
    note(request, row)
    rows = list(row.series.select_related("study"))
    etag = etag_of(kind, row.pk, *map(state, rows), _takes_gzip(request))
    return kept(request, etag, lambda: _of_many(request, rows, kind), vary=_VARY)


@described(METADATA)
@require_safe
def series_metadata_view(request: HttpRequest, study: str, series: str) -> HttpResponseBase:
    """GET /studies/{study}/series/{series}/metadata, compressed as it is kept"""
    row = find_series(request, study, series)
    kind = choose_metadata(request)
    note_unless_ahead(request, row.study)
    etag = etag_of(kind, state(row), _takes_gzip(request))
    if kind == XML:
        return kept(request, etag, lambda: _of_many(request, [row], kind), vary=_VARY)
    return kept(request, etag, lambda: _of_series(request, row), vary=_VARY)


@described(METADATA)
@require_safe
def instance_metadata_view(
    request: HttpRequest, study: str, series: str, instance: str
) -> HttpResponseBase:
    """GET .../instances/{instance}/metadata"""
    row = find_instance(request, study, series, instance)
    kind = choose_metadata(request)
    note(request, row.series.study)
    etag = etag_of(kind, row.sha256, row.overlay, state(row.series))

    def answer() -> HttpResponseBase:
        text = instance_text(row, root())
        if kind == XML:
            return multipart_response(XML, [_xml_part(text)])
        return HttpResponse(b"[" + text + b"]", content_type=JSON)

    return kept(request, etag, answer)


def _of_series(request: HttpRequest, row: Series) -> HttpResponseBase:
    """As they are kept; where they are not, as they are made, and then they are ordered."""
    body = kept_metadata(row)
    if body is None:
        order_metadata(row)
        return _packed(request, series_json(row, root()))
    if _takes_gzip(request):
        response: HttpResponseBase = HttpResponse(body, content_type=JSON)
        response["Content-Encoding"] = "gzip"
        return response
    return streamed(_unpacked(body), JSON)


def _of_many(request: HttpRequest, rows: list[Series], kind: str) -> HttpResponseBase:
    if kind == XML:
        address = root()
        texts = (text for row in rows for text in series_texts(row, address))
        return multipart_stream(XML, map(_xml_part, texts))
    return _packed(request, _joined(rows, root()))


def _xml_part(text: bytes) -> Part:
    return held_part(native_xml(orjson.loads(text)), XML)


def _joined(rows: Iterable[Series], address: str) -> Iterator[bytes]:
    """The arrays of all series as one."""
    before = b"["
    for row in rows:
        body = kept_metadata(row)
        pieces = series_json(row, address) if body is None else _unpacked(body)
        for piece in _inner(pieces):
            if piece:
                yield before + piece
                before = b""
        before = before or b","
    yield b"]" if before == b"," else b"[]"


def _inner(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What stands between the brackets of an array that comes in pieces."""
    last = b""
    for number, piece in enumerate(pieces):
        if last:
            yield last
        last = piece[1:] if number == 0 else piece
    yield last[:-1]


def _takes_gzip(request: HttpRequest) -> bool:
    return "gzip" in request.headers.get("Accept-Encoding", "")


def _packed(request: HttpRequest, pieces: Iterator[bytes]) -> HttpResponseBase:
    if not _takes_gzip(request):
        return streamed(pieces, JSON)
    response = streamed(_compressed(pieces), JSON)
    response["Content-Encoding"] = "gzip"
    return response


def _compressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Quickly rather than well: what is kept is compressed better, later."""
    engine = isal_zlib.compressobj(isal_zlib.ISAL_DEFAULT_COMPRESSION, wbits=_GZIP)
    for piece in pieces:
        if made := engine.compress(piece):
            yield made
    yield engine.flush()


def _unpacked(body: bytes) -> Iterator[bytes]:
    engine = zlib.decompressobj(_GZIP)
    while body:
        yield engine.decompress(body, _CHUNK)
        body = engine.unconsumed_tail
