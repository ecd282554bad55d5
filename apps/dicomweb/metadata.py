"""Metadata of instances as DICOM JSON; those of a quiet series are kept compressed."""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson
import zstandard
from django.db import transaction

from apps.dicom.alike import AlikeHeaders, Kind, UnlikeError
from apps.dicom.header import WalkError
from apps.dicom.json import JsonDataset
from apps.dicomweb.answers import instance_address
from apps.dicomweb.models import SeriesMetadata
from apps.dicomweb.pixels import pixel_tag
from apps.studies.models import Instance, Series
from apps.studies.services import corrected_header, header_json

FORMAT = 1  # of what is made here: another number makes everything kept anew
AT_ONCE = 100  # instances held in memory
_LEVEL = 6
_COLUMNS = (
    *("pk", "series_id", "sop_instance_uid", "sop_class_uid", "transfer_syntax_uid"),
    *("rows", "pixel_vr", "header", "bulk_table", "overlay", "source"),
)


def state(series: Series) -> str:
    """What the metadata of a series depend on: another text after every change of it."""
    return f"{FORMAT}-{series.pk}-{series.revision}-{series.instance_count}"


def kept_metadata(series: Series) -> bytes | None:
    """The metadata of a series, a JSON array in gzip; None where none are kept of its state."""
    rows = SeriesMetadata.objects.filter(series=series, state=state(series))
    body = rows.values_list("body", flat=True).first()
    return None if body is None else bytes(body)


def is_kept(series: Series) -> bool:
    return SeriesMetadata.objects.filter(series=series, state=state(series)).exists()


def keep_metadata(series: Series, root: str) -> bool:
    """Make and keep the metadata of a series; False where it changed meanwhile."""
    engine = zlib.compressobj(_LEVEL, wbits=31)
    made = [engine.compress(piece) for piece in series_json(series, root)]
    body = b"".join([*made, engine.flush()])
    with transaction.atomic():
        # Locked: what is made of an older state must not come after that of a newer one.
        now = Series.objects.select_for_update().filter(pk=series.pk).first()
        if now is None or state(now) != state(series):
            return False
        SeriesMetadata.objects.update_or_create(
            series=now, defaults={"state": state(now), "body": body}
        )
    return True


def series_json(series: Series, root: str) -> Iterator[bytes]:
    """The metadata of a series as a JSON array, in pieces of `AT_ONCE` instances."""
    write = _writer(series, root)
    before, pieces = b"[", list[bytes]()
    for row in series_instances(series):
        pieces.append(write(row))
        if len(pieces) == AT_ONCE:
            yield before + b",".join(pieces)
            before, pieces = b",", []
    if pieces:
        yield before + b",".join(pieces)
    yield b"[]" if before == b"[" and not pieces else b"]"


def series_instances(series: Series) -> Iterator[Instance]:
    """The instances of a series with what their metadata are made of, a few at a time."""
    return series.instances.only(*_COLUMNS).iterator(chunk_size=AT_ONCE)


def instance_texts(rows: Iterable[Instance], series: Series, root: str) -> Iterator[bytes]:
    """The metadata of instances of one series, each a JSON object."""
    return map(_writer(series, root), rows)


def _writer(series: Series, root: str) -> Callable[[Instance], bytes]:
    alike, decompressor = AlikeHeaders(), zstandard.ZstdDecompressor()
    kinds: dict[tuple[Any, ...], Kind] = {}
    study_uid, series_uid = series.study.study_instance_uid, series.series_instance_uid

    def write(row: Instance) -> bytes:
        address = instance_address(root, study_uid, series_uid, row.sop_instance_uid)
        emptied = tuple((tag, vr) for tag, vr, _, _ in row.bulk_table)
        key = (row.transfer_syntax_uid, row.rows and row.pixel_vr, emptied)
        kind = kinds.get(key) or kinds.setdefault(key, _kind(row, emptied, alike.bulk))
        try:
            data = decompressor.decompress(row.header)
            return alike.write(corrected_header(row, data), kind, address)
        except (UnlikeError, WalkError, struct.error):
            return orjson.dumps(_by_itself(row, series, address))

    return write


def _kind(row: Instance, emptied: tuple[tuple[int, str], ...], bulk: Callable[[str], str]) -> Kind:
    return Kind(
        row.transfer_syntax_uid,
        emptied,
        tuple((int(tag, 16), orjson.dumps(made)) for tag, made in _added(row, bulk).items()),
    )


def _added(row: Instance, bulk: Callable[[str], str]) -> JsonDataset:
    """What is said of an instance beside its header."""
    made: JsonDataset = {"00083002": {"vr": "UI", "Value": [row.transfer_syntax_uid]}}
    if tag := pixel_tag(row):
        made[tag] = {"vr": row.pixel_vr, "BulkDataURI": bulk(tag)}
    return made


def _by_itself(row: Instance, series: Series, address: str) -> JsonDataset:
    """For headers that are odd: with repeated or unordered elements, or without UIDs."""
    made = header_json(row, lambda path: f"{address}/bulkdata/{path}")
    made.setdefault("0020000D", {"vr": "UI", "Value": [series.study.study_instance_uid]})
    made.setdefault("0020000E", {"vr": "UI", "Value": [series.series_instance_uid]})
    made |= _added(row, lambda path: f"{address}/bulkdata/{path}")
    return dict(sorted(made.items()))
