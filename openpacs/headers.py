"""Headers that every answer carries."""

from functools import cache

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class ContentPolicyMiddleware(CSPMiddleware):
    """django-csp's; the policy of the site is put together once, not for each image."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        of_its_own = any(name.startswith("_csp") for name in vars(response))
        if settings.DEBUG or of_its_own or hasattr(request, "_csp_nonce"):
            return super().process_response(request, response)
        response.headers.setdefault(HEADER, site_policy())
        return response


@cache
def site_policy() -> str:
    """Content-Security-Policy of every answer that has none of its own."""
    return build_policy()
