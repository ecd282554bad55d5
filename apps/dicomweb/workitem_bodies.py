"""Bodies of UPS-RS: one data set, as JSON or XML (PS3.18 8.7.3)."""

from email import message_from_bytes
from email.message import Message

import orjson
from django.http import HttpRequest

from apps.dicom.checking import UnsoundError, sound
from apps.dicom.json import JsonDataset
from apps.dicom.reading_xml import XmlError, read_native_xml
from apps.dicomweb.exceptions import BadRequestError, UnsupportedMediaError
from apps.dicomweb.negotiation import JSON, XML

_MULTIPART = "multipart/related"


def read_dataset(request: HttpRequest, *, optional: bool = False) -> JsonDataset:
    """The data set of a body, checked; an array of one is taken as well.

    Raises BadRequestError, UnsupportedMediaError.
    """
    if optional and not request.body:
        return {}
    try:
        return sound(_parsed(request))
    except (UnsoundError, XmlError) as error:
        raise BadRequestError(f"{error}.") from None


def _parsed(request: HttpRequest) -> object:
    if request.content_type in (JSON, "application/json"):
        return _json(request.body)
    if request.content_type in (XML, "application/xml", "text/xml"):
        return read_native_xml(request.body)
    if request.content_type == _MULTIPART and (request.content_params or {}).get("type") == XML:
        return read_native_xml(_only_part(request))
    raise UnsupportedMediaError(f"Send {JSON} or {XML}.")


def _json(body: bytes) -> object:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequestError("The body is not JSON.") from None
    if not isinstance(found, list):
        return found
    if len(found) != 1:
        raise BadRequestError("Send one data set.")
    return found[0]


def _only_part(request: HttpRequest) -> bytes:
    """The part of a multipart body, of which there is one (PS3.18 11.4.1.4)."""
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    parts = message_from_bytes(head + request.body).get_payload()
    if not isinstance(parts, list) or len(parts) != 1 or not isinstance(parts[0], Message):
        raise BadRequestError("Send one data set in one part.")
    content = parts[0].get_payload(decode=True)
    return content if isinstance(content, bytes) else b""
