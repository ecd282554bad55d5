"""What the service can do, for programs that ask before they begin (PS3.18 8.9)."""

import orjson
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from apps.dicomweb.capabilities import as_json, as_wadl
from apps.dicomweb.exceptions import NotAcceptableError
from apps.dicomweb.methods import Description, described
from apps.dicomweb.negotiation import JSON, accepted
from apps.dicomweb.views.lookup import root

WADL = "application/vnd.sun.wadl+xml"
_WADL_TYPES = (WADL, "application/xml", "text/xml", "application/*", "*/*")
_JSON_TYPES = ("application/json", JSON)


@described(Description(media_types=(WADL, "application/json")))
def capabilities(request: HttpRequest) -> HttpResponse:
    """GET /capabilities: every resource, its methods, keys and media types"""
    for one in accepted(request):
        if one.media_type in _WADL_TYPES and not one.multipart:
            return HttpResponse(as_wadl(root()), content_type=WADL)
        if one.media_type in _JSON_TYPES:
            body = orjson.dumps(as_json(root()))
            return HttpResponse(body, content_type="application/json")
    raise NotAcceptableError(f"Available as {WADL} and application/json.")


def nowhere(request: HttpRequest, rest: str = "") -> JsonResponse:
    """Any other address: told as programs are told, and where to look"""
    text = _("There is no such address here; {list} names those there are.")
    return JsonResponse({"error": text.format(list=f"{root()}/capabilities")}, status=404)
