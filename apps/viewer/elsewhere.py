"""Opening a study elsewhere than here: in a program on the desk, at another workstation."""

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.models import User
from apps.audit.services import origin_of
from apps.viewer.facts import DICOMWEB
from apps.viewer.launching import launch
from apps.viewer.lookup import seen_study
from apps.viewer.models import Launcher


@require_GET
def menu(request: HttpRequest, study: str) -> HttpResponse:
    """A menu for the page of a study: the viewers on the desks; empty where there are none."""
    context = {
        "study": seen_study(request, study),
        "launchers": Launcher.objects.filter(active=True),
    }
    return render(request, "viewer/_elsewhere.html", context)


@require_POST
@never_cache
def launch_study(request: HttpRequest, study: str, launcher: int) -> HttpResponse:
    """Tell the page where to go: HX-Redirect, for the scheme is not one of the web's."""
    found = get_object_or_404(Launcher, pk=launcher, active=True)
    address = launch(
        found,
        seen_study(request, study),
        user=cast("User", request.user),
        dicomweb=request.build_absolute_uri(DICOMWEB),
        origin=origin_of(request),
    )
    return HttpResponse(status=204, headers={"HX-Redirect": address})


@require_GET
def send(request: HttpRequest, study: str) -> HttpResponse:
    """To the page that sends a study to a device, which knows it by its key."""
    return redirect(f"{reverse('routing:send-several')}?study={seen_study(request, study).pk}")
