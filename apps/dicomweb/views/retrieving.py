"""WADO-RS: studies, series and instances as files (PS3.18 10.4.1.1.1)."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from apps.dicomweb.answers import instance_address
from apps.dicomweb.caching import etag_of, kept
from apps.dicomweb.methods import Description, described
from apps.dicomweb.multipart import bare_response, multipart_response, multipart_stream
from apps.dicomweb.negotiation import DICOM, STORED, Choice, choose_for_files
from apps.dicomweb.parts import Part, held_part
from apps.dicomweb.pixels import file_part, sent_as, transcoded_file
from apps.dicomweb.views import archives
from apps.dicomweb.views.lookup import find_instance, find_series, find_study, note, root
from apps.studies.models import Instance

FILES = Description(("accept",), (f'multipart/related; type="{DICOM}"', DICOM, archives.ZIP))


@described(FILES)
@require_safe
def retrieve_study(request: HttpRequest, study: str) -> HttpResponseBase:
    """GET /studies/{study}"""
    if archives.wants_archive(request):
        return archives.study_archive(request, study)
    row = find_study(request, study)
    note(request, row)
    rows = Instance.objects.filter(series__study=row)
    return _files(request, rows.select_related("series__study").order_by("series", "id"))


@described(FILES)
@require_safe
def retrieve_series(request: HttpRequest, study: str, series: str) -> HttpResponseBase:
    """GET /studies/{study}/series/{series}"""
    if archives.wants_archive(request):
        return archives.series_archive(request, study, series)
    row = find_series(request, study, series)
    note(request, row.study)
    return _files(request, row.instances.select_related("series__study").order_by("id"))


@described(FILES)
@require_safe
def retrieve_instance(
    request: HttpRequest, study: str, series: str, instance: str
) -> HttpResponseBase:
    """GET .../instances/{instance}: multipart, or bare for `application/dicom`"""
    if archives.wants_archive(request):
        return archives.instance_archive(request, study, series, instance)
    row = find_instance(request, study, series, instance, light=True)
    note(request, row.series.study)
    choice = choose_for_files(request, [row.transfer_syntax_uid], single=True)
    etag = etag_of(row.sha256, row.overlay, choice)

    def answer() -> HttpResponseBase:
        part = ready_file(row, choice)
        if choice.multipart:
            return multipart_response(DICOM, [part])
        return bare_response(request, part, etag)

    return kept(request, etag, answer)


def ready_file(row: Instance, choice: Choice) -> Part:
    """The file of one instance, transcoded before the answer begins, so that it can fail."""
    syntax = sent_as(row, choice.transfer_syntax)
    part = file_part(row, syntax)
    if part.length is not None:
        return part
    return held_part(transcoded_file(row, syntax), part.content_type)


def _files(request: HttpRequest, rows: "QuerySet[Instance]") -> HttpResponseBase:
    """Many files, each read when its turn comes.

    One that cannot be transcoded cuts the answer short: nobody is to believe it was whole.
    """
    light: Any = rows
    light = light.answerable().light()
    syntaxes = set(light.order_by().values_list("transfer_syntax_uid", flat=True).distinct())
    if not syntaxes:
        raise Http404
    choice = choose_for_files(request, syntaxes, single=False)
    if choice.transfer_syntax == STORED or syntaxes == {choice.transfer_syntax}:
        return multipart_response(DICOM, list(_parts(light, choice)))
    return multipart_stream(DICOM, _parts(light, choice))


def _parts(rows: "QuerySet[Instance]", choice: Choice) -> Iterator[Part]:
    address = root()
    for row in rows.iterator(chunk_size=200):
        series = row.series
        study_uid = series.study.study_instance_uid
        uids = (study_uid, series.series_instance_uid, row.sop_instance_uid)
        syntax = sent_as(row, choice.transfer_syntax)
        yield file_part(row, syntax, instance_address(address, *uids))
