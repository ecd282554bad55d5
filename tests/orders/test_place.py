"""Placing, moving on and cancelling orders."""

import pytest

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.dicom.uids import valid_uid
from apps.orders.models import Order
from apps.orders.services import (
    AccessionTaken,
    CancelRefused,
    OrderDetails,
    OrderInvalid,
    Request,
    TransitionRefused,
    advance_order,
    cancel_order,
    place_order,
)
from tests.factories import OrderFactory, PatientFactory, ProcedureFactory
from tests.threads import at_once

pytestmark = pytest.mark.django_db

Status = Order.Status


def test_an_order_gets_an_accession_number_and_each_procedure_a_uid(origin: Origin) -> None:
    chest, head = ProcedureFactory(), ProcedureFactory(meaning="CT of the head")
    order = place_order(
        PatientFactory(),
        requests=[Request(procedure=chest), Request(procedure=head, laterality="L")],
        details=OrderDetails(reason="Cough"),
        origin=origin,
    )
    assert order.accession_number == "A0000001"
    first, second = order.procedures.all()
    assert [first.identifier, second.identifier] == [f"RP{order.pk}-1", f"RP{order.pk}-2"]
    assert valid_uid(first.study_instance_uid)
    assert first.study_instance_uid != second.study_instance_uid
    assert second.laterality == "L"
    assert second.meaning == "CT of the head"
    event = Event.objects.get()
    assert (event.kind, event.accession_number) == (Kind.ORDER_PLACED, "A0000001")


def test_numbers_of_the_placer_are_kept(origin: Origin) -> None:
    order = place_order(
        PatientFactory(),
        requests=[
            Request(procedure=ProcedureFactory(), study_instance_uid="1.2.3", identifier="RP9")
        ],
        details=OrderDetails(placer_number="4711", placer_namespace="HIS"),
        accession_number="X-1",
        origin=origin,
    )
    assert order.accession_number == "X-1"
    assert order.procedures.get().study_instance_uid == "1.2.3"
    with pytest.raises(AccessionTaken):
        place_order(
            PatientFactory(),
            requests=[Request(procedure=ProcedureFactory())],
            details=OrderDetails(placer_number="4711", placer_namespace="HIS"),
            origin=origin,
        )


def test_an_accession_number_is_given_out_once(origin: Origin) -> None:
    patient, procedure = PatientFactory(), ProcedureFactory()

    def place(accession_number: str) -> Order:
        return place_order(
            patient,
            requests=[Request(procedure=procedure)],
            details=OrderDetails(),
            accession_number=accession_number,
            origin=origin,
        )

    place("A0000001")
    with pytest.raises(AccessionTaken):
        place("A0000001")
    assert place("").accession_number == "A0000002"
    assert Order.objects.count() == 2


@pytest.mark.parametrize(
    ("field", "requests", "accession"),
    [
        ("procedures", [], ""),
        ("procedures", [{"active": False}], ""),
        ("accession_number", [{}], "12345678901234567"),
        ("accession_number", [{}], "A\\1"),
    ],
)
def test_an_order_that_cannot_be_right_is_refused(
    field: str, requests: list[dict[str, object]], accession: str, origin: Origin
) -> None:
    with pytest.raises(OrderInvalid) as refused:
        place_order(
            PatientFactory(),
            requests=[Request(procedure=ProcedureFactory(**one)) for one in requests],
            details=OrderDetails(),
            accession_number=accession,
            origin=origin,
        )
    assert list(refused.value.fields) == [field]
    assert not Order.objects.exists()


def test_a_broken_uid_is_refused(origin: Origin) -> None:
    with pytest.raises(OrderInvalid):
        place_order(
            PatientFactory(),
            requests=[Request(procedure=ProcedureFactory(), study_instance_uid="1..2/..")],
            details=OrderDetails(),
            origin=origin,
        )


@pytest.mark.django_db(transaction=True)
def test_twenty_orders_at_once_get_twenty_accession_numbers() -> None:
    patient, procedure = PatientFactory(), ProcedureFactory()

    def place(_clerk: int) -> None:
        place_order(
            patient,
            requests=[Request(procedure=procedure)],
            details=OrderDetails(),
            origin=Origin(protocol="test"),
        )

    at_once(place, range(20))
    numbers = sorted(Order.objects.values_list("accession_number", flat=True))
    assert numbers == [f"A{number:07}" for number in range(1, 21)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Status.REQUESTED, Status.SCHEDULED),
        (Status.SCHEDULED, Status.IN_PROGRESS),
        (Status.SCHEDULED, Status.REPORTED),
        (Status.IN_PROGRESS, Status.PERFORMED),
        (Status.PERFORMED, Status.REPORTED),
        (Status.DISCONTINUED, Status.REPORTED),
    ],
)
def test_an_order_goes_on(before: Status, after: Status, origin: Origin) -> None:
    order = OrderFactory(status=before)
    assert advance_order(order, to=after, origin=origin).status == after
    assert Event.objects.get().details == {"from": before, "to": after}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Status.REPORTED, Status.SCHEDULED),
        (Status.CANCELLED, Status.SCHEDULED),
        (Status.REQUESTED, Status.CANCELLED),
        (Status.DISCONTINUED, Status.REQUESTED),
    ],
)
def test_an_order_does_not_go_astray(before: Status, after: Status, origin: Origin) -> None:
    order = OrderFactory(status=before, cancel_reason="x")
    with pytest.raises(TransitionRefused):
        advance_order(order, to=after, origin=origin)
    assert not Event.objects.exists()


def test_the_state_an_order_has_leaves_no_journal_row(origin: Origin) -> None:
    advance_order(OrderFactory(status=Status.SCHEDULED), to=Status.SCHEDULED, origin=origin)
    assert not Event.objects.exists()


def test_an_order_is_cancelled_with_a_reason_and_before_it_began(origin: Origin) -> None:
    order = OrderFactory()
    with pytest.raises(OrderInvalid):
        cancel_order(order, reason=" ", origin=origin)
    assert cancel_order(order, reason="Not needed", origin=origin).status == Status.CANCELLED
    with pytest.raises(CancelRefused):
        cancel_order(order, reason="Again", origin=origin)
    with pytest.raises(CancelRefused):
        cancel_order(OrderFactory(status=Status.IN_PROGRESS), reason="Late", origin=origin)
