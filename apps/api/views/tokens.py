"""The page of one's own tokens."""

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.models import ApiToken, User
from apps.api.forms import TokenForm
from apps.audit.services import origin_of
from apps.audit.tokens import make_token, revoke_token


@never_cache
@require_http_methods(["GET", "POST"])
def own_tokens(request: HttpRequest) -> HttpResponse:
    """The list, and a form; a new token is shown on the answer of its POST, and never again."""
    user = cast("User", request.user)
    form = TokenForm(request.POST or None)
    if not form.is_valid():
        return _page(request, user, form, status=422 if form.is_bound else 200)
    token, secret = make_token(user, **form.wanted, origin=origin_of(request))
    return _page(request, user, TokenForm(), made=token, secret=secret)


@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """End one of one's own tokens."""
    token = get_object_or_404(ApiToken, pk=pk, user=request.user)
    revoke_token(token, origin=origin_of(request))
    messages.success(request, _("The token %(name)s opens nothing any more.") % {"name": token})
    return redirect("api:tokens")


def _page(
    request: HttpRequest,
    user: User,
    form: TokenForm,
    *,
    status: int = 200,
    made: ApiToken | None = None,
    secret: str = "",
) -> HttpResponse:
    context = {
        "form": form,
        "made": made,
        "secret": secret,
        "now": timezone.now(),
        "tokens": user.api_tokens.filter(only_study=""),
    }
    return render(request, "api/tokens.html", context, status=status)
