"""UPS-RS: who is told what happens to workitems (PS3.18 11.10 to 11.12)."""

import re

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.audit.services import origin_of
from apps.dicom.keys import Key
from apps.dicomweb.exceptions import BadRequestError
from apps.dicomweb.views.lookup import root
from apps.dicomweb.views.workitems import bare, find
from apps.dicomweb.workitem_queries import parse_filter
from apps.workitems import services
from apps.workitems.models import EVERY_WORKITEM, FILTERED_WORKITEMS, Subscription

# PS3.5 6.2: the default repertoire without backslash and control characters.
AE_TITLE = re.compile(r"(?=.*[^ ])[ -\[\]-~]{1,16}")
_SCOPES = {
    EVERY_WORKITEM: Subscription.Scope.ALL,
    FILTERED_WORKITEMS: Subscription.Scope.FILTERED,
}


def subscribe(request: HttpRequest, uid: str, ae_title: str) -> HttpResponse:
    """POST /workitems/{uid}/subscribers/{AE title}: 201, with where to listen (11.10)"""
    title = _title(ae_title)
    lock = request.GET.get("deletionlock", "false").lower()
    if lock not in ("true", "false"):
        raise BadRequestError("deletionlock: true or false")
    how = {"deletion_lock": lock == "true"}
    origin = origin_of(request)
    if uid == EVERY_WORKITEM:
        services.subscribe_to_all(title, origin=origin, **how)
    elif uid == FILTERED_WORKITEMS:
        services.subscribe_filtered(title, _filter(request), origin=origin, **how)
    else:
        services.subscribe(find(request, uid), title, origin=origin, **how)
    response = bare(201)
    response["Content-Location"] = _connection(request, title)
    return response


def unsubscribe(request: HttpRequest, uid: str, ae_title: str) -> HttpResponse:
    """DELETE /workitems/{uid}/subscribers/{AE title} (11.11)"""
    title = _title(ae_title)
    if uid in _SCOPES:
        services.unsubscribe_from_all(title, scope=_SCOPES[uid], origin=origin_of(request))
    else:
        services.unsubscribe(find(request, uid), title, origin=origin_of(request))
    return bare(200)


def suspend(request: HttpRequest, uid: str, ae_title: str) -> HttpResponse:
    """POST .../subscribers/{AE title}/suspend, of the worklist only (11.12)"""
    if uid not in _SCOPES:
        raise BadRequestError("Only a subscription to the worklist can be suspended.")
    services.suspend(_title(ae_title), scope=_SCOPES[uid], origin=origin_of(request))
    return bare(200)


def _filter(request: HttpRequest) -> list[Key]:
    if not request.GET.get("filter"):
        raise BadRequestError("filter: missing")
    return parse_filter(request.GET)


def _title(text: str) -> str:
    if not AE_TITLE.fullmatch(text):
        raise BadRequestError("This is not an AE title.")
    return text.strip()


def _connection(request: HttpRequest, title: str) -> str:
    """Where to open the WebSocket: behind a TLS front at the same place, else at its own port."""
    path = f"{root()}/ws/subscribers/{title.replace(' ', '%20')}"
    if request.is_secure():
        return f"wss://{request.get_host()}{path}"
    host = re.sub(r":\d+$", "", request.get_host())
    return f"ws://{host}:{settings.OPENPACS_EVENTS_PORT}{path}"
