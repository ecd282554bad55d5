"""The one table from what goes wrong to a problem (RFC 9457) and its HTTP status."""

import functools
import logging
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException, Throttled, ValidationError

from apps.api.throttling import seconds_to_wait
from apps.dicom.keys import BadKeyError
from apps.orders.services import AccessionTaken, OrderInvalid, OrderRefused
from apps.routing.services import SendingRefused
from apps.scheduling.services import BookingRefused
from apps.studies.services import RejectedAlreadyError, UnusableLabelError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = "5"

View = Callable[..., HttpResponseBase]


class TooLarge(APIException):
    """The body is longer than anything that is asked here."""

    status_code = 413
    default_detail = "The body is too large."


STATUS: dict[type[Exception], int] = {
    BadKeyError: 400,
    PermissionDenied: 403,
    Http404: 404,
    AccessionTaken: 409,
    OrderInvalid: 422,
    OrderRefused: 409,
    BookingRefused: 409,
    SendingRefused: 409,
    RejectedAlreadyError: 409,
    UnusableLabelError: 422,
    OSError: 503,
    OperationalError: 503,
}


def problem(
    status: int, detail: str, *, errors: list[dict[str, str]] | None = None
) -> JsonResponse:
    """A problem document; `errors` names fields."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        body["errors"] = errors
    response = JsonResponse(body, status=status, content_type=MEDIA_TYPE)
    if status == 503:
        response["Retry-After"] = RETRY_SECONDS
    return response


def answer(error: Exception, context: dict[str, Any]) -> HttpResponseBase | None:
    """Django REST framework's hook; None where the error is none of ours: that is a 500."""
    if isinstance(error, ValidationError):
        errors = list(_fields(error.detail))
        return problem(400, _("The request cannot be understood."), errors=errors)
    if isinstance(error, Throttled):
        response = problem(429, _("Too many requests: ask again later, or ask for more at once."))
        response["Retry-After"] = str(seconds_to_wait(error))
        return response
    if isinstance(error, APIException):
        return problem(error.status_code, str(error.detail))
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), None)
    return None if status is None else _refusal(error, status)


def answered(view: View) -> View:
    """For what is refused before a view of Django REST framework is reached: by `allows`."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except (PermissionDenied, Http404) as error:
            response = _refusal(error, STATUS[type(error)])
        response.headers.setdefault("Cache-Control", "private, no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return wrapped


def _refusal(error: Exception, status: int) -> JsonResponse:
    if status >= 500:
        log.error("API request failed: %s", type(error).__name__, exc_info=error)
        return problem(status, _("The stored data cannot be read at the moment."))
    if status == 404:
        return problem(status, _("There is no such object here."))
    if status == 403:
        return problem(status, str(error) or _("You may not do this."))
    fields = error.fields if isinstance(error, OrderInvalid) else {}
    errors = [
        {"field": name, "detail": str(one)} for name, texts in fields.items() for one in texts
    ]
    return problem(status, str(error), errors=errors)


def _fields(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Each message with the path of its field: `procedures.0.code`."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _fields(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(detail, list) and any(isinstance(one, dict | list) for one in detail):
        for number, inner in enumerate(detail):
            yield from _fields(inner, f"{path}.{number}" if path else str(number))
    else:
        texts = detail if isinstance(detail, list) else [detail]
        for text in texts:
            yield {"field": path.removesuffix(".non_field_errors"), "detail": str(text)}
