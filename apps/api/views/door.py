"""What all views of the door have in common."""

from dataclasses import replace
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from rest_framework.authentication import SessionAuthentication
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.accounts.policy import Action, can
from apps.api.problems import answer
from apps.api.requests import ShortJSONParser
from apps.api.throttling import OneCaller
from apps.audit.services import Origin, origin_of


class Door(APIView):
    """JSON in, JSON out. Who may take a route stands in urls.py; who is asking is on the request.

    The session of a page is taken too, with its CSRF token; for a token the middleware has
    put the user there.
    """

    authentication_classes = (SessionAuthentication,)
    permission_classes = ()
    parser_classes = (ShortJSONParser,)
    renderer_classes = (JSONRenderer,)
    throttle_classes: tuple[Any, ...] = (OneCaller,)

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """The site's own middleware asks for the login, before a right is asked for."""
        view: Any = super().as_view(**initkwargs)
        view.login_required = True
        return view

    def get_exception_handler(self) -> Any:
        return answer

    @property
    def user(self) -> User:
        return cast("User", self.request.user)

    @property
    def origin(self) -> Origin:
        return replace(origin_of(plain(self.request)), protocol="rest")

    def require(self, action: Action, thing: Any) -> None:
        """The route lets in who may look; what changes something asks the policy once more."""
        if not can(self.user, action, thing):
            raise PermissionDenied


def plain(request: Request) -> HttpRequest:
    """Django's own request, which services of the rooms below know."""
    inner: HttpRequest = request._request
    return inner
