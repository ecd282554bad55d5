"""DELETE of studies, series and instances: taken out of use, with a reason; bytes stay."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from apps.accounts.policy import Action, Noun, can
from apps.audit.services import origin_of
from apps.dicomweb.exceptions import BadRequestError, GoneError
from apps.dicomweb.views.lookup import find_instance, find_series, find_study
from apps.studies.models import Rejection
from apps.studies.services import RejectedAlreadyError, Target, UnknownReasonError, reject

HEADER = "X-Openpacs-Reason"


def reject_study(request: HttpRequest, study: str) -> HttpResponse:
    """DELETE /studies/{study}"""
    return _reject(request, Target(find_study(request, study)))


def reject_series(request: HttpRequest, study: str, series: str) -> HttpResponse:
    """DELETE /studies/{study}/series/{series}"""
    row = find_series(request, study, series)
    return _reject(request, Target(row.study, row))


def reject_instance(request: HttpRequest, study: str, series: str, instance: str) -> HttpResponse:
    """DELETE /studies/{study}/series/{series}/instances/{instance}"""
    row = find_instance(request, study, series, instance)
    return _reject(request, Target(row.series.study, instance=row))


def _reject(request: HttpRequest, target: Target) -> HttpResponse:
    """204; the reason is in X-Openpacs-Reason or ?reason=, its kind in ?code=."""
    if not can(request.user, Action.DELETE, Noun.STUDY):
        raise PermissionDenied
    reason = request.headers.get(HEADER) or request.GET.get("reason", "")
    codes = dict(Rejection.Code.given())
    asked = request.GET.get("code", Rejection.Code.QUALITY)
    code = asked if asked in codes else ""
    try:
        reject(target, code=code, reason=reason, origin=origin_of(request))
    except UnknownReasonError:
        raise BadRequestError(
            f"Say why in {HEADER} or ?reason=; ?code= is one of {', '.join(codes)}."
        ) from None
    except RejectedAlreadyError:
        raise GoneError from None
    return HttpResponse(status=204)
