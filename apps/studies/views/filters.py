"""Searches of the list of studies kept under a name."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from apps.accounts.policy import Action, Noun, can
from apps.audit.services import origin_of
from apps.studies.forms import SaveFilterForm
from apps.studies.models import SavedFilter
from apps.studies.services import NameTakenError, choose_filter, remove_filter, save_filter


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep what is looked for now."""
    user: Any = request.user
    form = SaveFilterForm(request.POST)
    if not form.is_valid():
        for reasons in form.errors.values():
            messages.error(request, str(reasons[0]))
        return redirect("studies:list")
    kept = dict(form.cleaned_data)
    kept["shared"] &= can(request.user, Action.CREATE, Noun.STUDY_FILTER)
    try:
        save_filter(user, **kept, origin=origin_of(request))
        messages.success(request, _("The search is kept as “%(name)s”.") % kept)
    except NameTakenError as refusal:
        messages.error(request, str(refusal))
    return redirect(_list_with(kept["query"]))


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget one's own search, or a shared one where one may."""
    row = _usable(request, pk)
    if not may_remove(request, row):
        messages.error(request, _("This search belongs to somebody else."))
        return redirect("studies:list")
    remove_filter(row, origin=origin_of(request))
    messages.success(request, _("The search is forgotten."))
    return redirect(_list_with(""))


@require_POST
def choose(request: HttpRequest, pk: int) -> HttpResponse:
    """Begin with this search from now on."""
    user: Any = request.user
    row = _usable(request, pk)
    choose_filter(user, row, origin=origin_of(request))
    messages.success(request, _("Your list begins with “%(name)s”.") % {"name": row.title})
    return redirect(_list_with(row.query))


@require_POST
def choose_none(request: HttpRequest) -> HttpResponse:
    """Begin with all studies again."""
    user: Any = request.user
    choose_filter(user, None, origin=origin_of(request))
    messages.success(request, _("Your list begins with all studies."))
    return redirect(_list_with(""))


def may_remove(request: HttpRequest, row: SavedFilter) -> bool:
    own = row.owner_id == request.user.pk
    return own or can(request.user, Action.DELETE, Noun.STUDY_FILTER)


def _usable(request: HttpRequest, pk: int) -> SavedFilter:
    user: Any = request.user
    return get_object_or_404(SavedFilter.objects.usable_by(user), pk=pk)


def _list_with(query: str) -> str:
    return f"{reverse('studies:list')}?{query or 'all=1'}"
