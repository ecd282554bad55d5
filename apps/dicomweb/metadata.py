"""Metadata of instances as DICOM JSON; those of a quiet series are kept compressed."""

import functools
import itertools
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

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
from apps.studies.services.statements import Statement, certain, compiled, marker

FORMAT = 2  # of what is made here: another number makes everything kept anew
AT_ONCE = 100  # instances held in memory
_LEVEL = 6


def state(series: Series) -> str:
    """What the metadata of a series depend on: another text after every change of it."""
    return f"{FORMAT}-{series.pk}-{series.revision}-{series.instance_count}"


def kept_metadata(series: Series) -> bytes | None:
    """The metadata of a series, a JSON array in gzip; None where none are kept of its state."""
    found = _kept().rows((series.series_instance_uid, state(series)))
    return bytes(found[0][0]) if found else None


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


@functools.cache
def _kept() -> Statement:
    rows = SeriesMetadata.objects.filter(series__series_instance_uid=marker(0), state=marker(1))
    return certain(compiled(rows.values_list("body"), 2))


class Row(NamedTuple):
    """What the metadata of an instance are made of, as columns of its row."""

    pk: int
    series_id: int
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    rows: int | None
    pixel_vr: str
    header: bytes
    bulk_table: list[list[Any]]
    overlay: int
    source: str


def series_json(series: Series, root: str) -> Iterator[bytes]:
    """The metadata of a series as a JSON array, in pieces of `AT_ONCE` instances."""
    before, pieces = b"[", list[bytes]()
    for text in series_texts(series, root):
        pieces.append(text)
        if len(pieces) == AT_ONCE:
            yield before + b",".join(pieces)
            before, pieces = b",", []
    if pieces:
        yield before + b",".join(pieces)
    yield b"[]" if before == b"[" and not pieces else b"]"


def series_texts(series: Series, root: str) -> Iterator[bytes]:
    """The metadata of the instances of a series, each a JSON object."""
    rows = series.instances.values_list(*Row._fields).iterator(chunk_size=AT_ONCE)
    return map(_writer(series, root), itertools.starmap(Row, rows))


def instance_text(instance: Instance, root: str) -> bytes:
    """The metadata of an instance as a JSON object."""
    row = Row(*(getattr(instance, name) for name in Row._fields))
    return _writer(instance.series, root)(row)


def _writer(series: Series, root: str) -> Callable[[Row], bytes]:
    """Writes one instance of the series after the other."""
    alike, decompressor = AlikeHeaders(), zstandard.ZstdDecompressor()
    kinds: dict[tuple[Any, ...], Kind] = {}
    above = instance_address(root, series.study.study_instance_uid, series.series_instance_uid, "")

    def write(row: Row) -> bytes:
        address = above + row.sop_instance_uid
        emptied = tuple((tag, vr) for tag, vr, _, _ in row.bulk_table) if row.bulk_table else ()
        key = (row.transfer_syntax_uid, row.rows and row.pixel_vr, emptied)
        kind = kinds.get(key) or kinds.setdefault(key, _kind(row, emptied, alike.bulk))
        try:
            data = decompressor.decompress(row.header)
            if row.overlay:
                data = corrected_header(Instance(**row._asdict()), data)
            return alike.write(data, kind, address)
        except (UnlikeError, WalkError, struct.error):
            return orjson.dumps(_by_itself(row, series, address))

    return write


def _kind(row: Row, emptied: tuple[tuple[int, str], ...], bulk: Callable[[str], str]) -> Kind:
    return Kind(
        row.transfer_syntax_uid,
        emptied,
        tuple((int(tag, 16), orjson.dumps(made)) for tag, made in _added(row, bulk).items()),
    )


def _added(row: Row, bulk: Callable[[str], str]) -> JsonDataset:
    """What is said of an instance beside its header."""
    made: JsonDataset = {"00083002": {"vr": "UI", "Value": [row.transfer_syntax_uid]}}
    if tag := pixel_tag(row.rows, row.pixel_vr):
        made[tag] = {"vr": row.pixel_vr, "BulkDataURI": bulk(tag)}
    return made


def _by_itself(row: Row, series: Series, address: str) -> JsonDataset:
    """For headers that are odd: with repeated or unordered elements, or without UIDs."""
    made = header_json(Instance(**row._asdict()), lambda path: f"{address}/bulkdata/{path}")
    made.setdefault("0020000D", {"vr": "UI", "Value": [series.study.study_instance_uid]})
    made.setdefault("0020000E", {"vr": "UI", "Value": [series.series_instance_uid]})
    made |= _added(row, lambda path: f"{address}/bulkdata/{path}")
    return dict(sorted(made.items()))
