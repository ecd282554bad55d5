"""The pages of exports: asking for them, watching them, deciding on them, taking them."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.policy import Action, can, visible
from apps.audit.services import origin_of
from apps.exports.forms import OPTION_LABELS, DecisionForm, ExportForm, ProfileForm
from apps.exports.models import Export, HeldObject, Profile
from apps.exports.services import (
    ExportRefused,
    ask_for_export,
    decide,
    delete_export,
    make_profile,
    note_codes_seen,
    note_download,
    release_export,
)
from apps.exports.services.anonymising import NotNameless, changes_of
from apps.exports.services.looking import REASONS, WHY
from apps.studies.models import Instance, Study
from apps.studies.services.forms import form_of
from apps.studies.services.rendering import BusyError, thumbnail

PAGE_SIZE = 50
HELD_SHOWN = 24  # on one page: each with its picture
SAMPLES_SHOWN = 20
SMALL, LARGE = 512, 2048  # longest side of the picture of a held object


@require_GET
def export_list(request: HttpRequest) -> HttpResponse:
    rows: Any = visible(request.user, Export)
    page = Paginator(rows.newest_first(), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page_obj": page,
        "exports": page.object_list,
        "may_make_profiles": can(request.user, Action.CREATE, Export),
        "under_way": any(one.is_under_way for one in page.object_list),
    }
    part = request.headers.get("HX-Request")
    return render(request, f"exports/{'_rows' if part else 'export_list'}.html", context)


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Chosen studies (`study=<key>`, repeated) and how they are to leave.

    Posted from a list of studies it shows the form; the form itself says `kind`.
    """
    asked = request.POST if request.method == "POST" else request.GET
    studies = _studies(request, asked.getlist("study"))
    if not studies:
        messages.warning(request, _("Choose the studies that are to be exported first."))
        return redirect("studies:list")
    if "kind" not in request.POST:
        return _form_page(request, studies, ExportForm())
    form = ExportForm(request.POST)
    if not form.is_valid():
        return _form_page(request, studies, form, code=422)
    try:
        made = ask_for_export(studies, **form.wanted, origin=origin_of(request))
    except ExportRefused as refusal:
        messages.error(request, str(refusal))
        return _form_page(request, studies, form, code=409)
    return redirect("exports:detail", made.pk)


@require_GET
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    return _detail_page(request, _export(request, pk))


@require_GET
def progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The part of a page that asks for itself while the export is made."""
    export = _export(request, pk)
    response = render(request, "exports/_progress.html", _facts(request, export))
    if not export.is_under_way:
        response.headers["HX-Refresh"] = "true"
    return response


@require_GET
def download(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The file, for who asked for it and for who may see all exports."""
    export = _export(request, pk)
    if not export.is_ready:
        raise Http404
    try:
        file = export.path.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    note_download(export, origin=origin_of(request))
    response = FileResponse(
        file, as_attachment=True, filename=export.download_name, content_type=export.media_type
    )
    response.headers["Cache-Control"] = "private, no-store"
    return response


@require_GET
def preview(request: HttpRequest, pk: int, instance: int) -> HttpResponse:
    """What the profile does to one object, attribute by attribute."""
    export = _export(request, pk)
    row = _instance(export, instance)
    if export.profile is None:
        raise Http404
    try:
        changes = [(one, WHY[one.action]) for one in changes_of(row, export.profile)]
    except NotNameless:
        return HttpResponse(_("This object cannot be read whole: it will be left out."))
    context = {"changes": changes, "row": row}
    return render(request, "exports/_preview.html", context)


@require_GET
def picture(request: HttpRequest, pk: int, instance: int) -> HttpResponse:
    """The picture of a held object: one `frame`, and with `large` so that words can be read."""
    row = _instance(_export(request, pk), instance)
    asked = request.GET.get("frame", "")
    frame = int(asked) if asked.isdecimal() and len(asked) < 10 else 1
    if not 1 <= frame <= max(row.frames, 1):
        raise Http404
    side = LARGE if "large" in request.GET else SMALL
    try:
        made = thumbnail(row, frame=frame, width=side, height=side)
    except BusyError:
        return HttpResponse(status=503, headers={"Retry-After": "2"})
    response = HttpResponse(made, content_type="image/jpeg")
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response


@require_POST
def decide_on(request: HttpRequest, pk: int) -> HttpResponse:
    """Take the held objects of a page along, or leave them out."""
    export = _export(request, pk)
    keys = [int(key) for key in request.POST.getlist("held") if key.isdecimal()]
    rows = list(export.held.chosen(keys))
    forms = {row.pk: DecisionForm(request.POST, prefix=str(row.pk)) for row in rows}
    if not all(form.is_valid() for form in forms.values()):
        return _detail_page(request, export, forms=forms, code=422)
    bulk = request.POST.get("all", "")
    chosen = {
        key: bulk if bulk in HeldObject.Decision.values else form.cleaned_data["decision"]
        for key, form in forms.items()
    }
    decisions = {key: word for key, word in chosen.items() if word}
    regions = {key: form.cleaned_data["regions"] for key, form in forms.items()}
    return _decided(
        request, export, lambda: decide(export, decisions, regions, origin=origin_of(request))
    )


@require_POST
def release(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything was looked at: make it."""
    export = _export(request, pk)
    return _decided(request, export, lambda: release_export(export, origin=origin_of(request)))


@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete the file before its time."""
    export = _export(request, pk)
    return _decided(request, export, lambda: delete_export(export, origin=origin_of(request)))


@require_GET
def codes(request: HttpRequest, pk: int) -> HttpResponse:
    """Which code stands for whom; looking is journalled."""
    export = _export(request, pk)
    note_codes_seen(export, origin=origin_of(request))
    context = {"export": export, "codes": export.pseudonyms.all()}
    return render(request, "exports/codes.html", context)


@require_http_methods(["GET", "POST"])
def profiles(request: HttpRequest) -> HttpResponse:
    """The profiles of anonymised exports, and a new one."""
    form = ProfileForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        profile = make_profile(**form.cleaned_data, origin=origin_of(request))
        messages.success(request, _("Profile %(name)s was made.") % {"name": profile})
        return redirect("exports:profiles")
    rows = [(one, _option_labels(one)) for one in Profile.objects.select_related("made_by")]
    code = 422 if form.errors else 200
    return render(request, "exports/profiles.html", {"form": form, "profiles": rows}, status=code)


def _decided(request: HttpRequest, export: Export, verb: Any) -> HttpResponse:
    try:
        verb()
    except ExportRefused as refusal:
        messages.warning(request, str(refusal))
    return redirect("exports:detail", export.pk)


def _form_page(
    request: HttpRequest, studies: list[Study], form: ExportForm, *, code: int = 200
) -> HttpResponse:
    context = {
        "studies": studies,
        "form": form,
        "size": sum(study.size for study in studies),
        "images": sum(study.instance_count for study in studies),
    }
    return render(request, "exports/export_form.html", context, status=code)


def _detail_page(
    request: HttpRequest,
    export: Export,
    *,
    forms: dict[int, DecisionForm] | None = None,
    code: int = 200,
) -> HttpResponse:
    context = _facts(request, export)
    context["studies"] = export.studies.all()
    if export.status == Export.Status.HELD:
        context.update(_held_context(request, export, forms or {}))
    return render(request, "exports/export_detail.html", context, status=code)


def _facts(request: HttpRequest, export: Export) -> dict[str, Any]:
    return {
        "export": export,
        "options": _option_labels(export.profile) if export.profile else [],
        "may_delete": can(request.user, Action.DELETE, export),
        "may_see_codes": can(request.user, Action.EXPORT, Export),
    }


def _held_context(
    request: HttpRequest, export: Export, forms: dict[int, DecisionForm]
) -> dict[str, Any]:
    held: Any = export.held
    page = Paginator(held.shown(), HELD_SHOWN).get_page(request.GET.get("page"))
    return {
        "page_obj": page,
        "held": [
            (
                row,
                REASONS.get(row.reason, ""),
                forms.get(row.pk) or _decision_form(row),
                form_of(row.instance).value,
            )
            for row in page.object_list
        ],
        "undecided": held.undecided().count(),
        "held_count": page.paginator.count,
        "samples": _samples(export),
    }


def _decision_form(row: HeldObject) -> DecisionForm:
    regions = "; ".join(" ".join(map(str, region)) for region in row.regions)
    initial = {"decision": row.decision, "regions": regions}
    return DecisionForm(prefix=str(row.pk), initial=initial)


def _samples(export: Export) -> list[Instance]:
    """The first object of each series, to look at what the profile does to it."""
    rows: Any = Instance.objects.filter(series__study__in=export.studies.all())
    found = rows.representative("series_id", _series_keys(export))
    return sorted(found.values(), key=lambda row: row.pk)


def _series_keys(export: Export) -> list[int]:
    keys = export.studies.order_by("pk").values_list("series", flat=True)
    return [key for key in keys[:SAMPLES_SHOWN] if key is not None]


def _option_labels(profile: Profile) -> list[Any]:
    return [label for option, label in OPTION_LABELS.items() if option.value in profile.options]


def _studies(request: HttpRequest, keys: list[str]) -> list[Study]:
    """The studies of these keys that the user may export; another one is a 404."""
    numbers = {int(key) for key in keys if key.isdecimal() and len(key) < 19}
    rows: Any = visible(request.user, Study)
    found = list(rows.answerable().filter(pk__in=numbers).order_by("-study_date", "-id"))
    if len(found) != len(set(keys)):
        raise Http404
    return found


def _export(request: HttpRequest, pk: int) -> Export:
    rows: Any = visible(request.user, Export)
    found: Export = get_object_or_404(rows.select_related("user", "profile"), pk=pk)
    return found


def _instance(export: Export, pk: int) -> Instance:
    rows = Instance.objects.select_related("series__study")
    return get_object_or_404(rows, pk=pk, series__study__in=export.studies.all())
