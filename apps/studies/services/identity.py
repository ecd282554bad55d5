"""Who is on the screen: one line, made in one way, for reports and for images."""

from dataclasses import dataclass

from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient
from apps.studies.models import Study

TINTS = 8  # colours of the mark that pages about one patient have in common


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What the line says; `tint` is the number of the patient's colour, 0 to 7."""

    name: str
    native_name: str
    identifier: str
    birth_date: str
    age: str
    sex: str
    accession_number: str
    tint: int


def identity_of(patient: Patient, *, accession_number: str) -> Identity:
    """A patient's line beside an order. Uses the prefetch of the identifiers."""
    number = patient.primary_identifier
    return Identity(
        name=patient.display_name,
        native_name=patient.native_name,
        identifier=number.value if number else "",
        birth_date=patient.display_birth_date,
        age=patient.age,
        sex=patient.get_sex_display(),
        accession_number=accession_number,
        tint=patient.pk % TINTS,
    )


def identity_of_study(study: Study) -> Identity:
    """The line of a study: of its patient where that is known, else as the headers say."""
    if study.patient is None:
        return _as_sent(study)
    asked = RequestedProcedure.objects.filter(studies=study).select_related("order").first()
    accession = asked.order.accession_number if asked else study.accession_number
    return identity_of(study.patient, accession_number=accession)


def _as_sent(study: Study) -> Identity:
    sexes = {str(key): str(label) for key, label in Patient.Sex.choices}
    return Identity(
        name=study.shown_name,
        native_name="",
        identifier=study.patient_identifier,
        birth_date=study.shown_birth_date,
        age="",
        sex=sexes.get(study.patient_sex, study.patient_sex),
        accession_number=study.accession_number,
        tint=study.pk % TINTS,
    )
