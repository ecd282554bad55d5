"""What a message does, and what its sender is told."""

from pathlib import Path
from typing import Any

import pytest

from apps.audit.models import Event, Kind
from apps.hl7 import inbound
from apps.hl7.inbound import receive
from apps.hl7.messages import parse
from apps.hl7.models import Message, Partner
from apps.orders.models import Order, RequestedProcedure
from apps.patients.models import Patient
from tests.factories import ProcedureFactory
from tests.hl7.asking import OBR, ORC, PID, send, text_of, verdict

pytestmark = pytest.mark.django_db


# --- Who may send what ---------------------------------------------------------------


def test_a_stranger_is_rejected_and_written_down(partner: Partner) -> None:
    answer = send(PID, sender="WHO|HOSP")
    assert verdict(answer)[:2] == ("AR", "204")
    assert Patient.objects.count() == 0
    event = Event.objects.get(kind=Kind.MESSAGE_REFUSED)
    assert (event.peer, event.address) == ("WHO|HOSP", "10.0.0.1")


def test_a_partner_at_another_address_is_a_stranger(partner: Partner) -> None:
    Partner.objects.update(address="10.0.0.9")
    assert verdict(send(PID))[0] == "AR"
    assert verdict(send(PID, address="10.0.0.9"))[0] == "AA"


def test_a_partner_that_is_not_in_use_is_a_stranger(partner: Partner) -> None:
    Partner.objects.update(active=False)
    assert verdict(send(PID))[0] == "AR"


def test_a_partner_without_a_facility_stands_for_all_of_them(partner: Partner) -> None:
    Partner.objects.create(name="Any", application="ANY")
    assert verdict(send(PID, sender="ANY|WARD 7"))[0] == "AA"


def test_rights_are_per_partner(partner: Partner, chest: Any) -> None:
    Partner.objects.update(may_send_patients=False)
    assert verdict(send(PID))[:2] == ("AR", "200")
    assert verdict(send(PID, ORC, OBR, kind="ORM^O01", control_id="2"))[0] == "AA"
    Partner.objects.update(may_send_orders=False)
    assert verdict(send(PID, ORC, OBR, kind="ORM^O01", control_id="3"))[:2] == ("AR", "200")


@pytest.mark.parametrize("processing", ["T", "D", "Q"])
def test_test_and_training_messages_never_reach_the_records(
    partner: Partner, processing: str
) -> None:
    assert verdict(send(PID, processing=processing)) == ("AR", "202", "MSH^1^11")
    assert Patient.objects.count() == 0


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("SIU^S12", ("AR", "200")), ("ADT^A40", ("AE", "201")), ("ACK", ("AR", "200"))],
)
def test_what_is_not_supported_is_named(
    partner: Partner, kind: str, expected: tuple[str, str]
) -> None:
    assert verdict(send(PID, "MRG|1", kind=kind))[:2] == expected
    assert Message.objects.get().status == Message.Status.REFUSED


@pytest.mark.parametrize("raw", [b"", b"hello", b"PID|1\rMSH|^~\\&|", b"\x00" * 50])
def test_what_is_no_hl7_is_answered_too(partner: Partner, raw: bytes) -> None:
    answers = list(receive(raw, "10.0.0.1"))
    assert verdict(parse(answers[0]))[0] == "AR"
    assert Message.objects.get().partner is None


# --- The acknowledgement -------------------------------------------------------------


def test_the_acknowledgement_swaps_sender_and_receiver(partner: Partner) -> None:
    answer = send(PID, control_id="MSG7", version="2.3.1")
    header = answer.header
    assert [header.get(n) for n in (3, 4, 5, 6)] == ["RIS", "IMG", "HIS", "HOSP"]
    assert header.raw(9) == "ACK^A08^ACK"
    assert (header.get(11), header.get(12)) == ("P", "2.3.1")
    msa = answer.first("MSA")
    assert msa is not None
    assert (msa.get(1), msa.get(2)) == ("AA", "MSG7")


def test_before_2_5_the_error_is_told_in_err_1(partner: Partner) -> None:
    answer = send("EVN|A08", version="2.3.1")
    err = answer.first("ERR")
    assert err is not None
    assert err.raw(1) == "PID^1^^101&Required field missing&HL70357"


def test_enhanced_mode_commits_first_and_answers_later(partner: Partner) -> None:
    raw = text_of(PID, accept="AL", application="AL")
    codes = [verdict(parse(one))[0] for one in receive(raw, "10.0.0.1")]
    assert codes == ["CA", "AA"]


def test_enhanced_mode_keeps_quiet_where_nothing_is_wanted(partner: Partner) -> None:
    assert list(receive(text_of(PID, accept="NE", application="NE"), "10.0.0.1")) == []
    assert list(receive(text_of(accept="NE", application="SU", control_id="2"), "")) == []
    errors = list(receive(text_of(accept="NE", application="ER", control_id="3"), "10.0.0.1"))
    assert [verdict(parse(one))[0] for one in errors] == ["AE"]
    assert Patient.objects.count() == 1


# --- Kept first, and taken once ------------------------------------------------------


def test_the_raw_bytes_are_kept_before_the_effect(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(news: Any) -> Any:
        raise RuntimeError("Doe^Jane")

    events = inbound.HANDLERS["ADT"]
    monkeypatch.setitem(inbound.HANDLERS, "ADT", (events[0], events[1], break_down))
    raw = text_of(PID)
    (answer,) = receive(raw, "10.0.0.1")
    assert verdict(parse(answer))[:2] == ("AE", "207")
    row = Message.objects.get()
    assert bytes(row.raw) == raw
    assert (row.status, row.error) == (Message.Status.STORED, "RuntimeError")


def test_our_own_failure_is_made_good_when_the_message_comes_again(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = inbound.HANDLERS["ADT"]
    with monkeypatch.context() as patch:
        patch.setitem(inbound.HANDLERS, "ADT", (events[0], events[1], lambda news: 1 / 0))
        assert verdict(send(PID))[0] == "AE"
    assert verdict(send(PID))[0] == "AA"
    assert Message.objects.get().status == Message.Status.PROCESSED


def test_no_name_is_logged_when_something_breaks(
    partner: Partner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(news: Any) -> Any:
        raise RuntimeError("Doe^Jane")

    events = inbound.HANDLERS["ADT"]
    monkeypatch.setitem(inbound.HANDLERS, "ADT", (events[0], events[1], break_down))
    send(PID)
    assert "RuntimeError" in caplog.text
    assert "Doe" not in caplog.text


def test_a_repeat_gets_the_same_answer_and_has_no_second_effect(
    partner: Partner, chest: Any
) -> None:
    raw = text_of(PID, ORC, OBR, kind="ORM^O01")
    first, second = list(receive(raw, "10.0.0.1")), list(receive(raw, "10.0.0.1"))
    assert first == second
    assert (Order.objects.count(), Message.objects.count()) == (1, 1)
    assert Message.objects.get().repeats == 1


def test_a_repeat_with_a_new_time_in_its_header_is_still_a_repeat(partner: Partner) -> None:
    send(PID, at="20240117080000")
    send(PID, at="20240117080100")
    assert Message.objects.count() == 1


def test_a_control_id_used_again_for_other_content_is_a_new_message(partner: Partner) -> None:
    send(PID)
    send(PID.replace("Doe", "Roe"))
    assert Message.objects.count() == 2
    assert Patient.objects.get().family_name == "Roe"
    assert Message.objects.latest("id").error.startswith("The control ID was used before")


def test_another_event_under_a_used_control_id_is_no_repeat(partner: Partner) -> None:
    send(PID, kind="ADT^A01")
    assert verdict(send(PID, kind="ADT^A11"))[0] == "AE"
    assert Message.objects.count() == 2


def test_a_refused_message_is_looked_at_again_when_repeated(partner: Partner) -> None:
    order = (PID, ORC, OBR)
    assert verdict(send(*order, kind="ORM^O01"))[:2] == ("AE", "103")
    ProcedureFactory(code="71020", scheme="CPT")
    assert verdict(send(*order, kind="ORM^O01"))[0] == "AA"
    assert Message.objects.count() == 1


def test_a_message_without_control_id_is_refused(partner: Partner) -> None:
    assert verdict(send(PID, control_id="")) == ("AE", "101", "MSH^1^10")


def test_a_message_that_cannot_even_be_kept_is_answered(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_options: Any) -> Any:
        raise OSError

    monkeypatch.setattr("apps.hl7.services.received.keep_received", fail)
    assert verdict(send(PID))[:2] == ("AE", "207")


def test_nul_characters_do_not_reach_the_database(partner: Partner, chest: Any) -> None:
    control_id = "A\x00B"
    answer = send(
        PID, ORC, OBR + r"|||||||||cl\X00\in\x00fo", kind="ORM^O01", control_id=control_id
    )
    assert verdict(answer)[0] == "AA"
    assert Message.objects.get().control_id == "AB"
    assert "clin" in Order.objects.get().clinical_information


def test_every_message_of_a_batch_is_answered(partner: Partner) -> None:
    raw = b"BHS|^~\\&|HIS\r" + text_of(PID) + text_of("EVN|", control_id="2") + b"BTS|2\r"
    answers = [verdict(parse(one))[0] for one in receive(raw, "10.0.0.1")]
    assert answers == ["AA", "AE"]


# --- Public messages -----------------------------------------------------------------


@pytest.mark.samples
def test_all_sample_messages_are_answered_and_a_second_round_changes_nothing(
    samples: Path,
) -> None:
    files = sorted(path for path in (samples / "hl7").rglob("*") if path.is_file())
    assert len(files) == 266
    for path in files:
        header = parse(path.read_bytes()).header
        Partner.objects.get_or_create(
            application=header.get(3), facility=header.get(4), defaults={"name": str(path)[-64:]}
        )
    ProcedureFactory(code="24725-4", scheme="LN")
    ProcedureFactory(code="24590-2", scheme="LN")
    ProcedureFactory(code="71020", scheme="CPT")
    first = [_codes(path) for path in files]
    counts = _counts()
    assert [_codes(path) for path in files] == first
    assert _counts() == counts
    assert counts[:3] == (6, 3, 3)
    assert {code for codes in first for code in codes} <= {"AA", "AE", "AR", "CA"}
    assert not Message.objects.filter(status=Message.Status.STORED).exists()


def _codes(path: Path) -> list[str]:
    raw = path.read_bytes()
    answers = [parse(one) for one in receive(raw, "127.0.0.1")]
    header = parse(raw).header
    if not (header.get(15) or header.get(16)):
        assert len(answers) == 1, path.name
    for answer in answers:
        msa = answer.first("MSA")
        assert msa is not None
        assert msa.get(2) == header.get(10), path.name
    return [verdict(answer)[0] for answer in answers]


def _counts() -> tuple[int, int, int, int]:
    return (
        Patient.objects.count(),
        Order.objects.count(),
        RequestedProcedure.objects.count(),
        Message.objects.count(),
    )
