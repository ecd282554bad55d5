"""ADT: PID and AL1 to patients (IHE RAD-1, RAD-12; ITI-30)."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from apps.dicom.names import in_latin_letters
from apps.hl7.acks import FieldMissing, ValueRefused
from apps.hl7.fields import FieldError, Identifier, PersonName, read_identifiers, read_names
from apps.hl7.fields import read_moment as read_ts
from apps.hl7.handlers import News
from apps.hl7.messages import Segment
from apps.hl7.services.received import Taken, is_old_news
from apps.patients.models import Patient
from apps.patients.services import (
    IdentifierDetails,
    PatientDetails,
    add_identifier,
    find_patient,
    register_patient,
    update_patient,
)

# Table 0001; A (ambiguous) and N (not applicable) are other.
SEX = {"M": "M", "F": "F", "O": "O", "A": "O", "N": "O", "U": ""}
LEGAL = frozenset({"", "L"})  # table 0200: aliases and maiden names are others
MEDICAL_RECORD = frozenset({"", "MR", "PI", "PN"})
DETAILS = tuple(PatientDetails.__dataclass_fields__)


def take_patient(news: News) -> Taken:
    """Register the patient of PID, or bring what is known up to date."""
    pid = patient_segment(news)
    identifiers = identifiers_of(news, pid)
    patient = known_patient(identifiers)
    if patient is None:
        patient = _register(news, pid, identifiers)
        return Taken(stream=f"patient:{patient.pk}", patient_id=patient.pk)
    stream = f"patient:{patient.pk}"
    if is_old_news(news.partner, stream=stream, happened_at=news.happened_at):
        note = _("Older than what is known: nothing changed.")
        return Taken(stream=stream, patient_id=patient.pk, note=note)
    update_patient(patient, details=_details(news, pid, patient), origin=news.origin)
    for one in identifiers:
        if find_patient(value=one.value, namespace=one.namespace) is None:
            add_identifier(patient, identifier=_to_details(one), origin=news.origin)
    return Taken(stream=stream, patient_id=patient.pk)


def patient_or_new(news: News) -> Patient:
    """The patient of an order: found by number, else registered from PID."""
    pid = patient_segment(news)
    identifiers = identifiers_of(news, pid)
    return known_patient(identifiers) or _register(news, pid, identifiers)


def patient_segment(news: News) -> Segment:
    pid = news.message.first("PID")
    if pid is None:
        raise FieldMissing(_("The message names no patient: PID is missing."), at="PID^1")
    return pid


def identifiers_of(news: News, pid: Segment) -> list[Identifier]:
    """The numbers of PID-3, the medical record number first, each with an issuer."""
    found = [
        Identifier(
            value=one.value,
            namespace=one.namespace or news.partner.numbers_namespace,
            type_code=one.type_code,
        )
        for one in read_identifiers(pid, 3)
    ]
    if not found:
        raise FieldMissing(_("The patient has no number: PID-3 is empty."), at="PID^1^3")
    if any(len(one.value) > 64 or len(one.namespace) > 64 for one in found):
        raise ValueRefused(_("A patient number is longer than 64 characters."), at="PID^1^3")
    return sorted(found, key=lambda one: one.type_code not in MEDICAL_RECORD)


def known_patient(identifiers: list[Identifier]) -> Patient | None:
    """Whoever has the first of these numbers that is known; a merged patient's survivor."""
    found = (find_patient(value=one.value, namespace=one.namespace) for one in identifiers)
    return next((patient for patient in found if patient), None)


def _register(news: News, pid: Segment, identifiers: list[Identifier]) -> Patient:
    return register_patient(
        _details(news, pid, None),
        identifiers=[_to_details(one) for one in identifiers],
        origin=news.origin,
    )


def _to_details(one: Identifier) -> IdentifierDetails:
    type_code = one.type_code if 0 < len(one.type_code) <= 8 else "MR"
    return IdentifierDetails(value=one.value, namespace=one.namespace, type_code=type_code)


def _details(news: News, pid: Segment, before: Patient | None) -> PatientDetails:
    """What PID says over what was known: empty leaves a field as it is, `""` empties it."""
    values: dict[str, Any] = {name: getattr(before, name) for name in DETAILS} if before else {}
    values.update(_names(pid))
    values.update(_birth(news, pid))
    values.update(_contact(pid))
    if pid.clears(8) or pid.get(8).upper() in SEX:
        values["sex"] = SEX.get(pid.get(8).upper(), "")
    if allergies := _allergies(news):
        values["allergies"] = allergies
    if not values.get("family_name"):
        raise FieldMissing(_("The patient has no name: PID-5 is empty."), at="PID^1^5")
    return PatientDetails(**values)


def _names(pid: Segment) -> dict[str, str]:
    names = [] if pid.clears(5) else read_names(pid, 5)
    found: dict[str, str] = {}
    alphabetic = _alphabetic(names)
    native = next((one for one in names if one.representation == "I"), None)
    for name, field in (
        (native or _native(names, alphabetic), "ideographic_name"),
        (next((one for one in names if one.representation == "P"), None), "phonetic_name"),
    ):
        if name:
            found[field] = _tidy(name.group)
    if alphabetic:
        found.update(
            # Somebody with one name only has it as the family name (PS3.5 6.2.1.1).
            family_name=_tidy(alphabetic.family or alphabetic.given),
            given_name=_tidy(alphabetic.given if alphabetic.family else ""),
            middle_name=_tidy(alphabetic.middle),
            name_prefix=_tidy(alphabetic.prefix),
            name_suffix=_tidy(alphabetic.suffix),
        )
    return found


def _alphabetic(names: list[PersonName]) -> PersonName | None:
    """The legal name in Latin letters; where there is no such, the first.

    Scanners read the Latin one. A name that does not say how it is written may be in any
    script, so that one marked as alphabetic, or in fact Latin, goes before it.
    """
    written = [one for one in names if one.representation in ("", "A")] or names
    proper = [one for one in written if one.type_code in LEGAL] or written
    return min(
        proper,
        key=lambda one: (
            not (one.representation == "A" or in_latin_letters(one.group)),
            one.type_code != "L",
        ),
        default=None,
    )


def _native(names: list[PersonName], alphabetic: PersonName | None) -> PersonName | None:
    """The name in the patient's own script, sent beside the Latin one and not marked."""
    others = [
        one
        for one in names
        if one is not alphabetic
        and one.representation == ""
        and one.type_code in LEGAL
        and not in_latin_letters(one.group)
    ]
    return others[0] if others else None


def _birth(news: News, pid: Segment) -> dict[str, Any]:
    if pid.clears(7):
        return {"birth_date": None, "birth_precision": ""}
    try:
        moment = read_ts(pid.get(7), zone=news.partner.zone)
    except FieldError as error:
        text = _("The date of birth in PID-7 is not a date.")
        raise ValueRefused(text, at="PID^1^7") from error
    if moment is None:
        return {}
    precision = "day" if moment.precision == "time" else moment.precision
    return {"birth_date": moment.at.date(), "birth_precision": precision}


def _contact(pid: Segment) -> dict[str, str]:
    found: dict[str, str] = {}
    for field, name in ((11, "address"), (13, "phone"), (15, "language")):
        if pid.clears(field):
            found[name] = ""
    if address := ", ".join(part for part in pid.components(11)[:6] if part and part != '""'):
        found.setdefault("address", address)
    if phone := pid.get(13) or "".join(pid.components(13)[5:7]):
        found.setdefault("phone", _tidy(phone)[:64])
    if language := pid.get(15):
        found.setdefault("language", language[:16])
    if email := _email(pid):
        found["email"] = email
    return found


def _email(pid: Segment) -> str:
    for number in range(1, pid.repetitions(13) + 1):
        text = pid.get(13, 4, repetition=number)
        try:
            validate_email(text)
        except ValidationError:
            continue
        return text
    return ""


def _allergies(news: News) -> str:
    """The texts of AL1-3 in one line; where the line is full it says that there are more."""
    texts = [one.get(3, 2) or one.get(3) for one in news.message.all("AL1")]
    line = ", ".join(dict.fromkeys(_tidy(text) for text in texts if text))
    return line if len(line) <= 64 else f"{line[:61]}..."


def _tidy(text: str) -> str:
    """One line without odd spaces."""
    return " ".join(text.split())
