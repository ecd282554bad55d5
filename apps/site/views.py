"""Pages of a new department: set-up, passwords by one-time link, the demo."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.accounts.models import User
from apps.audit.services import origin_of
from apps.site.demo.department import DemoRefused, fill_department, may_be_filled
from apps.site.forms import FirstUserForm
from apps.site.services import LinkNotValid, create_first_user, note_password_set, open_setup_link

BACKEND = "django.contrib.auth.backends.ModelBackend"


@sensitive_post_parameters("password1", "password2")
@never_cache
@require_http_methods(["GET", "POST"])
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """Make the first user; the link is dead afterwards, and 404 for everybody."""
    form = FirstUserForm(request.POST or None)
    try:
        link = open_setup_link(token)
        if not form.is_valid():
            return render(request, "site/setup.html", {"form": form})
        user = create_first_user(
            link, person=form.person, roles=form.chosen_roles, origin=origin_of(request)
        )
    except LinkNotValid as refusal:
        raise Http404(str(refusal)) from refusal
    login(request, user, backend=BACKEND)
    if "demo" in request.POST:
        return _fill_and_show(request)
    return redirect("home")


class SetPassword(PasswordResetConfirmView):
    """A person sets a password through a one-time link made by `password_link`."""

    template_name = "site/set_password.html"
    success_url = reverse_lazy("accounts:login")

    def form_valid(self, form: "SetPasswordForm[Any]") -> HttpResponse:
        response = super().form_valid(form)
        if isinstance(self.user, User):
            note_password_set(self.user, origin=origin_of(self.request))
        messages.success(self.request, _("Your password is set. Please sign in."))
        return response


@never_cache
@require_http_methods(["GET", "POST"])
def demo(request: HttpRequest) -> HttpResponse:
    """Offer the demo department; a POST fills it and shows the passwords, once."""
    if request.method == "POST":
        return _fill_and_show(request)
    return render(request, "site/demo.html", {"empty": may_be_filled()})


def _fill_and_show(request: HttpRequest) -> HttpResponse:
    try:
        filled = fill_department(origin=origin_of(request))
    except DemoRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("site:demo")
    return render(request, "site/demo_filled.html", {"filled": filled})
