"""The WebSockets on which subscribers are told what happens to workitems (PS3.18 8.10).

An ASGI application of its own, as the web server's interface knows no WebSockets.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial
from io import BytesIO
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections

from apps.dicomweb.hub import Hub, Listener
from apps.dicomweb.views.subscribers import AE_TITLE
from apps.dicomweb.visitors import listener

log = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
_PATH = re.compile(r"/dicom-web/ws/subscribers/([^/]+)")
TRY_LATER = 1013  # the server is overloaded (IANA registry of close codes)

hub = Hub()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """What the server calls for each connection."""
    if scope["type"] == "websocket":
        await _serve(scope, receive, send)
    elif scope["type"] == "http":
        await _refuse_http(send)


async def _serve(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()  # websocket.connect
    title = _title(scope)
    may = partial(_may_listen, scope)
    if not title or not await may():
        await send({"type": "websocket.close", "code": 1008})  # becomes 403
        return
    await send({"type": "websocket.accept"})
    if hub.full:
        await send({"type": "websocket.close", "code": TRY_LATER})
        return
    log.info("%s listens", title)
    one = Listener(title, send, may)
    hub.add(one)
    try:
        # Nothing is expected of a listener; what it says is not looked at.
        while (await receive())["type"] != "websocket.disconnect":
            pass
    finally:
        hub.remove(one)
        log.info("%s has hung up", title)


def _title(scope: Scope) -> str:
    """The AE title of the path; empty for any other path."""
    found = _PATH.fullmatch(scope["path"])
    title = found[1] if found else ""
    return title.strip() if AE_TITLE.fullmatch(title) else ""


@sync_to_async
def _may_listen(scope: Scope) -> bool:
    close_old_connections()
    # A handshake is a GET (RFC 6455 4.1), which Django's request knows how to read.
    request = ASGIRequest({**scope, "type": "http", "method": "GET"}, BytesIO())
    return listener(request) is not None


async def _refuse_http(send: Send) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": 426,
            "headers": [(b"upgrade", b"websocket"), (b"connection", b"upgrade")],
        }
    )
    await send({"type": "http.response.body", "body": b"Open a WebSocket here.\n"})
