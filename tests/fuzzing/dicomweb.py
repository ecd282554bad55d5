"""The routes of DICOMweb as an OpenAPI document, made from the table of routes."""

import re
from collections.abc import Callable
from typing import Any

from django.urls import get_resolver

from apps.studies.conditions import INSTANCE_KEYS, SERIES_KEYS, STUDY_KEYS
from tests.test_routes import walk

START = "dicom-web/"
PLACE = re.compile(r"<(?:\w+:)?(\w+)>")
TEXT = {"type": "string", "maxLength": 24}
KEYS = (*STUDY_KEYS, *SERIES_KEYS, *INSTANCE_KEYS)
SEARCHED = {
    **{name: ["", "*", "1", "A?", "1\\\\2", "-"] for name in KEYS},
    "StudyDate": ["20260517", "2026-", "-", "20260517-20260101", "1", "99999999"],
    "StudyTime": ["10", "1015-", "-2460", "101500.123456-", "99"],
    "PatientName": ["Muller^*", "=", "*^*^*", "Ü", "A^B=C=D"],
    "limit": ["0", "1", "99999999", "-1", "x"],
    "offset": ["0", "5", "999999999", "9999999999", "-1"],
    "fuzzymatching": ["true", "false", "perhaps"],
    "includefield": ["all", "00100010", "PatientName", "nothing", "00400275.00400008"],
    "00100010": ["*"],
    "orderby": ["StudyDate", "-PatientName"],
}
SHOWN = {
    "accept": ["image/png", "image/jpeg", "application/dicom", "x"],
    "annotation": ["patient", "technique", "x"],
    "quality": ["1", "100", "0", "x"],
    "viewport": ["10,10", "0,0", "100000,100000", "1,2,3,4,5,6", "x"],
    "window": ["40,400,linear", "0,0,linear", "nan,inf,sigmoid", "1,2", "x"],
    "requestType": ["WADO"],
    "studyUID": ["1.2"],
    "seriesUID": ["1.2"],
    "objectUID": ["1.2"],
    "contentType": ["application/dicom", "image/jpeg"],
}
ACCEPTED = (
    *("*/*", "application/dicom+json", "application/dicom", "application/json", "text/plain"),
    'multipart/related; type="application/dicom"; transfer-syntax=*',
    'multipart/related; type="application/octet-stream"',
    'multipart/related; type="application/dicom+xml"',
    *("image/jpeg", "image/png", "application/zip", "text/csv", "video/mp4", ""),
)
METHODS = ("get", "post", "put", "delete")


def dicomweb_document(keys: dict[str, Any], takes: Callable[[str, str], bool]) -> dict[str, Any]:
    """Every route under the methods it takes."""
    paths: dict[str, Any] = {}
    for path, _name, _pattern in walk(get_resolver().url_patterns):
        if path.startswith(START):
            names = PLACE.findall(path)
            paths["/" + PLACE.sub(r"{\1}", path)] = {
                method: _operation(method, path, names, keys)
                for method in METHODS
                if takes(method, "/" + PLACE.sub("1", path))
            }
    return {
        "openapi": "3.0.3",
        "info": {"title": "DICOMweb", "version": "1"},
        "paths": paths,
    }


def _operation(method: str, path: str, names: list[str], keys: dict[str, Any]) -> dict[str, Any]:
    known = {"frames": ["1", "1,1", "0", "2", "x"], "path": ["7FE00010", "00080005/0/0"], **keys}
    # Anything in the last place; before it what exists, or nothing is reached.
    free = {names[-1], *(name for name in names if name not in known)} if names else set()
    places = [
        _parameter(
            name,
            "path",
            {"anyOf": [*_enum(known.get(name)), *([TEXT] if name in free else [])]},
            required=True,
        )
        for name in names
    ]
    searches = path.rstrip("/").endswith(("studies", "series", "instances", "workitems"))
    asked = _some(SEARCHED, path) if method == "get" and searches else SHOWN
    queries = [
        _parameter(name, "query", {"anyOf": [*_enum(values), TEXT]})
        for name, values in asked.items()
    ]
    header = _parameter("Accept", "header", {"anyOf": [{"enum": list(ACCEPTED)}, TEXT]})
    told: dict[str, Any] = {
        "operationId": f"{method} {path}",
        "parameters": [*places, *queries, header],
        "responses": {"200": {"description": "well"}},
    }
    if method in ("post", "put"):
        shape = {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}
        told["requestBody"] = {"content": {"application/json": {"schema": shape}}}
    return told


def _some(asked: dict[str, list[str]], path: str) -> dict[str, list[str]]:
    """Another third of the keys for each route: most of the time goes into making them up."""
    first = path.count("/") % 3
    return dict(list(asked.items())[first::3])


def _enum(values: Any) -> list[dict[str, Any]]:
    listed = values if isinstance(values, list) else [values]
    return [{"enum": [str(one) for one in listed]}] if values else []


def _parameter(name: str, place: str, shape: Any, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": shape, "required": required}
