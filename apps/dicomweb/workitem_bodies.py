"""Bodies of UPS-RS: one data set, as JSON or XML, in and out (PS3.18 8.7.3)."""

import uuid

import orjson
from django.http import HttpRequest, HttpResponse

from apps.dicom.checking import UnsoundError, sound
from apps.dicom.json import JsonDataset
from apps.dicom.native_xml import native_xml
from apps.dicomweb.exceptions import BadRequestError, NotAcceptableError, UnsupportedMediaError
from apps.dicomweb.negotiation import JSON, accepted

XML = "application/dicom+xml"
_JSON_RANGES = (JSON, "application/json", "application/*", "*/*")


def read_dataset(request: HttpRequest, *, optional: bool = False) -> JsonDataset:
    """The data set of a body, checked; an array of one is taken as well.

    Raises BadRequestError, UnsupportedMediaError.
    """
    if optional and not request.body:
        return {}
    if request.content_type not in (JSON, "application/json"):
        raise UnsupportedMediaError(f"Send {JSON}.")
    try:
        found = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise BadRequestError("The body is not JSON.") from None
    if isinstance(found, list):
        if len(found) != 1:
            raise BadRequestError("Send one data set.")
        found = found[0]
    try:
        return sound(found)
    except UnsoundError as error:
        raise BadRequestError(str(error)) from None


def dataset_response(request: HttpRequest, dataset: JsonDataset) -> HttpResponse:
    """One data set, in what is acceptable: in JSON an array of it (PS3.18 F.2.1)."""
    if wants_xml(request):
        return _parts([dataset])
    return HttpResponse(orjson.dumps([dataset]), content_type=JSON)


def datasets_response(request: HttpRequest, datasets: list[JsonDataset]) -> HttpResponse:
    """Data sets one after the other, in what is acceptable."""
    if wants_xml(request):
        return _parts(datasets)
    return HttpResponse(orjson.dumps(datasets), content_type=JSON)


def wants_xml(request: HttpRequest) -> bool:
    """XML rather than JSON; raises NotAcceptableError where neither will do."""
    for one in accepted(request):
        if one.media_type == XML:
            return True
        if one.media_type in _JSON_RANGES and not one.multipart:
            return False
    raise NotAcceptableError(f"Available as {JSON}, or as multipart/related of {XML}.")


def _parts(datasets: list[JsonDataset]) -> HttpResponse:
    boundary = uuid.uuid4().hex
    body = b"".join(
        f"--{boundary}\r\nContent-Type: {XML}\r\n\r\n".encode() + native_xml(one) + b"\r\n"
        for one in datasets
    )
    return HttpResponse(
        body + f"--{boundary}--\r\n".encode(),
        content_type=f'multipart/related; type="{XML}"; boundary={boundary}',
    )
