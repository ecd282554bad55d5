"""Finding the order of a study: by its UID, by accession number and patient, by patient."""

from collections.abc import Iterable, Sequence

from django.db import transaction

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.amending import Change
from apps.dicom.dates import parse_partial_date
from apps.dicom.names import search_form
from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient, PatientIdentifier
from apps.studies.models import Correction, Series, Study
from apps.studies.services.coercing import coerce_from_order, undo_coercion
from apps.studies.services.correcting import WHOLE_STUDY, Scope, correct_study
from apps.worklist.services.images import forget_images, note_images

# Written out or dropped at will: MUELLER, MÜLLER and MULLER are one name.
_UMLAUTS = (("AE", "A"), ("OE", "O"), ("UE", "U"), ("SS", "S"))


def match_study(
    study: Study, *, procedure: RequestedProcedure, reason: str, origin: Origin
) -> Study:
    """Say that a study belongs to a requested procedure, and so to its patient.

    What another order said of it before is taken back.
    """
    with transaction.atomic():
        row = Study.objects.select_for_update().get(pk=study.pk)
        if row.match == Study.Match.MATCHED and row.procedures.filter(pk=procedure.pk).exists():
            return row
        if row.procedures.exclude(order=procedure.order_id).exists():
            _let_go(row, origin=origin)
            undo_coercion(row, origin=origin)
        _link(row, [procedure], reason, origin=origin)
    return row


def unmatch_study(study: Study, *, reason: str, origin: Origin) -> Study:
    """Say that a study does not belong to its order, nor to its patient."""
    with transaction.atomic():
        row = Study.objects.select_for_update().get(pk=study.pk)
        if row.match != Study.Match.MATCHED:
            return row
        _let_go(row, origin=origin)
        row.patient = None
        row.match, row.match_reason = Study.Match.UNMATCHED, reason[:200]
        row.revision += 1
        row.save(update_fields=["patient", "match", "match_reason", "revision"])
        undo_coercion(row, origin=origin)
        record(
            Kind.STUDY_UNMATCHED,
            row,
            origin=origin,
            accession_number=row.accession_number,
            study_instance_uid=row.study_instance_uid,
            details={"reason": reason[:200]},
        )
    return row


def correct_by_hand(
    study: Study,
    *,
    changes: Sequence[Change],
    reason: str,
    origin: Origin,
    series_changes: Sequence[Change] = (),
    series: Series | None = None,
) -> list[Correction]:
    """A person's corrections of a study, and of one series or all: together or not at all.

    A study without an order is looked at again with them. Raises NotCorrectableError.
    """
    source = Correction.Source.PERSON
    scopes = ((WHOLE_STUDY, changes), (Scope(series=series), series_changes))
    with transaction.atomic():
        made: list[Correction] = []
        for scope, some in scopes:
            made += correct_study(
                study, changes=some, reason=reason, source=source, origin=origin, scope=scope
            )
        row = Study.objects.select_for_update().get(pk=study.pk)
        if made and row.match != Study.Match.MATCHED:
            match_automatically(row, origin=origin)
    return made


def match_automatically(study: Study, *, origin: Origin, announce: bool = False) -> None:
    """Look for the order of an unmatched study; `announce` records that it was received.

    To be called in the transaction that holds the study. A contradiction between header
    and order links nothing: a person decides.
    """
    numbered = _patients_numbered(study)
    procedures, how = _find_procedures(study, numbered)
    order_patient = procedures[0].order.patient.survivor if procedures else None
    patient = order_patient or _only_one(numbered)
    contradictions = _contradictions(study, patient) if patient else []
    if announce:
        _announce(study, None if contradictions else patient, origin=origin)
    if procedures and not contradictions:
        _link(study, procedures, how, origin=origin)
        return
    if contradictions:
        study.match = Study.Match.CONFLICT
        found = f"order {procedures[0].order.accession_number}" if procedures else "the patient"
        study.match_reason = f"found {found}, but: {', '.join(contradictions)}"[:200]
    elif patient:
        study.patient = patient
        study.match_reason = "patient found by number; no order fits"
    else:
        study.match_reason = "no order and no patient fits"
    study.save(update_fields=["match", "match_reason", "patient"])


def _announce(study: Study, patient: Patient | None, *, origin: Origin) -> None:
    record(
        Kind.STUDY_RECEIVED,
        study,
        origin=origin,
        patient_id=patient.pk if patient else None,
        accession_number=study.accession_number,
        study_instance_uid=study.study_instance_uid,
    )


def _link(
    study: Study, procedures: Sequence[RequestedProcedure], reason: str, *, origin: Origin
) -> None:
    order = procedures[0].order
    study.patient = order.patient.survivor
    study.match = Study.Match.MATCHED
    study.match_reason = reason[:200]
    study.revision += 1
    study.save(update_fields=["patient", "match", "match_reason", "revision"])
    study.procedures.add(*procedures)
    record(
        Kind.STUDY_MATCHED,
        study,
        origin=origin,
        patient_id=study.patient.pk,
        accession_number=order.accession_number,
        study_instance_uid=study.study_instance_uid,
        details={"procedures": [one.pk for one in procedures], "reason": reason[:200]},
    )
    coerce_from_order(study, procedures, origin=origin)
    note_images(procedures, modalities=study.modality_list, origin=origin)


def _let_go(study: Study, *, origin: Origin) -> None:
    """The study answers none of its procedures any more; those without another wait again."""
    procedures = list(study.procedures.all())
    study.procedures.clear()
    forget_images([one for one in procedures if not one.studies.exists()], origin=origin)


def _find_procedures(
    study: Study, patients: Sequence[Patient]
) -> tuple[list[RequestedProcedure], str]:
    rows = RequestedProcedure.objects.select_related(
        "order__patient", "order__referrer", "procedure"
    )
    by_uid = list(rows.filter(study_instance_uid=study.study_instance_uid))
    if by_uid:
        return by_uid, "by Study Instance UID"
    if not (study.accession_number and study.patient_identifier):
        return [], ""
    by_accession = list(
        rows.filter(
            order__accession_number=study.accession_number, order__patient__in=patients
        ).exclude(order__status="cancelled")
    )
    if len({one.order_id for one in by_accession}) != 1:
        return [], ""
    fitting = [one for one in by_accession if one.procedure.modality in study.modality_list]
    return fitting or by_accession, "by accession number and patient"


def _only_one(patients: Iterable[Patient]) -> Patient | None:
    """By the number alone, if it is one person's; never by name."""
    found = {patient.survivor.pk: patient.survivor for patient in patients}
    return next(iter(found.values())) if len(found) == 1 else None


def _patients_numbered(study: Study) -> list[Patient]:
    if not study.patient_identifier:
        return []
    rows = PatientIdentifier.objects.filter(value=study.patient_identifier)
    known_issuer = rows.filter(issuer__namespace=study.patient_identifier_issuer)
    # An issuer that is unknown here tells nothing: modalities write all sorts of text.
    chosen = known_issuer if study.patient_identifier_issuer and known_issuer.exists() else rows
    return [row.patient for row in chosen.order_by("pk").select_related("patient__merged_into")]


def _contradictions(study: Study, patient: Patient) -> list[str]:
    """Where header and patient cannot both be right. Never holds the values themselves."""
    numbers = {row.value for row in patient.identifiers.all()}
    checks = (
        ("the patient ID differs", _number_differs(study, numbers)),
        ("the name differs", _name_differs(study.patient_name, patient)),
        ("the date of birth differs", _birth_date_differs(study.patient_birth_date, patient)),
        ("the sex differs", _sex_differs(study.patient_sex, patient.sex)),
    )
    return [words for words, differs in checks if differs]


def _number_differs(study: Study, numbers: set[str]) -> bool:
    return bool(study.patient_identifier and numbers) and study.patient_identifier not in numbers


def _name_differs(header: str, patient: Patient) -> bool:
    """Names agree if one holds all words of the other, umlauts written either way."""
    # The alphabetic group: modalities often drop the others.
    sent = _words(header.partition("=")[0])
    known = _words(patient.person_name.partition("=")[0])
    return bool(sent and known) and not (sent <= known or known <= sent)


def _words(name: str) -> set[str]:
    form = search_form(name)
    for long, short in _UMLAUTS:
        form = form.replace(long, short)
    return set(form.split())


def _birth_date_differs(header: str, patient: Patient) -> bool:
    sent = parse_partial_date(header)
    if sent is None or patient.birth_date is None:
        return False
    digits = {"year": 4, "month": 7, "day": 10}
    shared = min(digits[sent[1]], digits[patient.birth_precision])
    return sent[0].isoformat()[:shared] != patient.birth_date.isoformat()[:shared]


def _sex_differs(sent: str, known: str) -> bool:
    return {sent, known} == {"F", "M"}
