"""What a message does, and what its sender is told."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from apps.audit.models import Event, Kind
from apps.hl7 import inbound
from apps.hl7.inbound import receive
from apps.hl7.messages import ParsedMessage, parse
from apps.hl7.models import Message, Partner
from apps.orders.models import Order, Referrer, RequestedProcedure
from apps.orders.services import advance_order
from apps.patients.models import Patient, PatientIdentifier
from apps.worklist.models import ScheduledStep
from tests.factories import ProcedureFactory, ScheduledStepFactory

pytestmark = pytest.mark.django_db

PID = "PID|1||98765^^^HOSPITAL^MR||Doe^Jane^Marie^^Dr||19750620|F|||789 Elm St^^Chicago||555"
ORC = "ORC|NW|ORD001^HIS|||||^^^20240117083000^^R||20240117080000|||1234^Smith^John^^^Dr"
OBR = "OBR|1|ORD001^HIS||71020^CHEST PA AND LAT^CPT"


def text_of(*segments: str, kind: str = "ADT^A08", control_id: str = "1", **header: str) -> bytes:
    sender = header.get("sender", "HIS|HOSP")
    msh = (
        f"MSH|^~\\&|{sender}|RIS|IMG|{header.get('at', '20240117080000')}||{kind}|{control_id}"
        f"|{header.get('processing', 'P')}|{header.get('version', '2.5.1')}"
        f"|||{header.get('accept', '')}|{header.get('application', '')}"
    )
    return "\r".join((msh, *segments, "")).encode()


def send(*segments: str, address: str = "10.0.0.1", **header: str) -> ParsedMessage:
    """Send one message through the inbound path; returns the last answer."""
    answers = [parse(one) for one in receive(text_of(*segments, **header), address)]
    return answers[-1]


def verdict(answer: ParsedMessage) -> tuple[str, str, str]:
    """(MSA-1, the code of table 0357, the place of the error)."""
    msa, err = answer.first("MSA"), answer.first("ERR")
    assert msa is not None
    place = "^".join(err.components(2)) if err else ""
    return msa.get(1), err.get(3) if err else "", place


@pytest.fixture
def chest(db: None) -> Any:
    return ProcedureFactory(code="71020", scheme="CPT", meaning="Chest", modality="DX")


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


# --- Patients ------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["A01", "A04", "A05", "A08", "A28", "A31"])
def test_an_unknown_patient_is_registered(partner: Partner, event: str) -> None:
    assert verdict(send("EVN|" + event, PID, kind=f"ADT^{event}"))[0] == "AA"
    patient = Patient.objects.get()
    assert patient.person_name == "Doe^Jane^Marie^Dr"
    assert (patient.display_birth_date, patient.sex) == ("1975-06-20", "F")
    assert (patient.phone, patient.address) == ("555", "789 Elm St, Chicago")
    number = PatientIdentifier.objects.get(issuer__namespace="HOSPITAL")
    assert (number.value, number.type_code) == ("98765", "MR")


def test_a_known_patient_is_brought_up_to_date(partner: Partner) -> None:
    send(PID, kind="ADT^A04")
    send("PID|1||98765^^^HOSPITAL||Roe^Jane||1975|", control_id="2")
    patient = Patient.objects.get()
    assert (patient.person_name, patient.display_birth_date) == ("Roe^Jane", "1975")
    assert (patient.sex, patient.phone) == ("F", "555")


def test_two_quotes_empty_a_field_and_nothing_leaves_it(partner: Partner) -> None:
    send(PID)
    send('PID|1||98765^^^HOSPITAL||||""|""|||""||""', control_id="2")
    patient = Patient.objects.get()
    assert (patient.birth_date, patient.sex, patient.phone, patient.address) == (None, "", "", "")
    assert patient.family_name == "Doe"


def test_a_number_without_issuer_gets_the_one_of_the_partner(partner: Partner) -> None:
    Partner.objects.update(patient_issuer="WARDS")
    send("PID|1||7||Doe")
    assert PatientIdentifier.objects.filter(value="7", issuer__namespace="WARDS").exists()


def test_native_and_phonetic_names_are_kept(partner: Partner) -> None:
    send("PID|1||7||Yamada^Taro^^^^^L^A~山田^太郎^^^^^L^I~やまだ^たろう^^^^^L^P")
    assert Patient.objects.get().person_name == "Yamada^Taro=山田^太郎=やまだ^たろう"


def test_older_news_does_not_undo_newer(partner: Partner) -> None:
    send("EVN|A08|20240117100000", PID)
    send("EVN|A08|20240117090000", PID.replace("Doe", "Old"), control_id="2")
    assert Patient.objects.get().family_name == "Doe"
    assert Message.objects.get(control_id="2").error.startswith("Older")


def test_a_clock_that_runs_ahead_does_not_stop_later_news(partner: Partner) -> None:
    send("EVN|A08|20990117100000", PID)
    send("EVN|A08|20240117090000", PID.replace("Doe", "Roe"), control_id="2")
    assert Patient.objects.get().family_name == "Roe"


@pytest.mark.parametrize(
    ("pid", "expected"),
    [
        ("PID|1||||Doe", ("AE", "101", "PID^1^3")),
        ("PID|1||7", ("AE", "101", "PID^1^5")),
        ("PID|1||7||Doe||never", ("AE", "102", "PID^1^7")),
        ("PID|1||7||" + "x" * 65, ("AE", "102", "")),
        ("PID|1||" + "7" * 65 + "||Doe", ("AE", "102", "PID^1^3")),
    ],
)
def test_a_patient_that_cannot_be_stored_is_refused_with_the_place(
    partner: Partner, pid: str, expected: tuple[str, str, str]
) -> None:
    assert verdict(send(pid)) == expected
    assert Patient.objects.count() == 0


def test_an_injected_segment_in_a_name_stays_in_the_name(partner: Partner) -> None:
    send(r"PID|1||7||Doe\.br\OBX\F\1^Jane")
    assert Patient.objects.get().family_name == "Doe OBX|1"


# --- Orders --------------------------------------------------------------------------


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
