"""Placing orders, moving them through their states, cancelling them."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, fields

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.dicom.uids import new_uid, valid_uid
from apps.orders.models import Order, Procedure, Referrer, RequestedProcedure
from apps.patients.models import Issuer, Patient
from apps.patients.services import issue_number, minting_issuer

S = Order.Status
# Where an order may go from each state. PERFORMED without a start: a device without MPPS
# just sends its images. REPORTED is reached from DISCONTINUED too: a stopped exam is read.
# Back from IN_PROGRESS to SCHEDULED: the wrong worklist entry was picked (CID 9300, 110514);
# from PERFORMED to REQUESTED: the images were another's.
TRANSITIONS: dict[str, frozenset[str]] = {
    S.REQUESTED: frozenset(
        {S.SCHEDULED, S.IN_PROGRESS, S.PERFORMED, S.REPORTED, S.HELD, S.DISCONTINUED}
    ),
    S.SCHEDULED: frozenset(
        {S.REQUESTED, S.IN_PROGRESS, S.PERFORMED, S.REPORTED, S.HELD, S.DISCONTINUED}
    ),
    S.HELD: frozenset({S.REQUESTED, S.SCHEDULED, S.DISCONTINUED}),
    S.IN_PROGRESS: frozenset({S.SCHEDULED, S.PERFORMED, S.REPORTED, S.DISCONTINUED}),
    S.PERFORMED: frozenset({S.REQUESTED, S.IN_PROGRESS, S.REPORTED, S.DISCONTINUED}),
    S.DISCONTINUED: frozenset({S.IN_PROGRESS, S.REPORTED}),
    S.REPORTED: frozenset(),
    S.CANCELLED: frozenset(),
}
CANCELLABLE = frozenset({S.REQUESTED, S.SCHEDULED, S.HELD})


class OrderRefused(ValueError):
    """Base of every refusal in this room; its text may be shown to a person."""


class OrderInvalid(OrderRefused):
    """The order cannot be stored as it is; `fields` maps a field name to its messages."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self.fields = fields
        told = (f"{name}: {' '.join(messages)}" for name, messages in fields.items())
        super().__init__("; ".join(told))


class AccessionTaken(OrderRefused):
    """The accession number, placer number or a UID belongs to another order."""


class TransitionRefused(OrderRefused):
    """An order does not go from this state to that one."""

    def __init__(self, order: Order, *, to: str) -> None:
        self.order, self.to = order, to
        super().__init__(
            _("Order %(order)s is %(status)s and cannot become %(to)s.")
            % {"order": order, "status": order.get_status_display(), "to": S(to).label}
        )


class CancelRefused(OrderRefused):
    """The exam has begun or is over: too late to cancel."""

    def __init__(self, order: Order) -> None:
        self.order = order
        super().__init__(
            _("Order %(order)s is %(status)s and cannot be cancelled any more.")
            % {"order": order, "status": order.get_status_display()}
        )


@dataclass(frozen=True, kw_only=True)
class OrderDetails:
    """What an order says beside its procedures; `requested_at` None means now."""

    priority: str = Order.Priority.ROUTINE.value
    reason: str = ""
    clinical_information: str = ""
    referrer: Referrer | None = None
    placer_number: str = ""
    placer_namespace: str = ""
    filler_number: str = ""
    visit_number: str = ""
    patient_class: str = ""
    patient_location: str = ""
    patient_state: str = ""
    transport: str = ""
    requested_at: datetime.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    """One procedure asked for; UID and identifier are minted where none is given."""

    procedure: Procedure
    study_instance_uid: str = ""
    identifier: str = ""
    laterality: str = ""


def place_order(
    patient: Patient,
    *,
    requests: Sequence[Request],
    details: OrderDetails,
    accession_number: str = "",
    origin: Origin,
) -> Order:
    """Enter an order with its procedures; mints the accession number where none is given.

    Raises OrderInvalid, or AccessionTaken where a number or UID is in use already.
    """
    _check_requests(requests)
    with transaction.atomic():
        order = _new_order(patient, details, accession_number.strip())
        _store(order, requests)
        audit.record(
            Kind.ORDER_PLACED,
            order,
            origin=origin,
            patient_id=patient.pk,
            accession_number=order.accession_number,
        )
    return order


def cancel_order(order: Order, *, reason: str, origin: Origin) -> Order:
    """Cancel an order that has not begun; raises CancelRefused once it has."""
    if not reason.strip():
        raise OrderInvalid({"reason": [_("Say why the order is cancelled.")]})
    with transaction.atomic():
        current = Order.objects.select_for_update().get(pk=order.pk)
        if current.status not in CANCELLABLE:
            raise CancelRefused(current)
        current.status = S.CANCELLED
        current.cancel_reason = reason.strip()[:200]
        current.save(update_fields=["status", "cancel_reason", "updated_at"])
        audit.record(
            Kind.ORDER_CANCELLED,
            current,
            origin=origin,
            patient_id=current.patient_id,
            accession_number=current.accession_number,
        )
    return current


def advance_order(order: Order, *, to: Order.Status, origin: Origin) -> Order:
    """Bring an order into another state; the state it has already changes nothing.

    Raises TransitionRefused. Cancelling needs a reason and is `cancel_order`.
    """
    with transaction.atomic():
        current = Order.objects.select_for_update().get(pk=order.pk)
        if current.status == to:
            return current
        if to not in TRANSITIONS[current.status]:
            raise TransitionRefused(current, to=to)
        before, current.status = current.status, to
        current.save(update_fields=["status", "updated_at"])
        audit.record(
            Kind.ORDER_CHANGED,
            current,
            origin=origin,
            patient_id=current.patient_id,
            accession_number=current.accession_number,
            details={"from": before, "to": str(to)},
        )
    return current


def _check_requests(requests: Sequence[Request]) -> None:
    if not requests:
        raise OrderInvalid({"procedures": [_("An order asks for at least one procedure.")]})
    for request in requests:
        if not request.procedure.active:
            message = _("%(procedure)s cannot be ordered.") % {"procedure": request.procedure}
            raise OrderInvalid({"procedures": [message]})
        if request.study_instance_uid and not valid_uid(request.study_instance_uid):
            raise OrderInvalid({"study_instance_uid": [_("This is not a UID.")]})


def _new_order(patient: Patient, details: OrderDetails, accession_number: str) -> Order:
    issuer = minting_issuer(Issuer.Purpose.ACCESSION)
    order = Order(patient=patient, issuer=issuer)
    for field in fields(details):
        setattr(order, field.name, getattr(details, field.name))
    order.requested_at = details.requested_at or timezone.now()
    order.accession_number = accession_number or _mint_accession(issuer)
    if not order.accession_number.isprintable() or "\\" in order.accession_number:
        message = _("An accession number has no backslash or control characters.")
        raise OrderInvalid({"accession_number": [message]})
    _clean(order)
    return order


def _mint_accession(issuer: Issuer) -> str:
    # A partner may have sent a number that looks like one of ours: step over it.
    while True:
        number = issue_number(issuer)
        if not Order.objects.filter(issuer=issuer, accession_number=number).exists():
            return number


def _store(order: Order, requests: Sequence[Request]) -> None:
    try:
        with transaction.atomic():
            order.save()
            for count, request in enumerate(requests, start=1):
                _requested_procedure(order, request, count).save()
    except IntegrityError as error:
        message = _("The accession number, placer number or a UID belongs to another order.")
        raise AccessionTaken(message) from error


def _requested_procedure(order: Order, request: Request, count: int) -> RequestedProcedure:
    procedure = request.procedure
    row = RequestedProcedure(
        order=order,
        procedure=procedure,
        identifier=request.identifier.strip() or f"RP{order.pk}-{count}",
        study_instance_uid=request.study_instance_uid or new_uid(),
        code=procedure.code,
        scheme=procedure.scheme,
        meaning=procedure.meaning,
        laterality=request.laterality,
    )
    _clean(row)
    return row


def _clean(row: Order | RequestedProcedure) -> None:
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        raise OrderInvalid(error.message_dict) from error
