"""STOW-RS: storing through the same spool and service as every other door (PS3.18 10.5)."""

from pathlib import Path
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from apps.audit.services import origin_of
from apps.dicomweb.answers import instance_address, study_address
from apps.dicomweb.exceptions import BadRequestError
from apps.dicomweb.negotiation import JSON
from apps.dicomweb.uploads import UploadedParts
from apps.dicomweb.views.lookup import root
from apps.studies.models import Instance
from apps.studies.services import Outcome, Stored, store_instances
from apps.studies.spool import default_spool

# Failure Reason (0008,1197), PS3.3 C.14.1.1.
REASONS = {Outcome.CONFLICT: 0x0111, Outcome.REFUSED: 0xC000}
BATCH = 50


@require_POST
def store(request: HttpRequest) -> HttpResponse:
    """POST /studies: 200 all stored, 202 some, 409 none"""
    spool = default_spool()
    paths: list[Path] = []
    try:
        parts = UploadedParts(request, request.headers.get("Content-Type", ""))
        paths.extend(spool.write(part) for part in parts)
    except Exception:
        # Nothing was promised yet: half a request leaves nothing behind.
        for path in paths:
            spool.discard(path)
        raise
    if not paths:
        raise BadRequestError("no parts")
    origin = origin_of(request)
    stored = [
        one
        for start in range(0, len(paths), BATCH)
        for one in store_instances(paths[start : start + BATCH], origin=origin)
    ]
    kept = [one for one in stored if one.outcome in (Outcome.STORED, Outcome.DUPLICATE)]
    status = 200 if len(kept) == len(stored) else 202 if kept else 409
    return HttpResponse(orjson.dumps(_report(stored)), status=status, content_type=JSON)


def _report(stored: list[Stored]) -> dict[str, Any]:
    """The Store Instances Response Module (PS3.18 10.5.3.1)."""
    uids = [one.sop_instance_uid for one in stored if one.sop_instance_uid]
    rows = Instance.objects.filter(sop_instance_uid__in=uids).light()
    known = {row.sop_instance_uid: row for row in rows.select_related("series")}
    kept = [one for one in stored if one.outcome not in REASONS]
    lost = [one for one in stored if one.outcome in REASONS]
    report: dict[str, Any] = {}
    studies = {one.study_instance_uid for one in kept}
    if len(studies) == 1:
        report["00081190"] = _value("UR", study_address(root(), studies.pop()))
    if lost:
        items = [_failed(one, known.get(one.sop_instance_uid)) for one in lost]
        report["00081198"] = {"vr": "SQ", "Value": items}
    if kept:
        items = [_referenced(one, known[one.sop_instance_uid]) for one in kept]
        report["00081199"] = {"vr": "SQ", "Value": items}
    return report


def _referenced(one: Stored, row: Instance) -> dict[str, Any]:
    address = instance_address(
        root(), one.study_instance_uid, row.series.series_instance_uid, row.sop_instance_uid
    )
    return {
        "00081150": _value("UI", row.sop_class_uid),
        "00081155": _value("UI", row.sop_instance_uid),
        "00081190": _value("UR", address),
    }


def _failed(one: Stored, row: Instance | None) -> dict[str, Any]:
    return {
        "00081150": _value("UI", row.sop_class_uid if row else ""),
        "00081155": _value("UI", one.sop_instance_uid),
        "00081197": _value("US", REASONS[one.outcome]),
    }


def _value(vr: str, value: str | int) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]} if value != "" else {"vr": vr}
