"""STOW-RS: storing through the same spool and service as every other door (PS3.18 10.5)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse

from apps.audit.services import origin_of
from apps.dicom.native_xml import native_xml
from apps.dicomweb.answers import instance_address, study_address
from apps.dicomweb.bringing import Brought, bring
from apps.dicomweb.exceptions import UnsupportedMediaError
from apps.dicomweb.negotiation import XML, choose_model
from apps.dicomweb.telling import warn
from apps.dicomweb.uploads import UploadedParts
from apps.dicomweb.views.lookup import root
from apps.studies.models import Instance
from apps.studies.room import require_room
from apps.studies.services import Demands, Outcome, Stored, store_instances
from apps.studies.spool import default_spool

# Failure Reason (0008,1197), PS3.3 C.14.1.1.
REASONS = {
    Outcome.CONFLICT: 0x0111,  # another object is here under this UID
    Outcome.MISPLACED: 0x0110,  # processing failure
    Outcome.MISFIT: 0x0110,
    Outcome.UNSUPPORTED: 0x0122,
    Outcome.CONTRADICTION: 0xA900,
    Outcome.NAMELESS: 0xC000,  # cannot understand
    Outcome.REFUSED: 0xC000,
}
_EXPLAINED = {Outcome.MISPLACED, Outcome.MISFIT}  # by words: one code stands for both
COERCED = 0xB000  # Warning Reason (0008,1196), PS3.18 table I.2-2
BATCH = 50
MOST_WORDS = 10  # reasons that a header has room for


@dataclass(frozen=True)
class Result:
    """One line of the answer: `reason` is 0 for what is stored."""

    sop_class_uid: str
    sop_instance_uid: str
    reason: int = 0
    study: str = ""
    series: str = ""
    coerced: bool = False
    words: str = ""


def store(request: HttpRequest, study: str = "") -> HttpResponse:
    """POST /studies and /studies/{study}: 200 all stored, 202 not all or not as sent, 409 none"""
    model = choose_model(request)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaError("Send it as it is, without a Content-Encoding.")
    require_room()
    spool = default_spool()
    parts = UploadedParts(request, request.headers.get("Content-Type", ""))
    with spool.staging() as stage:
        brought = bring(parts, stage)
        paths = iter(stage.admit([one.path for one in brought if one.path]))
        demands = Demands(study=study, strict=True, promised=False, authored=True)
        stored = _stored(list(paths), request, demands)
    results = list(_results(brought, stored))
    body = _report(results, study)
    content = native_xml(body) if model == XML else orjson.dumps(body)
    response = HttpResponse(content, status=_status(results), content_type=model)
    if words := sorted({one.words for one in results if one.words}):
        warn(request, response, _told(words))
    return response


def _told(words: list[str]) -> str:
    return "; ".join([*words[:MOST_WORDS], *(["and more"] if len(words) > MOST_WORDS else [])])


def _stored(paths: list[Any], request: HttpRequest, demands: Demands) -> list[Stored]:
    origin = origin_of(request)
    return [
        one
        for start in range(0, len(paths), BATCH)
        for one in store_instances(paths[start : start + BATCH], origin=origin, demands=demands)
    ]


def _results(brought: list[Brought], stored: list[Stored]) -> Iterator[Result]:
    """In the order of the request."""
    rest = iter(stored)
    coerced = _coerced(stored)
    for one in brought:
        if one.path is None:
            uids = one.name.sop_class_uid, one.name.sop_instance_uid
            yield Result(*uids, one.reason, words=one.words)
            continue
        found = next(rest)
        # Readable, and then something was wrong with it: our failure rather than its own.
        failed = found.outcome is Outcome.REFUSED and found.sop_instance_uid
        yield Result(
            found.sop_class_uid,
            found.sop_instance_uid,
            0x0110 if failed else REASONS.get(found.outcome, 0),
            found.study_instance_uid,
            found.series_instance_uid,
            coerced=found.sop_instance_uid in coerced,
            words=found.reason if found.outcome in _EXPLAINED else "",
        )


def _coerced(stored: list[Stored]) -> set[str]:
    """SOP Instance UIDs of those that are shown otherwise than they were sent."""
    uids = [one.sop_instance_uid for one in stored if one.outcome not in REASONS]
    rows = Instance.everything.filter(sop_instance_uid__in=uids).exclude(overlay=0)
    return set(rows.values_list("sop_instance_uid", flat=True))


def _status(results: list[Result]) -> int:
    """PS3.18 table 10.5.3-1."""
    lost = [one for one in results if one.reason]
    if len(lost) < len(results):
        return 202 if lost or any(one.coerced for one in results) else 200
    # Nothing in the request is anything that could be named: the request is wrong.
    return 409 if any(one.sop_instance_uid for one in lost) else 400


def _report(results: list[Result], study: str) -> dict[str, Any]:
    """The Store Instances Response Module (PS3.18 annex I)."""
    kept = [one for one in results if not one.reason]
    lost = [one for one in results if one.reason]
    studies = {study} if study else {one.study for one in kept}
    lists = {
        "00081198": [_failed(one) for one in lost if one.sop_instance_uid],
        "00081199": [_referenced(one) for one in kept],
        "0008119A": [_reason(one) for one in lost if not one.sop_instance_uid],
    }
    report: dict[str, Any] = {}
    if len(studies) == 1 and kept:
        report["00081190"] = _value("UR", study_address(root(), studies.pop()))
    return report | {tag: {"vr": "SQ", "Value": items} for tag, items in lists.items() if items}


def _referenced(one: Result) -> dict[str, Any]:
    address = instance_address(root(), one.study, one.series, one.sop_instance_uid)
    warning = {"00081196": _value("US", COERCED)} if one.coerced else {}
    return {
        "00081150": _value("UI", one.sop_class_uid),
        "00081155": _value("UI", one.sop_instance_uid),
        "00081190": _value("UR", address),
        **warning,
    }


def _failed(one: Result) -> dict[str, Any]:
    return {
        "00081150": _value("UI", one.sop_class_uid),
        "00081155": _value("UI", one.sop_instance_uid),
        **_reason(one),
    }


def _reason(one: Result) -> dict[str, Any]:
    return {"00081197": _value("US", one.reason)}


def _value(vr: str, value: str | int) -> dict[str, Any]:
    return {"vr": vr, "Value": [value]} if value != "" else {"vr": vr}
