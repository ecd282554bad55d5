"""The one table from what goes wrong to the HTTP status of a DICOMweb answer."""

import errno
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
from apps.studies.room import DiskFull
from apps.studies.services.rendering import BusyError, NotRenderableError
from apps.studies.storage import StorageAwayError

log = logging.getLogger(__name__)

View = Callable[..., HttpResponseBase]


class BadRequestError(ValueError):
    """The request cannot be understood; the message says what about it."""


class NotAcceptableError(ValueError):
    """None of the acceptable media types can be served; the message names what can."""


class GoneError(LookupError):
    """The object was here and is rejected."""


class UnsupportedMediaError(ValueError):
    """The body is of a type that is not taken."""


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
    DiskFull: 507,
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
            if "\0" in request.path:  # nothing is called so, and PostgreSQL refuses to be asked
                raise Http404
            response = view(request, *args, **kwargs)
        except tuple(STATUS) as error:
            response = failure(error)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return wrapped


def failure(error: Exception) -> HttpResponse:
    """The answer for an exception of the table."""
    status = _status_of(error)
    if status == 507:
        log.error("DICOMweb request refused: no room for images")
        text = _("There is no room for images at the moment.")
    elif isinstance(error, BusyError):
        log.warning("DICOMweb request refused: too many pictures or films at once")
        text = _("Too much is being made at the moment: ask again soon.")
    elif status >= 500:
        _note(error)
        text = _("The stored data cannot be read at the moment.")
    elif status == 403:
        text = str(error) or _("You may not do this.")
    elif status == 410:
        text = _("This was rejected and is not shown any more.")
    elif status == 404:
        text = _("There is no such object here.")
    else:
        text = str(error)
    response = JsonResponse({"error": text}, status=status)
    if status == 503:
        response["Retry-After"] = RETRY_SECONDS
    return response


def _note(error: Exception) -> None:
    if isinstance(error, StorageAwayError):  # no fault of ours, and every request meets it
        log.error("DICOMweb request failed: the storage is away, %s", error)
    else:
        log.error("DICOMweb request failed: %s", type(error).__name__, exc_info=error)


def _status_of(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return STATUS[DiskFull]
    return next(code for kind, code in STATUS.items() if isinstance(error, kind))
