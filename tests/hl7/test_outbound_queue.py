"""Signed reports on their way to partners: in which order, how often."""

import datetime
import socket
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.hl7 import sending
from apps.hl7.models import Message, Partner
from apps.hl7.sending import send_due
from apps.hl7.services import outbox
from apps.hl7.services.outbox import ResendRefused, claim, note_sent, resend
from apps.hl7.tasks import send_result, send_waiting
from tests.hl7.results import Receiver, Sign, make_due, the_message
from tests.threads import at_once

pytestmark = pytest.mark.django_db


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

    at_once(lambda _worker: send_due(), range(3))
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


def test_the_queue_is_read_with_few_queries(
    ehr: Partner, sign: Sign, django_assert_max_num_queries: Any
) -> None:
    outbox.queue_results(sign())
    with django_assert_max_num_queries(1):
        assert [message.partner for message in Message.objects.due()] == [ehr]
