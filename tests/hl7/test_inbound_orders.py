"""Orders that other systems place and cancel."""

import datetime
from typing import Any

import pytest

from apps.audit.models import Event, Kind
from apps.hl7.messages import ParsedMessage
from apps.hl7.models import Message, Partner
from apps.orders.models import Order, Referrer, RequestedProcedure
from apps.orders.services import advance_order
from apps.patients.models import Patient
from apps.worklist.models import ScheduledStep
from tests.factories import ProcedureFactory, ScheduledStepFactory
from tests.hl7.asking import OBR, ORC, PID, send, verdict

pytestmark = pytest.mark.django_db


def order(*segments: str, control_id: str = "1") -> ParsedMessage:
    return send(*segments, kind="ORM^O01", control_id=control_id)


def test_a_new_order_brings_patient_procedure_and_referrer(partner: Partner, chest: Any) -> None:
    pv1 = "PV1|1|O|RAD^MAIN^^^HOSP" + "|" * 16 + "V77"
    obr = OBR + "|" * 14 + "ACC-17|RP-17" + "|" * 12 + "R05^Cough^I10"
    orc = ORC.replace("^^R", "^^S")
    assert verdict(order(PID, pv1, orc, obr, "ZDS|1.2.840.99.1^HIS^Application^DICOM"))[0] == "AA"
    placed = Order.objects.get()
    assert placed.patient.family_name == "Doe"
    assert (placed.accession_number, placed.priority) == ("ACC-17", "STAT")
    assert (placed.placer_number, placed.placer_namespace) == ("ORD001", "HIS")
    assert (placed.patient_class, placed.patient_location) == ("O", "RAD MAIN HOSP")
    assert (placed.visit_number, placed.reason) == ("V77", "Cough")
    assert placed.requested_at == datetime.datetime(2024, 1, 17, 8, tzinfo=datetime.UTC)
    assert "Wished for" in placed.clinical_information
    requested = placed.procedures.get()
    assert (requested.identifier, requested.study_instance_uid) == ("RP-17", "1.2.840.99.1")
    assert requested.procedure == chest
    referrer = Referrer.objects.get()
    assert (referrer.code, referrer.person_name) == ("1234", "Smith^John^^Dr")
    assert placed.referrer == referrer


def test_without_an_accession_number_one_is_minted(partner: Partner, chest: Any) -> None:
    order(PID, ORC, OBR)
    assert Order.objects.get().accession_number.startswith("A")


def test_an_accession_number_too_long_for_a_worklist_is_kept_beside(
    partner: Partner, chest: Any
) -> None:
    order(PID, ORC, OBR + "|" * 14 + "RADIOLOGY-2024-0000017")
    placed = Order.objects.get()
    assert len(placed.accession_number) <= 16
    assert placed.filler_number == "RADIOLOGY-2024-0000017"


def test_several_procedures_of_one_accession_are_one_order(partner: Partner, chest: Any) -> None:
    ProcedureFactory(code="HAND", scheme="99HOSP")
    second = "ORC|NW|ORD002^HIS", "OBR|2|ORD002^HIS||HAND^Hand^L" + "|" * 14 + "ACC1"
    order(PID, ORC, OBR + "|" * 14 + "ACC1", *second)
    assert Order.objects.get().procedures.count() == 2


def test_an_order_of_two_accessions_is_two_orders(partner: Partner, chest: Any) -> None:
    second = "ORC|NW|ORD002^HIS", OBR.replace("ORD001", "ORD002") + "|" * 14 + "ACC2"
    order(PID, ORC, OBR + "|" * 14 + "ACC1", *second)
    assert set(Order.objects.values_list("accession_number", flat=True)) == {"ACC1", "ACC2"}


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ((ORC, OBR), ("AE", "101", "PID^1")),
        ((PID,), ("AE", "101", "ORC^1")),
        ((PID, ORC), ("AE", "101", "OBR^1^4")),
        ((PID, ORC, "OBR|1"), ("AE", "101", "OBR^1^4")),
        ((PID, ORC, "OBR|1|||NOPE^x^CPT"), ("AE", "103", "OBR^1^4")),
        ((PID, ORC, "OBR|1|||71020^x^LN"), ("AE", "103", "OBR^1^4")),
        ((PID, "ORC||1", OBR), ("AE", "101", "ORC^1^1")),
        ((PID, "ORC|XX|1", OBR), ("AE", "103", "ORC^1^1")),
        ((PID, ORC, OBR, "ZDS|not a uid"), ("AE", "102", "ZDS^1^1")),
        ((PID, "ORC|CA|NONE^HIS"), ("AE", "204", "ORC^1^2")),
    ],
)
def test_an_order_that_cannot_be_placed_leaves_nothing(
    partner: Partner, chest: Any, segments: tuple[str, ...], expected: tuple[str, str, str]
) -> None:
    assert verdict(order(*segments)) == expected
    assert (Order.objects.count(), Patient.objects.count()) == (0, 0)
    assert Event.objects.filter(kind=Kind.MESSAGE_REFUSED).count() == 1


def test_a_local_code_is_found_without_its_scheme(partner: Partner, chest: Any) -> None:
    assert verdict(order(PID, ORC, "OBR|1|||71020"))[0] == "AA"


def test_the_same_order_under_a_new_control_id_is_no_second_order(
    partner: Partner, chest: Any
) -> None:
    order(PID, ORC, OBR)
    assert verdict(order(PID, ORC, OBR, control_id="2"))[0] == "AA"
    assert Order.objects.count() == 1
    assert Message.objects.get(control_id="2").error


def test_another_order_under_the_same_placer_number_is_refused(
    partner: Partner, chest: Any
) -> None:
    order(PID, ORC, OBR)
    other = PID.replace("98765", "11111")
    assert verdict(order(other, ORC, OBR, control_id="2")) == ("AE", "205", "ORC^1^2")
    assert (Order.objects.count(), Patient.objects.count()) == (1, 1)


def test_numbers_of_another_order_are_refused(partner: Partner, chest: Any) -> None:
    order(PID, ORC, OBR + "|" * 14 + "ACC1|RP1", "ZDS|1.2.3")
    orc, obr = ORC.replace("ORD001", "ORD002"), OBR.replace("ORD001", "ORD002")
    assert verdict(order(PID, orc, obr + "|" * 14 + "ACC1", control_id="2"))[1:] == (
        "205",
        "OBR^1^18",
    )
    assert verdict(order(PID, orc, obr, "ZDS|1.2.3", control_id="3"))[1:] == ("205", "ZDS^1^1")
    assert verdict(order(PID, orc, obr + "|" * 15 + "RP1", control_id="4"))[1:] == (
        "205",
        "OBR^1^19",
    )


@pytest.mark.parametrize("control", ["CA", "DC"])
def test_a_cancelled_order_goes_off_the_worklist(
    partner: Partner, chest: Any, control: str
) -> None:
    order(PID, ORC, OBR)
    step = ScheduledStepFactory(requested_procedure=RequestedProcedure.objects.get())
    cancel = f"ORC|{control}|ORD001^HIS" + "|" * 14 + "DUP^Ordered twice"
    assert verdict(order(PID, cancel, control_id="2"))[0] == "AA"
    placed = Order.objects.get()
    assert (placed.status, placed.cancel_reason) == ("cancelled", "Ordered twice")
    step.refresh_from_db()
    assert step.status == ScheduledStep.Status.CANCELED
    assert verdict(order(PID, cancel, control_id="3"))[0] == "AA"


def test_an_exam_under_way_cannot_be_cancelled(partner: Partner, chest: Any, origin: Any) -> None:
    order(PID, ORC, OBR)
    advance_order(Order.objects.get(), to=Order.Status.IN_PROGRESS, origin=origin)
    answer = order(PID, "ORC|CA|ORD001^HIS", control_id="2")
    assert verdict(answer)[:2] == ("AE", "207")
    msa = answer.first("MSA")
    assert msa is not None
    assert msa.get(6) == "UC"
    assert Order.objects.get().status == Order.Status.IN_PROGRESS


def test_an_order_of_another_patient_is_not_cancelled(partner: Partner, chest: Any) -> None:
    order(PID, ORC, OBR)
    other = PID.replace("98765", "11111")
    assert verdict(order(other, "ORC|CA|ORD001^HIS", control_id="2"))[1:] == ("204", "PID^1^3")
    assert Order.objects.get().status == Order.Status.REQUESTED
