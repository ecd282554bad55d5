"""How long an answer may be kept by the browser, and by nobody else (RFC 9111)."""

import hashlib
from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase, HttpResponseNotModified
from django.utils.cache import patch_vary_headers

# Pixels never change under their UID: other content under it is refused.
FOREVER = "private, max-age=31536000, immutable"
# The header of a file may be corrected: ask whether it was.
ASK = "private, no-cache"


def etag_of(*parts: object) -> str:
    """An ETag that differs where any part of it does."""
    said = "\0".join(map(str, parts)).encode()
    return f'"{hashlib.sha256(said).hexdigest()[:32]}"'


def kept(
    request: HttpRequest,
    etag: str,
    make: Callable[[], HttpResponseBase],
    *,
    policy: str = ASK,
    vary: tuple[str, ...] = ("Accept", "Cookie"),
) -> HttpResponseBase:
    """The answer, or 304 where the browser has it."""
    known = request.headers.get("If-None-Match", "")
    response: HttpResponseBase
    if known == "*" or etag in (one.strip().removeprefix("W/") for one in known.split(",")):
        response = HttpResponseNotModified()
    else:
        response = make()
    if response.status_code in (200, 206, 304):
        response["ETag"] = etag
        response["Cache-Control"] = policy
    patch_vary_headers(response, vary)
    return response
