"""Signed reports on their way to partners: what is sent."""

import base64

import pytest

from apps.audit.models import Event, Kind
from apps.audit.services import deliver
from apps.hl7.models import Partner
from apps.hl7.tasks import send_result, send_waiting
from apps.orders.models import Order
from tests.hl7.results import PDF, Receiver, Sign, the_message

pytestmark = pytest.mark.django_db


def test_a_signed_report_arrives_as_oru(
    ehr: Partner, receiver: Receiver, sign: Sign, order: Order
) -> None:
    send_result(sign().pk)
    (got,) = receiver.got
    assert got.message_type == "ORU^R01"
    assert [got.header.get(n) for n in (3, 5, 6, 12)] == ["OPENPACS", "EHR", "WARD", "2.5.1"]
    pid, obr, orc = got.first("PID"), got.first("OBR"), got.first("ORC")
    assert pid is not None
    assert obr is not None
    assert orc is not None
    assert (pid.get(3), pid.get(3, 4)) == ("98765", "HOSPITAL")
    assert pid.get(5) == order.patient.family_name
    assert (pid.get(7), pid.get(8)) == ("19800517", "F")
    assert (orc.get(1), orc.get(2), orc.get(3)) == ("RE", "ORD1", "ACC17")
    assert (obr.get(2), obr.get(18), obr.get(25)) == ("ORD1", "ACC17", "F")
    assert obr.get(4) == order.procedures.get().code
    assert obr.get(7) == "20240117083000+0000"
    assert (obr.get(16), obr.get(16, 2)) == ("1234", "Smith")
    assert obr.get(32) == "radiologist"
    assert obr.get(32, subcomponent=2) == "Radiologist"


def test_the_text_the_study_and_the_pdf_are_observations(
    ehr: Partner, receiver: Receiver, sign: Sign
) -> None:
    send_result(sign().pk)
    found = {obx.get(3): obx for obx in receiver.got[0].all("OBX")}
    assert list(found) == ["113014", "59776-5", "19005-8", "18748-4"]
    assert found["113014"].get(5) == "1.2.3.4"
    assert found["59776-5"].get(5) == "Nodule.\nNo effusion."
    assert found["19005-8"].get(5) == "Follow up | soon"
    pdf = found["18748-4"]
    assert [pdf.get(2), *(pdf.get(5, n) for n in (2, 3, 4))] == [
        "ED",
        "application",
        "pdf",
        "Base64",
    ]
    assert base64.b64decode(pdf.get(5, 5)) == PDF


@pytest.mark.parametrize(
    ("status", "code"), [("preliminary", "P"), ("final", "F"), ("corrected", "C")]
)
def test_the_status_is_told(
    ehr: Partner, receiver: Receiver, sign: Sign, status: str, code: str
) -> None:
    send_result(sign(status).pk)
    obr = receiver.got[0].first("OBR")
    assert obr is not None
    assert obr.get(25) == code
    assert {obx.get(11) for obx in receiver.got[0].all("OBX")} == {code}


def test_an_addendum_comes_with_what_it_adds_to(
    ehr: Partner, receiver: Receiver, sign: Sign
) -> None:
    send_result(sign().pk)
    send_result(sign("addendum", findings="Also a cyst.", impression="").pk)
    found = {obx.get(3): obx.get(5) for obx in receiver.got[1].all("OBX")}
    assert found["59776-5"].startswith("Nodule.")
    assert found["55107-7"] == "Also a cyst."


def test_what_arrived_is_written_down_and_not_sent_twice(
    ehr: Partner, receiver: Receiver, sign: Sign
) -> None:
    event = sign()
    send_result(event.pk)
    send_result(event.pk)
    send_waiting()
    assert len(receiver.got) == 1
    row = the_message()
    assert (row.status, row.attempts, row.next_attempt_at) == ("sent", 1, None)
    assert b"MSA|AA|" in bytes(row.acknowledgement or b"")
    told = Event.objects.get(kind=Kind.MESSAGE_SENT)
    assert (told.peer, told.accession_number) == ("EHR", "ACC17")


def test_the_journal_starts_the_sending(ehr: Partner, receiver: Receiver, sign: Sign) -> None:
    event = sign()
    assert event.delivered_at is None
    deliver(event.pk)
    assert len(receiver.got) == 1


def test_a_name_the_partner_cannot_read_goes_out_in_utf8(
    ehr: Partner, receiver: Receiver, sign: Sign, order: Order
) -> None:
    Partner.objects.update(character_set="8859/1")
    order.patient.ideographic_name = "山田^太郎"
    order.patient.save()
    send_result(sign().pk)
    pid = receiver.got[0].first("PID")
    assert pid is not None
    assert (pid.get(5, repetition=2), pid.get(5, 8, repetition=2)) == ("山田", "I")


def test_delimiters_in_a_report_stay_in_their_field(
    ehr: Partner, receiver: Receiver, sign: Sign
) -> None:
    send_result(sign(findings="a|b^c&d~e\\f\rOBX|99|ST|evil").pk)
    observations = list(receiver.got[0].all("OBX"))
    assert len(observations) == 4
    assert observations[1].get(5) == "a|b^c&d~e\\f\nOBX|99|ST|evil"
