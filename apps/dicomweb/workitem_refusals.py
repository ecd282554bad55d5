"""The one table from refusals of workitems to the answers of UPS-RS (PS3.18 11.4 to 11.12)."""

import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase

from apps.dicomweb.telling import warn
from apps.workitems import services
from apps.workitems.services import WorkitemRefused

_UPDATE_CONFLICT = "The submitted request is inconsistent with the current state of the Workitem."
_STATE_CONFLICT = "The submitted request is inconsistent with the state of the UPS Instance."
# Status, and the text of the Warning header where the standard has one.
_ANSWERS: dict[type[WorkitemRefused], tuple[int, str]] = {
    services.WorkitemExists: (409, ""),
    services.WorkitemInvalid: (400, ""),
    services.WorkitemFinal: (400, _UPDATE_CONFLICT),
    services.WorkitemUnclaimed: (409, "The target URI did not reference a claimed Workitem."),
    services.TransactionMissing: (400, "The Transaction UID is missing."),
    services.TransactionWrong: (400, "The Transaction UID is incorrect."),
    services.StateRefused: (409, _STATE_CONFLICT),
    services.FinalStateUnmet: (409, _STATE_CONFLICT),
    services.WorkitemOfExam: (403, ""),
    services.NobodyToAsk: (409, ""),
    services.NotSubscribed: (404, ""),
}


def refusals_told(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Turn refusals of workitems into JSON answers with the Warning of the standard."""

    @functools.wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except WorkitemRefused as refusal:
            status, warning = _ANSWERS[type(refusal)]
            response = JsonResponse({"error": str(refusal)}, status=status)
            if warning:
                warn(request, response, warning)
            return response

    return wrapped
