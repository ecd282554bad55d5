"""UPS-RS: the worklist and its workitems (PS3.18 11.4 to 11.9)."""

from typing import Any

from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse

from apps.accounts.policy import Action, Noun, can, visible
from apps.audit.services import origin_of
from apps.dicom.uids import valid_uid
from apps.dicomweb.exceptions import BadRequestError
from apps.dicomweb.formats import MEDIA_TYPES, chosen_format
from apps.dicomweb.methods import Description, described
from apps.dicomweb.telling import NOT_SUPPORTED, warn
from apps.dicomweb.workitem_bodies import read_dataset
from apps.dicomweb.workitem_queries import parse_search
from apps.patients.services import note_viewing
from apps.workitems import services
from apps.workitems.attributes import STATE, TRANSACTION, text_of
from apps.workitems.models import Workitem
from apps.workitems.querysets import MATCHED

SEARCH = Description(
    parameters=(*sorted(MATCHED), "includefield", "limit", "offset", "fuzzymatching"),
    media_types=MEDIA_TYPES,
)
VIEWED_SECONDS = 600  # within which looking again is not journalled again
REQUESTER = "DICOMWEB"  # who asks for a cancellation without saying who it is
_ALREADY = "The UPS is already in the requested state of {}."


@described(SEARCH)
def search(request: HttpRequest) -> HttpResponseBase:
    """GET /workitems: 200 all, 206 a page of them, 204 none (table 11.9.3-1)"""
    write = chosen_format(request)  # refused before anything is looked for
    query = parse_search(request.GET)
    rows: Any = visible(request.user, Workitem)
    rows = rows.matching(query.keys, fuzzy=query.fuzzy)
    # One more than asked for tells whether there are more.
    page = list(
        rows.order_by("scheduled_start", "pk").values_list("attributes", flat=True)[
            query.offset : query.offset + query.limit + 1
        ]
    )
    response = write([query.answer(one) for one in page[: query.limit]]) if page else bare(204)
    if len(page) > query.limit:
        response.status_code = 206
    for name, kind in query.without.items():
        warn(request, response, NOT_SUPPORTED.format(name, kind))
    return response


def create(request: HttpRequest) -> HttpResponse:
    """POST /workitems?{uid}: 201, with the address of the new workitem (11.4)"""
    _require(request, Action.CREATE)
    uid = _query_uid(request, "workitem", "affectedsopinstanceuid", "sopinstanceuid")
    created = services.create_workitem(read_dataset(request), uid=uid, origin=origin_of(request))
    response = bare(201)
    response["Location"] = response["Content-Location"] = _address(created.workitem)
    if created.modified:
        warn(request, response, "The Workitem was created with modifications.")
    return response


@described(Description(media_types=MEDIA_TYPES))
def retrieve(request: HttpRequest, uid: str) -> HttpResponseBase:
    """GET /workitems/{uid} (11.5)"""
    row = find(request, uid)
    response = chosen_format(request)([row.attributes])
    response["Content-Location"] = _address(row)
    response["ETag"] = f'"{row.pk}-{row.revision}"'
    _note(request, row)
    return response


def update(request: HttpRequest, uid: str) -> HttpResponse:
    """POST /workitems/{uid}?{transaction UID} (11.6)"""
    _require(request, Action.CHANGE)
    row = find(request, uid)
    changes = read_dataset(request)
    given = _query_uid(request, "transaction-uid", "transactionuid", "00081195")
    inside = text_of(changes, TRANSACTION)
    if given and inside and given != inside:
        raise BadRequestError("TransactionUID: another one in the address than in the body")
    row = services.change_workitem(
        row, changes, transaction_uid=given or inside, origin=origin_of(request)
    )
    response = bare(200)
    response["Content-Location"] = _address(row)
    return response


def change_state(request: HttpRequest, uid: str) -> HttpResponse:
    """PUT /workitems/{uid}/state (11.7)"""
    row = find(request, uid)
    wanted = read_dataset(request)
    state = text_of(wanted, STATE)
    changed = services.change_state(
        row,
        state=state,
        transaction_uid=text_of(wanted, TRANSACTION),
        origin=origin_of(request),
    )
    response = bare(200)
    if not changed:
        warn(request, response, _ALREADY.format(state))
    return response


def request_cancellation(request: HttpRequest, uid: str) -> HttpResponse:
    """POST /workitems/{uid}/cancelrequest: 202 (11.8)"""
    row = find(request, uid)
    asked = services.request_cancellation(
        row,
        read_dataset(request, optional=True),
        requester=request.GET.get("requester", "").strip()[:16] or REQUESTER,
        origin=origin_of(request),
    )
    response = bare(202)
    if not asked:
        warn(request, response, _ALREADY.format("CANCELED"))
    return response


def find(request: HttpRequest, uid: str) -> Workitem:
    return get_object_or_404(visible(request.user, Workitem), sop_instance_uid=uid)


def bare(status: int) -> HttpResponse:
    """An answer without a payload."""
    response = HttpResponse(status=status)
    del response["Content-Type"]
    return response


def _require(request: HttpRequest, action: Action) -> None:
    """The route lets in who may look; writing asks the policy once more."""
    if not can(request.user, action, Noun.WORKITEM):
        raise PermissionDenied


def _query_uid(request: HttpRequest, *names: str) -> str:
    """A UID of the address, by one of its names or bare: `?1.2.3` (PS3.18 11.4.1, 11.6.1)."""
    for name in request.GET:
        value = request.GET.get(name, "")
        text = value if name.lower() in names else name if not value else ""
        if text and not valid_uid(text):
            raise BadRequestError(f"{names[0]}: not a UID")
        if text:
            return text
    return ""


def _address(row: Workitem) -> str:
    return reverse("dicomweb:workitem", args=[row.sop_instance_uid])


def _note(request: HttpRequest, row: Workitem) -> None:
    """Journal that somebody looked at the patient, once in ten minutes."""
    key = f"workitem-viewed-{request.user.pk}-{row.patient_id}"
    if row.patient is not None and cache.add(key, 1, VIEWED_SECONDS):
        note_viewing(row.patient, origin=origin_of(request))
