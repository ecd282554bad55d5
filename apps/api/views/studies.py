"""Studies: found, looked into, labelled, matched, sent."""

from collections.abc import Iterable
from typing import Any

from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import Scope
from apps.accounts.policy import Action, can, visible
from apps.api import examples
from apps.api.operations import BINARY, operation
from apps.api.pages import newest_first, page_of
from apps.api.requests import Page, read
from apps.api.shapes.studies import (
    InstanceShape,
    LabelShape,
    Matching,
    SeriesShape,
    StudyQuery,
    StudySearch,
    StudyShape,
)
from apps.api.views.door import Door
from apps.dicom.keys import Key, Terms, make_key
from apps.orders.models import Order, RequestedProcedure
from apps.studies.conditions import SERIES_KEYS, STUDY_KEYS
from apps.studies.datasets import Level
from apps.studies.models import Instance, Label, Series, Study
from apps.studies.services import (
    label_study,
    match_study,
    note_viewing,
    outgoing_file,
    unlabel_study,
)
from apps.studies.services.querying import note_query


class Studies(Door):
    @operation(
        "list_studies",
        tag="studies",
        summary="Find studies, the newest first",
        words="Keys that say who somebody is are asked for with a POST to `studies/search`.",
        scope=Scope.API_READ,
        right="view studies",
        query=StudyQuery,
        answer=page_of(StudyShape),
        example=examples.page(examples.STUDY),
    )
    def get(self, request: Request) -> Response:
        return Response(_found(self, read(StudyQuery, request.query_params)))


class StudySearching(Door):
    @operation(
        "find_studies",
        tag="studies",
        summary="Find studies by any key",
        scope=Scope.API_READ,
        right="view studies",
        body=StudySearch,
        answer=page_of(StudyShape),
        asked={"PatientName": "DOE^*", "StudyDate": "20260101-", "label": ["teaching"]},
        example=examples.page(examples.STUDY),
    )
    def post(self, request: Request) -> Response:
        return Response(_found(self, read(StudySearch, request.data)))


class OneStudy(Door):
    @operation(
        "read_study",
        tag="studies",
        summary="Read one study",
        words="The journal notes that it was read.",
        scope=Scope.API_READ,
        right="view studies",
        answer=StudyShape,
        example=examples.STUDY,
        errors=(404,),
    )
    def get(self, request: Request, study: str) -> Response:
        row = find_study(self, study)
        note_viewing(row, origin=self.origin)
        return Response(_shown(self, row).data)


class SeriesOfStudy(Door):
    @operation(
        "list_series",
        tag="studies",
        summary="List the series of a study",
        scope=Scope.API_READ,
        right="view studies",
        query=Page,
        answer=page_of(SeriesShape),
        example=examples.page(examples.SERIES),
        errors=(404,),
    )
    def get(self, request: Request, study: str) -> Response:
        asked = read(Page, request.query_params)
        rows = visible(self.user, Series).filter(study=find_study(self, study))
        found, following = newest_first(rows, after=asked["after"], limit=asked["limit"])
        return Response({"results": SeriesShape(found, many=True).data, "next": following})


class InstancesOfSeries(Door):
    @operation(
        "list_instances",
        tag="studies",
        summary="List the instances of a series",
        scope=Scope.API_READ,
        right="view studies",
        query=Page,
        answer=page_of(InstanceShape),
        example=examples.page(examples.INSTANCE),
        errors=(404,),
    )
    def get(self, request: Request, study: str, series: str) -> Response:
        asked = read(Page, request.query_params)
        series_rows = visible(self.user, Series).filter(study__study_instance_uid=study)
        row = get_object_or_404(series_rows, series_instance_uid=series)
        rows: Any = visible(self.user, Instance)
        rows = rows.filter(series=row).light()
        found, following = newest_first(rows, after=asked["after"], limit=asked["limit"])
        return Response({"results": InstanceShape(found, many=True).data, "next": following})


class File(Door):
    throttle_classes: tuple[Any, ...] = ()  # as many as there are images, as under DICOMweb

    @operation(
        "download_instance",
        tag="studies",
        summary="Download the DICOM file of an instance",
        words="With the corrections made since it came.",
        scope=Scope.API_READ,
        right="view studies",
        answer=BINARY,
        media_type="application/dicom",
        example=None,
        errors=(404, 503),
        uncounted=True,
    )
    def get(self, request: Request, instance: str) -> StreamingHttpResponse:
        rows = visible(self.user, Instance).select_related("series__study")
        row = get_object_or_404(rows, sop_instance_uid=instance)
        size, chunks = outgoing_file(row)
        note_viewing(row.series.study, origin=self.origin)
        response = StreamingHttpResponse(chunks(), content_type="application/dicom")
        response["Content-Length"] = str(size)
        name = "".join(char for char in row.sop_instance_uid if char in "0123456789.")
        response["Content-Disposition"] = f'attachment; filename="{name}.dcm"'
        return response


class Labels(Door):
    @operation(
        "list_labels",
        tag="studies",
        summary="List the labels there are",
        scope=Scope.API_READ,
        right="view studies",
        query=Page,
        answer=page_of(LabelShape),
        example=examples.page(examples.LABEL),
    )
    def get(self, request: Request) -> Response:
        asked = read(Page, request.query_params)
        rows = Label.objects.all()
        found, following = newest_first(rows, after=asked["after"], limit=asked["limit"])
        return Response({"results": LabelShape(found, many=True).data, "next": following})


class StudyLabels(Door):
    """Who may add to a study may label it: who reads and who makes images, not who refers."""

    @operation(
        "label_study",
        tag="studies",
        summary="Hang a label on a study",
        words="Safe to repeat. A label of a new name is made.",
        scope=Scope.API_WRITE,
        right="create studies",
        answer=LabelShape,
        example=examples.LABEL,
        errors=(404, 422),
    )
    def put(self, request: Request, study: str, label: str) -> Response:
        row = self._labelled(study)
        return Response(LabelShape(label_study(row, name=label, origin=self.origin)).data)

    @operation(
        "unlabel_study",
        tag="studies",
        summary="Take a label off a study",
        words="Safe to repeat.",
        scope=Scope.API_WRITE,
        right="create studies",
        status=204,
        answer=None,
        example=None,
        errors=(404,),
    )
    def delete(self, request: Request, study: str, label: str) -> Response:
        unlabel_study(self._labelled(study), name=label, origin=self.origin)
        return Response(status=204)

    def _labelled(self, study: str) -> Study:
        row = find_study(self, study)
        self.require(Action.CREATE, row)
        return row


class StudyMatching(Door):
    @operation(
        "match_study",
        tag="studies",
        summary="Say which order a study belongs to",
        scope=Scope.API_WRITE,
        right="change studies",
        body=Matching,
        answer=StudyShape,
        asked={"accession_number": "A0000017", "reason": "the number was mistyped"},
        example=examples.STUDY,
        errors=(404,),
    )
    def post(self, request: Request, study: str) -> Response:
        row = find_study(self, study)
        self.require(Action.CHANGE, row)
        asked = read(Matching, request.data)
        procedure = _procedure(self, asked)
        match_study(row, procedure=procedure, reason=asked["reason"], origin=self.origin)
        return Response(_shown(self, find_study(self, study)).data)


def find_study(door: Door, study: str) -> Study:
    rows = _told(visible(door.user, Study))
    row: Study = get_object_or_404(rows, study_instance_uid=study)
    return row


def _told(rows: Any) -> Any:
    return rows.prefetch_related("labels", "procedures__order")


def _found(door: Door, asked: dict[str, Any]) -> dict[str, Any]:
    """A page of studies; `next` is the place of its last row in the order of dates."""
    if asked["label"]:
        door.require(Action.VIEW, Label)
    keys, limit = _keys(asked), asked["limit"]
    rows: Any = visible(door.user, Study)
    rows = rows.answerable().matching(keys, Terms(fuzzy=asked["fuzzy"]))
    rows = rows.labelled(asked["label"])
    if "match" in asked:
        rows = rows.filter(match=asked["match"])
    found = _told(rows).newest_first(after=asked["after"], limit=limit + 1)
    following = found[limit - 1].page_key if len(found) > limit else None
    shown = found[:limit]
    note_query(level=Level.STUDY, keys=keys, count=len(shown), origin=door.origin)
    return {"results": _shown(door, shown, many=True).data, "next": following}


def _shown(door: Door, studies: Any, *, many: bool = False) -> Any:
    """Labels are words within the department: shown to who may see its vocabulary."""
    context = {"labels": can(door.user, Action.VIEW, Label)}
    return StudyShape(studies, many=many, context=context)


def _keys(asked: dict[str, Any]) -> list[Key]:
    known: Iterable[str] = (name for name in asked if name in STUDY_KEYS or name in SERIES_KEYS)
    return [make_key([name], asked[name].split("\\")) for name in known]


def _procedure(door: Door, asked: dict[str, Any]) -> RequestedProcedure:
    """The procedure that is meant; raises ValidationError where none or several may be."""
    orders = visible(door.user, Order).filter(accession_number__iexact=asked["accession_number"])
    rows = RequestedProcedure.objects.filter(order__in=orders).select_related("order__patient")
    if "procedure" in asked:
        rows = rows.filter(identifier=asked["procedure"])
    found = list(rows.order_by("id")[:2])
    if not found:
        raise ValidationError({"accession_number": ["No order has this number."]})
    if len(found) > 1:
        raise ValidationError({"procedure": ["Several procedures have this number: name one."]})
    return found[0]
