"""The list of studies: finding, going on, opening a row in place, what has just arrived."""

from dataclasses import dataclass
from typing import Any

from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET
from django_htmx.http import replace_url

from apps.accounts.policy import Action, Noun, can, visible
from apps.audit.services import origin_of
from apps.studies.forms import SaveFilterForm, StudySearchForm
from apps.studies.models import DefaultFilter, SavedFilter, Study
from apps.studies.services import Page, list_studies, new_studies, newest_study
from apps.studies.services.querying import note_listing

SEEN = 100  # rows whose state a page may ask for at once
MANY = 100  # new studies that are counted


@dataclass(frozen=True)
class Head:
    """The head of a column that the list can be sorted by, as it stands."""

    title: Promise
    column: str
    order: str

    @property
    def direction(self) -> str:
        """What `aria-sort` says."""
        if self.order.lstrip("-") != self.column:
            return "none"
        return "descending" if self.order.startswith("-") else "ascending"

    @property
    def next_order(self) -> str:
        """What a click on it asks for: the latest first, names from A."""
        usual = self.column if self.column == "name" else f"-{self.column}"
        reverse_of = usual[1:] if usual.startswith("-") else f"-{usual}"
        return reverse_of if self.order == usual else usual


@require_GET
def study_list(request: HttpRequest) -> HttpResponse:
    """Studies that fit, newest first; `after` is the key of the last row of the page before.

    With nothing asked for, the search that the person begins with.
    """
    if not request.GET and (query := _first_query(request)):
        return redirect(f"{reverse('studies:list')}?{query}")
    form, after = StudySearchForm(request.GET), request.GET.get("after", "")
    fragment = "HX-Request" in request.headers
    newest = 0 if after else newest_study()  # before the list is read: none is passed over
    context = {**_found(request, form, after), "newest": newest}
    if not after:  # going on is the same search
        _note(request, form, context["page"])
    if fragment and after:
        return render(request, "studies/_rows.html", context)
    context |= _frame(form)
    if fragment:
        return replace_url(render(request, "studies/_results.html", context), _address(form))
    context |= _surroundings(request, form)
    return render(request, "studies/study_list.html", context)


@require_GET
def arrivals(request: HttpRequest) -> HttpResponse:
    """What changed since: rows that are shown (`seen=key-revision`), and how many are new.

    204 where nothing did; the page asks every few seconds.
    """
    form = StudySearchForm(request.GET)
    rows = visible(request.user, Study)
    changed = _changed(rows, request.GET.getlist("seen")[:SEEN])
    newest, told = _number(request.GET.get("newest")), _number(request.GET.get("told"))
    count = len(new_studies(rows, form.wanted, newest=newest))
    if not changed and count == told:
        return HttpResponse(status=204)
    context = {
        "studies": changed,
        "count": count,
        "many": MANY,
        "address": _address(form),
        "may_act": _may_act(request),
    }
    return render(request, "studies/_arrivals.html", context)


def _found(request: HttpRequest, form: StudySearchForm, after: str) -> dict[str, Any]:
    page = list_studies(
        visible(request.user, Study),
        form.wanted,
        order=form.order,
        after=after,
        inside=form.looks_inside,
    )
    prefetch_related_objects(page.studies, "labels")
    return {
        "page": page,
        "studies": page.studies,
        "next_address": _next_address(form, page),
        "inside_address": f"{_address(form)}&inside=on" if page.partly else "",
        "may_act": _may_act(request),
        "searched": form.is_narrowed,
        "first": not after,
    }


def _note(request: HttpRequest, form: StudySearchForm, page: Page) -> None:
    count = len(page.studies) if page.total is None else page.total
    note_listing(form.wanted, count=count, origin=origin_of(request))


def _frame(form: StudySearchForm) -> dict[str, Any]:
    """What a search changes around the rows."""
    return {
        "form": form,
        "query": form.query,
        "heads": {
            "date": Head(_("Date"), "date", form.order),
            "name": Head(_("Patient"), "name", form.order),
            "received": Head(_("Received"), "received", form.order),
        },
    }


def _surroundings(request: HttpRequest, form: StudySearchForm) -> dict[str, Any]:
    """What stands around the list whatever is searched."""
    user: Any = request.user
    return {
        "filters": SavedFilter.objects.usable_by(user).select_related("owner"),
        "default": DefaultFilter.objects.filter(user=user).first(),
        "save_form": SaveFilterForm(initial={"query": form.query}),
        "may_share": can(request.user, Action.CREATE, Noun.STUDY_FILTER),
    }


def _may_act(request: HttpRequest) -> dict[str, bool]:
    """What this user may do with several studies at once."""
    return {
        "send": can(request.user, Action.EXPORT, Noun.STUDY),
        "label": can(request.user, Action.CHANGE, Noun.STUDY),
        "reject": can(request.user, Action.DELETE, Noun.STUDY),
    }


def _first_query(request: HttpRequest) -> str:
    user: Any = request.user
    chosen = DefaultFilter.objects.filter(user=user).select_related("filter").first()
    return chosen.filter.query if chosen else ""


def _address(form: StudySearchForm) -> str:
    return f"{reverse('studies:list')}?{form.query or 'all=1'}"


def _next_address(form: StudySearchForm, page: Page) -> str:
    return f"{_address(form)}&after={page.next}" if page.next else ""


def _changed(rows: Any, seen: list[str]) -> list[Study]:
    """Those of the shown studies whose revision is another by now."""
    revisions = {
        int(key): int(revision)
        for key, _, revision in (one.partition("-") for one in seen)
        if key.isdecimal() and revision.isdecimal() and len(key) < 19
    }
    now = dict(rows.filter(pk__in=revisions).values_list("pk", "revision"))
    other = [key for key, revision in now.items() if revision != revisions[key]]
    return list(rows.filter(pk__in=other).prefetch_related("labels")) if other else []


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 19 else 0
