"""ORM^O01, OMG^O19 and OMI^O23: new orders and cancelled ones (IHE RAD-2, RAD-3, RAD-4)."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from apps.hl7.acks import CodeUnknown, FieldMissing, KeyTaken, KeyUnknown
from apps.hl7.handlers import News
from apps.hl7.handlers.order_groups import OrderGroup, order_groups
from apps.hl7.handlers.patients import identifiers_of, known_patient, patient_or_new
from apps.hl7.services.received import Taken, referrer_of
from apps.orders.models import Order, Procedure, RequestedProcedure
from apps.orders.services import OrderDetails, Request, place_order
from apps.patients.models import Patient
from apps.worklist.services.bookings import cancel_order_and_steps

NEW = "NW"
CANCEL = frozenset({"CA", "DC"})
LOCAL_SCHEMES = ("", "L", "99")  # names of tables that every house has for itself


def take_orders(news: News) -> Taken:
    """Enter or cancel every order of the message; one that is refused refuses all."""
    groups = order_groups(news.message, news.partner)
    if not groups:
        raise FieldMissing(_("The message holds no order: ORC is missing."), at="ORC^1")
    for group in groups:
        _check_control(group)
    taken = Taken()
    for group in groups:
        if group.control in CANCEL:
            taken = _cancel(news, group)
    new = [group for group in groups if group.control == NEW]
    if new:
        patient = patient_or_new(news)
        for members in _by_order(new):
            taken = _place(news, patient, members)
    return taken


def _by_order(groups: list[OrderGroup]) -> list[list[OrderGroup]]:
    """Procedures of one order together, wherever they stand in the message."""
    found: dict[tuple[str, str, str], list[OrderGroup]] = {}
    for group in groups:
        found.setdefault(group.order_key, []).append(group)
    return list(found.values())


def _check_control(group: OrderGroup) -> None:
    if not group.control:
        raise FieldMissing(_("ORC-1, the order control, is missing."), at=group.at("ORC", 1))
    if group.control != NEW and group.control not in CANCEL:
        text = _("Order control %(code)s is not supported: NW, CA and DC are.")
        raise CodeUnknown(text % {"code": group.control[:8]}, at=group.at("ORC", 1))


def _place(news: News, patient: Patient, groups: list[OrderGroup]) -> Taken:
    first = groups[0]
    requests = [_request(group) for group in groups]
    details = _order_details(groups)
    if known := _known_order(first):
        _check_same(known, patient, requests, details, first)
        note = _("The order was known already: nothing changed.")
        return _about(known, note=note)
    _check_numbers(requests, first)
    order = place_order(
        patient,
        requests=requests,
        details=details,
        accession_number=first.accession_number,
        origin=news.origin,
    )
    return _about(order)


def _cancel(news: News, group: OrderGroup) -> Taken:
    order = _known_order(group) or _order_by_our_numbers(group)
    if order is None:
        text = _("There is no order with this number.")
        raise KeyUnknown(text, at=group.at("ORC", 2))
    _check_patient(news, order)
    if order.status == Order.Status.CANCELLED:
        return _about(order, note=_("The order was cancelled already: nothing changed."))
    reason = group.cancel_reason or _("Cancelled by %(partner)s") % {"partner": news.partner}
    return _about(cancel_order_and_steps(order, reason=reason, origin=news.origin))


def _check_patient(news: News, order: Order) -> None:
    pid = news.message.first("PID")
    if pid is None or not pid.raw(3):
        return
    patient = known_patient(identifiers_of(news, pid))
    if patient is None or patient.pk != order.patient_id:
        text = _("The order with this number belongs to another patient.")
        raise KeyUnknown(text, at="PID^1^3")


def _order_details(groups: list[OrderGroup]) -> OrderDetails:
    first = groups[0]
    return OrderDetails(
        priority=first.priority,
        reason="\n".join(_each(group.reason for group in groups)),
        clinical_information="\n".join(_each(group.clinical_information for group in groups)),
        referrer=referrer_of(first.referrer),
        placer_number=first.placer_number,
        placer_namespace=first.placer_namespace,
        filler_number=first.filler_number,
        visit_number=first.visit_number,
        patient_class=first.patient_class,
        patient_location=first.patient_location,
        requested_at=first.requested_at,
    )


def _each(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text))


def _request(group: OrderGroup) -> Request:
    return Request(
        procedure=_procedure(group),
        study_instance_uid=group.study_instance_uid,
        identifier=group.procedure_identifier,
        laterality=group.laterality,
    )


def _procedure(group: OrderGroup) -> Procedure:
    """The line of the catalogue that OBR-44, else OBR-4, names by code and scheme.

    A code of a local table, or of none, is taken alone where it means one thing only.
    """
    if not group.codes:
        raise FieldMissing(_("OBR-4, the procedure, is missing."), at=group.at("OBR", 4))
    for code, scheme in group.codes:
        found = Procedure.objects.filter(code=code)
        exact = list(found.filter(scheme__iexact=scheme)) if scheme else []
        local = scheme in LOCAL_SCHEMES or scheme.startswith("99")
        candidates = exact or (list(found) if local else [])
        if len(candidates) == 1:
            return candidates[0]
    code, scheme = group.codes[0]
    text = _("Procedure %(code)s of scheme %(scheme)s is not in the catalogue.")
    named = {"code": code[:32], "scheme": scheme[:32] or "-"}
    raise CodeUnknown(text % named, at=group.at("OBR", 4))


def _known_order(group: OrderGroup) -> Order | None:
    if not group.placer_number:
        return None
    return (
        Order.objects.select_for_update()
        .filter(
            placer_namespace=group.placer_namespace,
            placer_number=group.placer_number,
        )
        .first()
    )


def _order_by_our_numbers(group: OrderGroup) -> Order | None:
    """By accession number or our filler number; only where one order has it."""
    for number in (group.accession_number, group.filler_number):
        if number:
            by_accession = Order.objects.filter(accession_number=number)
            by_filler = Order.objects.filter(filler_number=number)
            found = list((by_accession | by_filler)[:2])
            if len(found) == 1:
                return found[0]
    return None


def _check_same(
    known: Order,
    patient: Patient,
    requests: list[Request],
    details: OrderDetails,
    group: OrderGroup,
) -> None:
    """An order sent twice is one order; other content under its number is refused."""
    ours = sorted(known.procedures.values_list("procedure_id", flat=True))
    same = (
        known.patient_id == patient.pk
        and ours == sorted(request.procedure.pk for request in requests)
        and known.priority == details.priority
        and known.reason == details.reason
        and known.status != Order.Status.CANCELLED
    )
    if not same:
        text = _("The placer order number belongs to an order with other content.")
        raise KeyTaken(text, at=group.at("ORC", 2))


def _check_numbers(requests: list[Request], group: OrderGroup) -> None:
    number = group.accession_number
    if number and Order.objects.filter(accession_number=number).exists():
        text = _("The accession number belongs to another order.")
        raise KeyTaken(text, at=group.at("OBR", 18))
    uids = [one.study_instance_uid for one in requests if one.study_instance_uid]
    identifiers = [one.identifier for one in requests if one.identifier]
    taken = RequestedProcedure.objects.filter(study_instance_uid__in=uids)
    if len(set(uids)) < len(uids) or taken.exists():
        raise KeyTaken(_("The Study Instance UID belongs to another procedure."), at="ZDS^1^1")
    taken = RequestedProcedure.objects.filter(identifier__in=identifiers)
    if len(set(identifiers)) < len(identifiers) or taken.exists():
        text = _("The requested procedure ID belongs to another procedure.")
        raise KeyTaken(text, at=group.at("OBR", 19))


def _about(order: Order, *, note: str = "") -> Taken:
    return Taken(
        stream=f"order:{order.pk}",
        patient_id=order.patient_id,
        accession_number=order.accession_number,
        note=note,
    )
