"""One instance: its whole header as a tree, and its file."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_safe

from apps.accounts.policy import Action, Noun, can, visible
from apps.audit.services import origin_of
from apps.studies.models import Instance
from apps.studies.services import header_tree, note_taking, note_viewing, outgoing_file


@require_GET
def tags(request: HttpRequest, pk: int) -> HttpResponse:
    """Every attribute of an instance, as shown and as sent."""
    instance = _instance(request, pk)
    study = instance.series.study
    note_viewing(study, origin=origin_of(request))
    whole = "whole" in request.GET
    keys = list(instance.series.instances.values_list("pk", flat=True))
    place = keys.index(instance.pk)
    context = {
        "instance": instance,
        "series": instance.series,
        "study": study,
        "tree": header_tree(instance, whole=whole),
        "whole": whole,
        "place": place + 1,
        "count": len(keys),
        "previous": keys[place - 1] if place else None,
        "next": keys[place + 1] if place + 1 < len(keys) else None,
        "may_take": can(request.user, Action.EXPORT, Noun.STUDY),
    }
    return render(request, "studies/tags.html", context)


@require_safe
def file(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The file of an instance as it would be sent; who took it is journalled."""
    instance = _instance(request, pk)
    try:
        size, pieces = outgoing_file(instance)
    except OSError as error:
        raise Http404 from error
    note_taking(instance, origin=origin_of(request))
    answer = StreamingHttpResponse(pieces(), content_type="application/dicom")
    answer.headers["Content-Length"] = str(size)
    name = f"{instance.sop_instance_uid}.dcm"
    answer.headers["Content-Disposition"] = f'attachment; filename="{_plain(name)}"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _plain(name: str) -> str:
    """What devices send as a UID may hold anything."""
    return "".join(
        char if char.isascii() and (char.isalnum() or char in ".-") else "_" for char in name
    )


def _instance(request: HttpRequest, pk: int) -> Instance:
    rows: Any = visible(request.user, Instance).defer("frame_table")
    found: Instance = get_object_or_404(rows.select_related("series__study"), pk=pk)
    return found
