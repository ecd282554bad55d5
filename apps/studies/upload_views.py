"""The upload page, and the small server its script talks to (the tus protocol, version 1.0.0).

POST begins a file, HEAD tells how much of it is here, PATCH brings the next piece, DELETE
forgets it. Everybody has to do with own uploads only; any other is a 404.
"""

import base64
import binascii
import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.models import User
from apps.studies.forms import UploadForm, UploadTargetForm
from apps.studies.models import Upload
from apps.studies.room import DiskFull
from apps.studies.services import (
    BusyUploadError,
    TooMuchError,
    WrongOffsetError,
    append,
    begin_upload,
    drop_upload,
)
from apps.studies.tasks import nudge_upload

VERSION = "1.0.0"
PIECE = "application/offset+octet-stream"
REFUSALS: dict[type[Exception], int] = {
    WrongOffsetError: 409,
    TooMuchError: 413,
    BusyUploadError: 423,
    DiskFull: 507,
}
View = Callable[..., HttpResponse]


def _answered(view: View) -> View:
    """Refusals as status and JSON; the version of the protocol on every answer."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except tuple(REFUSALS) as error:
            status = next(code for kind, code in REFUSALS.items() if isinstance(error, kind))
            words = _("There is no room for images at the moment.") if status == 507 else ""
            response = JsonResponse({"error": words or str(error)}, status=status)
        response["Tus-Resumable"] = VERSION
        response["Cache-Control"] = "no-store"
        return response

    return wrapped


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Choose whose they are, drop files, watch them arrive."""
    form = UploadTargetForm(request.user, request.GET)
    chosen = form.chosen()
    context = {
        "form": form,
        "chosen": chosen,
        "found": [] if chosen else form.found(),
        "unfinished": list(Upload.objects.of(_user(request)).unfinished()[:50]),
        "pictures": Upload.Pictures.choices,
        "batch_address": reverse("studies:upload-batch", args=["0"]),
    }
    return render(request, "studies/upload.html", context)


@require_POST
@_answered
def create(request: HttpRequest) -> HttpResponse:
    """Begin a file, or go on with the same one; its first piece may come along."""
    said = _metadata(request.headers.get("Upload-Metadata", ""))
    form = UploadForm(request.user, {**said, "size": request.headers.get("Upload-Length", "")})
    if not form.is_valid():
        return JsonResponse({"error": form.words}, status=400)
    upload = begin_upload(_user(request), **form.cleaned_data)
    offset = upload.offset
    if request.content_type == PIECE and offset == 0:
        offset = _append(upload, request, 0)
    response = HttpResponse(status=201)
    response["Location"] = reverse("studies:upload-file", args=[upload.key])
    response["Upload-Offset"] = str(offset)
    return response


@require_http_methods(["HEAD", "PATCH", "DELETE"])
@_answered
def piece(request: HttpRequest, key: str) -> HttpResponse:
    """How much of a file is here; its next piece; or forget it."""
    upload = get_object_or_404(Upload.objects.of(_user(request)), key=key)
    if request.method == "DELETE":
        drop_upload(upload)
        return HttpResponse(status=204)
    response = HttpResponse(status=200 if request.method == "HEAD" else 204)
    if request.method == "HEAD":
        done = upload.state != Upload.State.RECEIVING
        response["Upload-Offset"] = str(upload.size if done else upload.offset)
        response["Upload-Length"] = str(upload.size)
        return response
    if request.content_type != PIECE:
        return JsonResponse({"error": f"Content-Type: {PIECE}"}, status=415)
    offset = request.headers.get("Upload-Offset", "")
    if not offset.isascii() or not offset.isdecimal():
        return JsonResponse({"error": "Upload-Offset"}, status=400)
    response["Upload-Offset"] = str(_append(upload, request, int(offset)))
    return response


@require_GET
@_answered
def batch(request: HttpRequest, batch: str) -> HttpResponse:
    """What became of the files that were chosen together."""
    rows = Upload.objects.of(_user(request)).filter(batch=batch).order_by("id")
    files = [
        {"key": row.key, "state": row.state, "results": row.results}
        for row in rows.exclude(state=Upload.State.RECEIVING)
    ]
    return JsonResponse({"files": files})


def _append(upload: Upload, request: HttpRequest, offset: int) -> int:
    here = append(upload, request, offset=offset)
    if upload.state == Upload.State.RECEIVED:
        nudge_upload(upload.key)
    return here


def _metadata(text: str) -> dict[str, str]:
    """`name aW1hZ2U=,batch MQ==`: names and values in Base64."""
    found = {}
    for pair in text.split(","):
        name, _space, value = pair.strip().partition(" ")
        try:
            found[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            found[name] = ""
    return found


def _user(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User):
        raise TypeError("the route lets in who has signed in")
    return user
