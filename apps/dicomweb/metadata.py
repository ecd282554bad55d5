"""Metadata of whole series as gzip JSON, made once per revision and kept in a folder.

The folder is a cache: it may be deleted at any time, by anybody.
"""

import gzip
import logging
import secrets
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import orjson
import zstandard
from django.conf import settings

from apps.dicom.header import WalkError, explicit
from apps.dicom.json import JsonDataset, to_json
from apps.dicomweb.answers import instance_address
from apps.studies.models import Instance, Series

log = logging.getLogger(__name__)

_LEVEL = 5
PIXEL_DATA = "7FE00010"


def series_metadata(series: Series, root: str) -> bytes:
    """The metadata of a series: a JSON array, compressed with gzip."""
    cached = _folder() / f"{series.pk}-{series.revision}.json.gz"
    try:
        return cached.read_bytes()
    except FileNotFoundError:
        made = gzip.compress(_json(series.instances.all(), series, root), _LEVEL, mtime=0)
    partial = cached.with_suffix(f".{secrets.token_hex(4)}")
    partial.write_bytes(made)
    partial.rename(cached)
    _forget_older(series)
    return made


def instance_metadata(instance: Instance, root: str) -> bytes:
    """The metadata of one instance: a JSON array of one."""
    return _json([instance], instance.series, root)


def _json(instances: Iterable[Instance], series: Series, root: str) -> bytes:
    made = [_instance_json(one, series, root) for one in instances]
    return orjson.dumps(made, option=orjson.OPT_NON_STR_KEYS)


def _instance_json(instance: Instance, series: Series, root: str) -> JsonDataset:
    address = instance_address(
        root,
        series.study.study_instance_uid,
        series.series_instance_uid,
        instance.sop_instance_uid,
    )
    made = _header_json(instance, lambda path: f"{address}/bulkdata/{path}")
    made.setdefault("0020000D", {"vr": "UI", "Value": [series.study.study_instance_uid]})
    made.setdefault("0020000E", {"vr": "UI", "Value": [series.series_instance_uid]})
    made["00083002"] = {"vr": "UI", "Value": [instance.transfer_syntax_uid]}
    if instance.rows:
        made[PIXEL_DATA] = {"vr": "OW", "BulkDataURI": f"{address}/bulkdata/{PIXEL_DATA}"}
    return dict(sorted(made.items()))


def _header_json(instance: Instance, bulk_uri: Callable[[str], str]) -> JsonDataset:
    try:
        return to_json(
            zstandard.decompress(instance.header),
            explicit_vr=explicit(instance.transfer_syntax_uid),
            bulk_uri=bulk_uri,
            bulk_tags={tag: vr for tag, vr, _, _ in instance.bulk_table},
        )
    except (WalkError, struct.error):
        # Damaged below the top level: one bad image must not hide its series.
        log.warning("The header of %s cannot be read whole", instance.sop_instance_uid)
        return {
            "00080016": {"vr": "UI", "Value": [instance.sop_class_uid]},
            "00080018": {"vr": "UI", "Value": [instance.sop_instance_uid]},
        }


def _folder() -> Path:
    folder = Path(settings.OPENPACS_HOME) / "cache" / "metadata"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _forget_older(series: Series) -> None:
    for path in _folder().glob(f"{series.pk}-*.json.gz"):
        if path.name != f"{series.pk}-{series.revision}.json.gz":
            path.unlink(missing_ok=True)
