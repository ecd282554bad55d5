"""Hanging a label on several studies, or taking it off."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.accounts.policy import visible
from apps.audit.services import Origin, origin_of
from apps.studies.chosen import Result, chosen_studies
from apps.studies.forms import LabelForm
from apps.studies.models import Study
from apps.studies.services import UnusableLabelError, label_study, unlabel_study


@require_http_methods(["GET", "POST"])
def label_several(request: HttpRequest) -> HttpResponse:
    """GET asks for the label and says for how many studies; POST does it and tells of each."""
    given = request.POST if request.method == "POST" else request.GET
    chosen = chosen_studies(visible(request.user, Study), given.getlist("study"))
    form = LabelForm(request.POST or None)
    context: dict[str, Any] = {"chosen": chosen, "form": form}
    if request.method == "POST" and form.is_valid() and chosen.studies:
        verb = _hang if form.cleaned_data["verb"] == "hang" else _take_off
        name, origin = form.cleaned_data["name"], origin_of(request)
        context["results"] = [_result(verb, one, name, origin) for one in chosen.studies]
        return render(request, "studies/label_several.html", context)
    return render(
        request, "studies/label_several.html", context, status=422 if form.errors else 200
    )


def _hang(study: Study, name: str, origin: Origin) -> str:
    label_study(study, name=name, origin=origin)
    return _("Bears the label.")


def _take_off(study: Study, name: str, origin: Origin) -> str:
    taken = unlabel_study(study, name=name, origin=origin)
    return _("The label is off.") if taken else _("It did not bear the label.")


def _result(
    verb: Callable[[Study, str, Origin], str], study: Study, name: str, origin: Origin
) -> Result:
    try:
        return Result(study, done=True, text=verb(study, name, origin))
    except UnusableLabelError as refusal:
        return Result(study, done=False, text=str(refusal))
