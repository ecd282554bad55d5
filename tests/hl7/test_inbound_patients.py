"""Patients that other systems tell of."""

import pytest

from apps.hl7.models import Message, Partner
from apps.patients.models import Patient, PatientIdentifier
from tests.hl7.asking import PID, send, verdict

pytestmark = pytest.mark.django_db


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


@pytest.mark.parametrize(
    "names",
    [
        "สมชาย^ใจดี~Somchai^Jaidee^^^^^^A",
        "สมชาย^ใจดี^^^^^L~Somchai^Jaidee^^^^^L",
        "สมชาย^ใจดี^^^^^L~Somchai^Jaidee^^^^^L^A~Nok^^^^^^N",
    ],
)
def test_the_latin_name_goes_before_one_in_another_script_sent_without_a_mark(
    partner: Partner, names: str
) -> None:
    send(f"PID|1||7||{names}")
    assert Patient.objects.get().person_name == "Somchai^Jaidee=สมชาย^ใจดี"


def test_a_nickname_in_latin_letters_is_not_the_name(partner: Partner) -> None:
    send("PID|1||7||Иванов^Иван^^^^^L~Vanya^^^^^^N")
    assert Patient.objects.get().person_name == "Иванов^Иван"


def test_news_that_tell_only_their_day_are_as_old_as_their_message(partner: Partner) -> None:
    send("EVN|A08|20240117", PID, at="20240117100000")
    send("EVN|A08|20240117", PID.replace("Doe", "Old"), control_id="2", at="20240117090000")
    assert Patient.objects.get().family_name == "Doe"


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
