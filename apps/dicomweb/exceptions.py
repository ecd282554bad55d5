"""The one table from what goes wrong to the HTTP status of a DICOMweb answer."""

import functools
import logging
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from apps.dicom.header import UnreadableError
from apps.dicom.keys import BadKeyError
from apps.studies.patience import TooMuchAsked
from apps.studies.services.rendering import BusyError, NotRenderableError

log = logging.getLogger(__name__)

View = Callable[..., HttpResponseBase]


class BadRequestError(ValueError):
    """The request cannot be understood; the message says what about it."""


class NotAcceptableError(ValueError):
    """None of the acceptable media types can be served; the message names what can."""


class UnsupportedMediaError(ValueError):
    """The body is of a type that is not taken."""


class GoneError(Exception):
    """What was asked for was here and has been taken away."""


STATUS: dict[type[Exception], int] = {
    BadRequestError: 400,
    BadKeyError: 400,
    PermissionDenied: 403,
    Http404: 404,
    NotAcceptableError: 406,
    GoneError: 410,
    RequestDataTooBig: 413,
    TooMuchAsked: 413,
    UnsupportedMediaError: 415,
    NotRenderableError: 422,
    UnreadableError: 500,
    FileNotFoundError: 500,
    OSError: 503,
    BusyError: 503,
    OperationalError: 503,
}
RETRY_SECONDS = "5"


def answered(view: View) -> View:
    """Turn exceptions into JSON answers, and forbid caches to share any answer."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except tuple(STATUS) as error:
            response = failure(error)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return wrapped


def failure(error: Exception) -> HttpResponse:
    """The answer for an exception of the table."""
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    if status >= 500:
        log.error("DICOMweb request failed: %s", type(error).__name__, exc_info=error)
        text = _("The stored data cannot be read at the moment.")
    elif status == 403:
        text = str(error) or _("You may not do this.")
    elif status == 404:
        text = _("There is no such object here.")
    elif status == 410:
        text = _("It was here and has been taken away.")
    else:
        text = str(error)
    response = JsonResponse({"error": text}, status=status)
    if status == 503:
        response["Retry-After"] = RETRY_SECONDS
    return response
