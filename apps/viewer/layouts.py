"""The viewer's own requests: layouts that fit a study, keeping them, keeping habits."""

import functools
import json
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import F
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.policy import visible
from apps.audit.services import origin_of
from apps.studies.models import Study
from apps.studies.services import of_patient_of
from apps.viewer.forms import LayoutForm
from apps.viewer.lookup import seen_study
from apps.viewer.models import HangingProtocol
from apps.viewer.services import (
    keep_preferences,
    may_change,
    may_share,
    remove_layout,
    save_layout,
)
from apps.viewer.shapes import MAX_BYTES, HabitsShape, checked

View = Callable[..., HttpResponseBase]
LOOKED_AT = 50  # earlier studies of a patient, for one that can be compared


def refusing(view: View) -> View:
    """What was sent and is not as it should be is answered with 400 and its faults."""

    @functools.wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except ValidationError as refusal:
            return JsonResponse({"errors": refusal.messages}, status=400)

    return answered


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@refusing
def layouts(request: HttpRequest) -> HttpResponseBase:
    """GET: the layouts for `?study=UID`, the best first. POST: keep one."""
    return keep(request) if request.method == "POST" else fitting(request)


def fitting(request: HttpRequest) -> JsonResponse:
    user: Any = request.user
    study = seen_study(request, request.GET.get("study", ""))
    rows = HangingProtocol.objects.usable_by(user).fitting(study).best_first(user)
    return JsonResponse(
        {
            "layouts": [shown(row, user) for row in rows.select_related("procedure")],
            "modalities": study.modality_list,
            "procedures": list(study.procedures.values("meaning", key=F("procedure")).distinct()),
            "prior": prior_of(user, study),
        }
    )


def keep(request: HttpRequest) -> JsonResponse:
    """Keep the layout that was sent as one's own or, where one may, as everybody's."""
    user: Any = request.user
    form = LayoutForm(sent(request))
    if not form.is_valid():
        raise ValidationError([str(one) for told in form.errors.values() for one in told])
    wanted = dict(form.cleaned_data)
    for_everybody = wanted.pop("for_everybody")
    if for_everybody and not may_share(user):
        raise PermissionDenied
    owner = None if for_everybody else user
    row = save_layout(owner, **wanted, origin=origin_of(request))
    return JsonResponse(shown(row, user), status=201)


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Forget one's own layout, or everybody's where one may."""
    user: Any = request.user
    row = get_object_or_404(HangingProtocol.objects.usable_by(user), pk=pk)
    if not may_change(user, row):
        raise PermissionDenied
    remove_layout(row, origin=origin_of(request))
    return JsonResponse({})


@require_POST
@refusing
def preferences(request: HttpRequest) -> HttpResponseBase:
    """Keep what has changed of one's habits."""
    user: Any = request.user
    changes = checked(HabitsShape, sent(request))
    keep_preferences(user, changes, origin=origin_of(request))
    return JsonResponse({})


def sent(request: HttpRequest) -> dict[str, Any]:
    """The JSON object of a request; raises ValidationError."""
    if len(request.body) > MAX_BYTES:
        raise ValidationError(_("This is too large to be kept."))
    try:
        given = json.loads(request.body)
    except ValueError as error:
        raise ValidationError(_("This is not JSON.")) from error
    if not isinstance(given, dict):
        raise ValidationError(_("This is not a JSON object."))
    return given


def shown(row: HangingProtocol, user: Any) -> dict[str, Any]:
    """A layout as the viewer is told of it."""
    return {
        "key": row.pk,
        "name": row.name,
        "modality": row.modality,
        "procedure": row.procedure.meaning if row.procedure else "",
        "everybody": row.owner_id is None,
        "isDefault": row.is_default,
        "mayRemove": may_change(user, row),
        "weight": getattr(row, "weight", 1),
        "layout": row.layout,
    }


def prior_of(user: Any, study: Study) -> str | None:
    """The UID of the newest earlier study of the patient that shares a modality, if any."""
    if study.study_date is None:
        return None
    others = visible(user, Study).filter(of_patient_of(study)).exclude(pk=study.pk)
    earlier = others.filter(study_date__lte=study.study_date)
    wanted = set(study.modality_list)
    for other in earlier.order_by("-study_date", "-study_time", "-pk")[:LOOKED_AT]:
        if wanted & set(other.modality_list):
            return other.study_instance_uid
    return None
