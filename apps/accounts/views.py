"""Signing in and out, the own password, and the way to the first page."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from apps.accounts.models import User
from apps.accounts.navigation import first_page


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The first page of the user's role; a page of ways where the role has none."""
    user = request.user
    page = first_page(user) if isinstance(user, User) else ""
    return redirect(page) if page else render(request, "accounts/home.html")


class PasswordChange(auth_views.PasswordChangeView):
    """The own password; also what a user with a given password must do first."""

    success_url = reverse_lazy("home")

    def form_valid(self, form: Any) -> HttpResponse:
        form.user.must_change_password = False
        response = super().form_valid(form)
        messages.success(self.request, _("Your password is changed."))
        return response
