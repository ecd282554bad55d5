"""The pages of transfers: what is on its way, what was given up, what to do about it."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.policy import Action, can, visible
from apps.audit.services import origin_of
from apps.routing.answers import plain
from apps.routing.forms import (
    DropForm,
    OtherDestinationForm,
    SendForm,
    SendSeveralForm,
    TransferFilterForm,
)
from apps.routing.models import Transfer
from apps.routing.services import SendingRefused, ask_to_send, change_destination, drop, send_again
from apps.studies.chosen import Result, chosen_studies
from apps.studies.models import Study
from apps.worklist.models import Device

PAGE_SIZE = 50
SHOWN_OF_STUDY = 10  # transfers on the page of a study, the newest
SHOWN_REFUSED = 100  # refused images on the page of a transfer


@require_GET
def transfer_list(request: HttpRequest) -> HttpResponse:
    form = TransferFilterForm(request.GET)
    all_rows: Any = visible(request.user, Transfer)
    rows = form.narrowed(all_rows).with_names().order_by("-id")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    counts = all_rows.counts()
    context = {
        "form": form,
        "page_obj": page,
        "transfers": page.object_list,
        "given_up": sum(counts.get(status, 0) for status in Transfer.GIVEN_UP),
        "under_way": sum(counts.get(status, 0) for status in Transfer.UNDER_WAY),
        "narrowed": any(request.GET.get(name) for name in form.fields),
        **_rights(request),
    }
    return render(request, "routing/transfer_list.html", context)


@require_GET
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, _transfer(request, pk))


@require_GET
def given_up_count(request: HttpRequest) -> HttpResponse:
    """How many transfers were given up: the number in the navigation."""
    rows: Any = visible(request.user, Transfer)
    return render(request, "routing/_given_up_count.html", {"count": rows.given_up().count()})


@require_POST
def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Back into the queue."""
    transfer = _transfer(request, pk)
    return _decided(
        request,
        lambda: send_again(transfer, origin=origin_of(request)),
        said=_("It will be sent again."),
        pk=pk,
    )


@require_POST
def elsewhere(request: HttpRequest, pk: int) -> HttpResponse:
    """To another device."""
    transfer, form = _transfer(request, pk), OtherDestinationForm(request.POST)
    if not form.is_valid():
        return _page(request, transfer, destination_form=form, code=422)
    device = form.cleaned_data["destination"]
    return _decided(
        request,
        lambda: change_destination(transfer, destination=device, origin=origin_of(request)),
        said=_("It will be sent to %(device)s.") % {"device": device},
        pk=pk,
    )


@require_POST
def let_go(request: HttpRequest, pk: int) -> HttpResponse:
    """Not at all, and why."""
    transfer, form = _transfer(request, pk), DropForm(request.POST)
    if not form.is_valid():
        return _page(request, transfer, drop_form=form, code=422)
    reason = form.cleaned_data["reason"]
    return _decided(
        request,
        lambda: drop(transfer, reason=reason, origin=origin_of(request)),
        said=_("It was dropped."),
        pk=pk,
    )


@require_GET
def study_panel(request: HttpRequest, study: int) -> HttpResponse:
    """The panel of a study's page: send it, and what became of that."""
    found = get_object_or_404(visible(request.user, Study), pk=study)
    context = _of_study(request, found)
    if context["may_send"]:
        context["form"] = SendForm(found)
    return render(request, "routing/_study_panel.html", context)


@require_GET
def study_transfers(request: HttpRequest, study: int) -> HttpResponse:
    """The transfers of a study; asks for itself while something is under way."""
    found = get_object_or_404(visible(request.user, Study), pk=study)
    return render(request, "routing/_study_transfers.html", _of_study(request, found))


@require_POST
def send(request: HttpRequest, study: int) -> HttpResponse:
    """Send a study, or some of its series, to a device."""
    found = get_object_or_404(visible(request.user, Study), pk=study)
    form = SendForm(found, request.POST)
    if not form.is_valid():
        for reasons in form.errors.values():
            messages.error(request, str(reasons[0]))
        return redirect("studies:detail", study)
    _send(request, found, **form.cleaned_data)
    return redirect("studies:detail", study)


@require_http_methods(["GET", "POST"])
def send_several(request: HttpRequest) -> HttpResponse:
    """GET says how many studies (`study`) it is and asks where to; POST sends and tells of each."""
    given = request.POST if request.method == "POST" else request.GET
    chosen = chosen_studies(visible(request.user, Study), given.getlist("study"))
    form = SendSeveralForm(request.POST or None)
    context: dict[str, Any] = {"chosen": chosen, "form": form}
    if request.method == "POST" and form.is_valid():
        context["results"] = [_sent(request, form, study) for study in chosen.studies]
    code = 422 if form.errors else 200
    return render(request, "routing/send_several.html", context, status=code)


def _sent(request: HttpRequest, form: SendSeveralForm, study: Study) -> Result:
    device = form.cleaned_data["destination"]
    key, origin = form.key_for(study), origin_of(request)
    try:
        queued = ask_to_send(study, destinations=[device], key=key, origin=origin)
    except SendingRefused as refusal:
        return Result(study, done=False, text=str(refusal))
    said = _("It is being sent to %(device)s.") if queued else _("It was asked for already.")
    return Result(study, done=True, text=said % {"device": device})


def _send(
    request: HttpRequest, study: Study, *, destination: Device, series: Any, key: uuid.UUID
) -> None:
    try:
        ask_to_send(
            study, destinations=[destination], series=series, key=key, origin=origin_of(request)
        )
    except SendingRefused as refusal:
        messages.error(request, str(refusal))
        return
    messages.success(request, _("It is being sent to %(device)s.") % {"device": destination})


def _decided(request: HttpRequest, verb: Any, *, said: str, pk: int) -> HttpResponse:
    try:
        verb()
        messages.success(request, said)
    except SendingRefused as refusal:
        messages.warning(request, str(refusal))
    return redirect("routing:detail", pk)


def _page(
    request: HttpRequest,
    transfer: Transfer,
    *,
    destination_form: OtherDestinationForm | None = None,
    drop_form: DropForm | None = None,
    code: int = 200,
) -> HttpResponse:
    refused = transfer.items.filter(arrived=False).select_related("instance")
    refused = refused.only("answer", "transfer", "instance__sop_instance_uid")
    context = {
        "transfer": transfer,
        "series": transfer.series.all(),
        "refused": [(item.instance, plain(item.answer)) for item in refused[:SHOWN_REFUSED]],
        "destination_form": destination_form or OtherDestinationForm(),
        "drop_form": drop_form or DropForm(),
        **_rights(request),
    }
    return render(request, "routing/transfer_detail.html", context, status=code)


def _of_study(request: HttpRequest, study: Study) -> dict[str, Any]:
    rows: Any = visible(request.user, Transfer)
    transfers = list(rows.filter(study=study).with_names().order_by("-id")[:SHOWN_OF_STUDY])
    return {
        "study": study,
        "transfers": transfers,
        "under_way": any(one.is_under_way for one in transfers),
        "may_see": can(request.user, Action.VIEW, Transfer),
        "may_send": can(request.user, Action.EXPORT, study),
    }


def _rights(request: HttpRequest) -> dict[str, bool]:
    return {
        "may_change": can(request.user, Action.CHANGE, Transfer),
        "may_drop": can(request.user, Action.DELETE, Transfer),
        "may_see_studies": can(request.user, Action.VIEW, Study),
    }


def _transfer(request: HttpRequest, pk: int) -> Transfer:
    rows: Any = visible(request.user, Transfer)
    found: Transfer = get_object_or_404(rows.with_names(), pk=pk)
    return found
