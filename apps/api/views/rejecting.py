"""Taking studies, series and instances out of use."""

from collections.abc import Callable
from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import Scope
from apps.accounts.policy import Action, visible
from apps.api import examples
from apps.api.operations import operation
from apps.api.requests import read
from apps.api.shapes.rejecting import Rejecting, RejectionShape
from apps.api.views.door import Door
from apps.studies.models import Instance, Series, Study
from apps.studies.services import Target, reject

WORDS = (
    "From then on it is shown to nobody and not found by any query. The files are kept, and "
    "people bring it back on the pages of the site."
)


def rejecting(name: str, summary: str) -> Callable[[Any], Any]:
    """The same operation for each of the three levels."""
    return operation(
        name,
        tag="studies",
        summary=summary,
        words=WORDS,
        scope=Scope.API_WRITE,
        right="delete studies",
        body=Rejecting,
        answer=RejectionShape,
        asked={"code": "113001", "reason": "the phantom of the morning test"},
        example=examples.REJECTION,
        errors=(404, 409),
    )


class _Rejecting(Door):
    def _reject(self, request: Request, target: Target) -> Response:
        self.require(Action.DELETE, target.study)
        asked = read(Rejecting, request.data)
        made = reject(target, code=asked["code"], reason=asked["reason"], origin=self.origin)
        return Response(RejectionShape(made).data)


class StudyRejecting(_Rejecting):
    @rejecting("reject_study", "Take a study out of use")
    def post(self, request: Request, study: str) -> Response:
        row = get_object_or_404(visible(self.user, Study), study_instance_uid=study)
        return self._reject(request, Target(row))


class SeriesRejecting(_Rejecting):
    @rejecting("reject_series", "Take a series out of use")
    def post(self, request: Request, study: str, series: str) -> Response:
        rows = visible(self.user, Series).select_related("study")
        within = {"study__study_instance_uid": study, "series_instance_uid": series}
        row = get_object_or_404(rows, **within)
        return self._reject(request, Target(row.study, row))


class InstanceRejecting(_Rejecting):
    @rejecting("reject_instance", "Take one instance out of use")
    def post(self, request: Request, instance: str) -> Response:
        rows = visible(self.user, Instance).select_related("series__study")
        row = get_object_or_404(rows, sop_instance_uid=instance)
        return self._reject(request, Target(row.series.study, instance=row))
