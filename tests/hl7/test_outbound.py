"""Signed reports on their way to partners: what is sent, in which order, how often."""

import base64
import datetime
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.models import Event, Kind
from apps.audit.services import Origin, deliver, record
from apps.hl7 import sending
from apps.hl7.messages import ParsedMessage, parse
from apps.hl7.mllp import Listener
from apps.hl7.models import Message, Partner
from apps.hl7.sending import send_due
from apps.hl7.services import outbox
from apps.hl7.services.outbox import ResendRefused, claim, note_sent, resend
from apps.hl7.tasks import send_result, send_waiting
from apps.orders.models import Order
from apps.reports.models import Report, ReportVersion
from tests.factories import (
    IssuerFactory,
    OrderFactory,
    PatientIdentifierFactory,
    ReferrerFactory,
    RequestedProcedureFactory,
    ScheduledStepFactory,
)

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.7 report"
Sign = Callable[..., Event]


class Receiver:
    """A partner's system: keeps what it got and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[ParsedMessage] = []
        self.code = "AA"
        self.answer_to: str | None = None
        self.mute = False
        self.listener = Listener("127.0.0.1", 0, self._answer)
        self.listener.open()
        self.thread = threading.Thread(target=self.listener.serve)
        self.thread.start()

    def _answer(self, raw: bytes, _address: str) -> list[bytes]:
        message = parse(raw)
        self.got.append(message)
        if self.mute:
            return []
        control_id = self.answer_to or message.control_id
        text = f"MSH|^~\\&|EHR|||||ACK|1|P|2.5.1\rMSA|{self.code}|{control_id}|because\r"
        return [text.encode()]

    def close(self) -> None:
        self.listener.stop()
        self.thread.join(timeout=10)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    yield running
    running.close()


@pytest.fixture
def ehr(db: None, receiver: Receiver) -> Partner:
    return Partner.objects.create(
        name="EHR",
        application="EHR",
        facility="WARD",
        receives_results=True,
        host="127.0.0.1",
        port=receiver.listener.port,
    )


@pytest.fixture
def order(db: None) -> Order:
    issuer = IssuerFactory(namespace="HOSPITAL")
    placed = OrderFactory(
        accession_number="ACC17",
        placer_number="ORD1",
        placer_namespace="HIS",
        referrer=ReferrerFactory(code="1234", family_name="Smith", given_name="John"),
        patient_class="O",
    )
    PatientIdentifierFactory(patient=placed.patient, issuer=issuer, value="98765")
    requested = RequestedProcedureFactory(order=placed, study_instance_uid="1.2.3.4")
    ScheduledStepFactory(
        requested_procedure=requested,
        status="STARTED",
        started_at=datetime.datetime(2024, 1, 17, 8, 30, tzinfo=datetime.UTC),
    )
    return placed


@pytest.fixture
def sign(order: Order, user_of: Callable[[str], User], origin: Origin) -> Sign:
    """Sign another version of the report of the order; returns its journal row."""
    signer = user_of("radiologist")
    report = Report.objects.create(order=order)

    def do(status: str = "final", **texts: str) -> Event:
        version = ReportVersion.objects.create(
            report=report,
            number=report.versions.count() + 1,
            status=status,
            author=signer,
            signer=signer,
            signed_at=timezone.now(),
            pdf=PDF,
            **{"findings": "Nodule.\nNo effusion.", "impression": "Follow up | soon", **texts},
        )
        return record(
            Kind.REPORT_SIGNED, version, origin=origin, accession_number=order.accession_number
        )

    return do


def make_due() -> None:
    Message.objects.filter(status="waiting").update(next_attempt_at=timezone.now())


def the_message() -> Message:
    return Message.objects.get()


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


def test_every_partner_that_receives_results_gets_its_own(
    ehr: Partner, receiver: Receiver, sign: Sign
) -> None:
    Partner.objects.create(name="HIS", application="HIS")
    Partner.objects.create(
        name="GP", application="GP", receives_results=True, host="127.0.0.1", port=ehr.port
    )
    Partner.objects.create(
        name="Old", application="OLD", receives_results=True, host="127.0.0.1", active=False
    )
    send_result(sign().pk)
    assert sorted(got.header.get(5) for got in receiver.got) == ["EHR", "GP"]
    assert len({got.control_id for got in receiver.got}) == 2


def test_a_partner_that_is_down_gets_it_when_it_is_back(
    ehr: Partner, receiver: Receiver, sign: Sign
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        down = free.getsockname()[1]
    Partner.objects.update(port=down)
    send_result(sign().pk)
    row = the_message()
    assert (row.status, row.attempts) == ("waiting", 1)
    assert row.next_attempt_at is not None
    assert row.next_attempt_at > timezone.now() + datetime.timedelta(seconds=20)
    assert send_due() == 0
    assert the_message().attempts == 1
    Partner.objects.update(port=receiver.listener.port)
    make_due()
    assert send_due() == 1
    assert the_message().status == "sent"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AA", "sent"),
        ("CA", "sent"),
        ("AE", "waiting"),
        ("CE", "waiting"),
        ("??", "waiting"),
        ("AR", "dead"),
        ("CR", "dead"),
    ],
)
def test_the_answer_decides(
    ehr: Partner, receiver: Receiver, sign: Sign, code: str, status: str
) -> None:
    receiver.code = code
    send_result(sign().pk)
    row = the_message()
    assert row.status == status
    assert status == "sent" or "because" in row.error
    failed = Event.objects.filter(kind=Kind.MESSAGE_FAILED)
    assert failed.exists() == (status == "dead")


def test_an_answer_to_another_message_is_no_answer(
    ehr: Partner, receiver: Receiver, sign: Sign
) -> None:
    receiver.answer_to = "SOMETHING ELSE"
    send_result(sign().pk)
    assert (the_message().status, the_message().error) == (
        "waiting",
        "the answer is to another message",
    )


def test_no_answer_in_time_is_tried_again(
    ehr: Partner, receiver: Receiver, sign: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.3)
    receiver.mute = True
    send_result(sign().pk)
    assert (the_message().status, the_message().error) == ("waiting", "no answer in time")
    receiver.mute = False
    make_due()
    send_waiting()
    first, second = receiver.got
    assert first.control_id == second.control_id
    assert the_message().status == "sent"


def test_after_ten_attempts_it_is_given_up(ehr: Partner, receiver: Receiver, sign: Sign) -> None:
    receiver.code = "AE"
    send_result(sign().pk)
    for _attempt in range(15):
        make_due()
        send_due()
    row = the_message()
    assert (row.status, row.attempts, len(receiver.got)) == ("dead", 10, 10)


def test_a_correction_never_overtakes_what_it_corrects(
    ehr: Partner, receiver: Receiver, sign: Sign
) -> None:
    receiver.code = "AE"
    send_result(sign("preliminary").pk)
    receiver.code = "AA"
    send_result(sign("final").pk)
    assert len(receiver.got) == 1
    make_due()
    assert send_due() == 2
    assert [obr.get(25) for got in receiver.got for obr in got.all("OBR")] == ["P", "P", "F"]


def test_events_delivered_out_of_order_leave_in_order(
    ehr: Partner, receiver: Receiver, sign: Sign
) -> None:
    preliminary, final = sign("preliminary"), sign("final")
    send_result(final.pk)
    send_result(preliminary.pk)
    assert [obr.get(25) for got in receiver.got for obr in got.all("OBR")] == ["P", "F"]


def test_a_silent_partner_does_not_hold_up_the_others(
    ehr: Partner, receiver: Receiver, sign: Sign
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        down = free.getsockname()[1]
    Partner.objects.create(
        name="Down", application="DOWN", receives_results=True, host="127.0.0.1", port=down
    )
    send_result(sign().pk)
    assert sorted(Message.objects.values_list("partner__name", "status")) == [
        ("Down", "waiting"),
        ("EHR", "sent"),
    ]


def test_the_messages_of_a_silent_partner_keep_their_attempts(
    ehr: Partner, receiver: Receiver, sign: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.3)
    receiver.mute = True
    first = sign()
    outbox.queue_results(first)
    other = the_message()
    other.pk, other.event, other.stream = None, None, "report:0"
    other.save()
    send_due()
    send_due()
    assert sorted(Message.objects.values_list("attempts", flat=True)) == [0, 1]
    receiver.mute = False
    make_due()
    assert send_due() == 2


def test_a_message_the_partner_cannot_take_does_not_hold_up_others(
    ehr: Partner, receiver: Receiver, sign: Sign
) -> None:
    receiver.code = "AE"
    send_result(sign().pk)
    receiver.code = "AA"
    other = the_message()
    other.pk, other.event, other.stream = None, None, "report:0"
    other.attempts, other.next_attempt_at, other.acknowledgement = 0, timezone.now(), None
    other.save()
    assert send_due() == 1
    assert sorted(Message.objects.values_list("status", flat=True)) == ["sent", "waiting"]


def test_two_workers_do_not_send_the_same_message(
    ehr: Partner, receiver: Receiver, sign: Sign
) -> None:
    event = sign()
    outbox.queue_results(event)
    one, other = the_message(), the_message()
    assert claim(one)
    assert not claim(other)
    assert send_due() == 0
    assert receiver.got == []


@pytest.mark.django_db(transaction=True)
def test_workers_side_by_side_send_everything_once(ehr: Partner, receiver: Receiver) -> None:
    for number in range(12):
        header = f"MSH|^~\\&|OPENPACS||EHR||||ORU^R01|N{number}|P|2.5.1\r"
        Message.objects.create(
            direction="out",
            partner=ehr,
            control_id=f"N{number}",
            stream=f"report:{number}",
            status="waiting",
            raw=header.encode(),
            next_attempt_at=timezone.now(),
        )

    def work() -> None:
        try:
            send_due()
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(got.control_id for got in receiver.got) == sorted(
        f"N{number}" for number in range(12)
    )
    assert set(Message.objects.values_list("status", flat=True)) == {"sent"}


def test_a_worker_that_lost_its_lease_changes_nothing(
    ehr: Partner, receiver: Receiver, sign: Sign
) -> None:
    outbox.queue_results(sign())
    slow = the_message()
    assert claim(slow)
    make_due()  # the lease has run out
    assert send_due() == 1
    assert note_sent(slow, acknowledgement=b"late") is False
    assert Event.objects.filter(kind=Kind.MESSAGE_SENT).count() == 1


def test_what_was_given_up_can_be_sent_again(
    ehr: Partner, receiver: Receiver, sign: Sign, origin: Origin
) -> None:
    receiver.code = "AR"
    send_result(sign().pk)
    receiver.code = "AA"
    resend(the_message(), origin=origin)
    assert Event.objects.filter(kind=Kind.MESSAGE_REQUEUED).count() == 1
    assert send_due() == 1
    with pytest.raises(ResendRefused):
        resend(the_message(), origin=origin)


def test_an_old_version_is_not_sent_again_after_a_newer_one(
    ehr: Partner, receiver: Receiver, sign: Sign, origin: Origin
) -> None:
    receiver.code = "AR"
    send_result(sign("preliminary").pk)
    receiver.code = "AA"
    send_result(sign("final").pk)
    dead = Message.objects.get(status="dead")
    with pytest.raises(ResendRefused, match="newer"):
        resend(dead, origin=origin)


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


def test_the_queue_is_read_with_few_queries(
    ehr: Partner, sign: Sign, django_assert_max_num_queries: Any
) -> None:
    outbox.queue_results(sign())
    with django_assert_max_num_queries(1):
        assert [message.partner for message in Message.objects.due()] == [ehr]
