"""Signed reports."""

from typing import Any

from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import Scope
from apps.accounts.policy import visible
from apps.api import examples
from apps.api.operations import BINARY, operation
from apps.api.pages import newest_first, page_of
from apps.api.requests import read
from apps.api.shapes.reports import ReportDetailShape, ReportQuery, ReportShape
from apps.api.views.door import Door
from apps.orders.models import Order
from apps.reports.models import Report, ReportVersion
from apps.reports.querysets import RELEASED
from apps.reports.services import note_viewing


class Reports(Door):
    @operation(
        "find_reports",
        tag="reports",
        summary="Find released reports, the newest first",
        scope=Scope.API_READ,
        right="view reports",
        query=ReportQuery,
        answer=page_of(ReportShape),
        example=examples.page(examples.REPORT),
    )
    def get(self, request: Request) -> Response:
        asked = read(ReportQuery, request.query_params)
        rows = _released(self)
        if "number" in asked:
            orders: Any = Order.objects.all()
            rows = rows.filter(order__in=orders.numbered(asked["number"]))
        if "patient" in asked:
            rows = rows.filter(order__patient=asked["patient"])
        found, following = newest_first(rows, after=asked["after"], limit=asked["limit"])
        return Response({"results": ReportShape(found, many=True).data, "next": following})


class OneReport(Door):
    @operation(
        "read_report",
        tag="reports",
        summary="Read one released report with its signed versions",
        words="The journal notes that it was read.",
        scope=Scope.API_READ,
        right="view reports",
        answer=ReportDetailShape,
        example={**examples.REPORT, "versions": [examples.VERSION]},
        errors=(404,),
    )
    def get(self, request: Request, pk: int) -> Response:
        versions = Prefetch("versions", _versions(self).without_pdf())
        report = get_object_or_404(_released(self).prefetch_related(versions), pk=pk)
        for version in list(report.versions.all())[-1:]:
            note_viewing(version, origin=self.origin)
        return Response(ReportDetailShape(report).data)


class ReportPdf(Door):
    @operation(
        "download_report",
        tag="reports",
        summary="Download a signed sheet as PDF",
        words="The journal notes that it was read.",
        scope=Scope.API_READ,
        right="view reports",
        answer=BINARY,
        media_type="application/pdf",
        example=None,
        errors=(404,),
    )
    def get(self, request: Request, pk: int, number: int) -> HttpResponse:
        get_object_or_404(_released(self), pk=pk)
        version = get_object_or_404(_versions(self), report=pk, number=number)
        note_viewing(version, origin=self.origin)
        response = HttpResponse(bytes(version.pdf), content_type="application/pdf")
        response["Content-Disposition"] = f'attachment; filename="report-{pk}-{number}.pdf"'
        return response


def _released(door: Door) -> Any:
    """What was released: drafts and preliminary texts are for those who write them."""
    rows = visible(door.user, Report).filter(status__in=RELEASED)
    return rows.select_related("order")


def _versions(door: Door) -> Any:
    rows = visible(door.user, ReportVersion)
    return rows.exclude(status=ReportVersion.Status.PRELIMINARY)
