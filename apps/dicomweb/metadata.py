"""Metadata of whole series as gzip JSON, made once per revision and kept in a folder.

The folder is a cache: it may be deleted at any time, by anybody.
"""

import gzip
import secrets
from collections.abc import Iterable
from pathlib import Path

import orjson
from django.conf import settings

from apps.dicom.json import JsonDataset
from apps.dicomweb.answers import instance_address
from apps.studies.models import Instance, Series
from apps.studies.services import header_json

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
    made = header_json(instance, lambda path: f"{address}/bulkdata/{path}")
    made.setdefault("0020000D", {"vr": "UI", "Value": [series.study.study_instance_uid]})
    made.setdefault("0020000E", {"vr": "UI", "Value": [series.series_instance_uid]})
    made["00083002"] = {"vr": "UI", "Value": [instance.transfer_syntax_uid]}
    if instance.rows:
        made[PIXEL_DATA] = {"vr": "OW", "BulkDataURI": f"{address}/bulkdata/{PIXEL_DATA}"}
    return dict(sorted(made.items()))


def _folder() -> Path:
    folder = Path(settings.OPENPACS_HOME) / "cache" / "metadata"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def _forget_older(series: Series) -> None:
    for path in _folder().glob(f"{series.pk}-*.json.gz"):
        if path.name != f"{series.pk}-{series.revision}.json.gz":
            path.unlink(missing_ok=True)
