"""Finding the order of a study."""

import datetime
from typing import Any

import pytest

from apps.audit.models import Event
from apps.audit.services import Origin
from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient
from apps.studies.models import Study
from apps.studies.services import match_study, settle_study, store_instances
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10
from tests.factories import (
    OrderFactory,
    PatientFactory,
    PatientIdentifierFactory,
    RequestedProcedureFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def patient(db: None) -> Patient:
    patient: Patient = PatientFactory.create(
        family_name="Müller",
        given_name="Jörg",
        sex="M",
        birth_date=datetime.date(1980, 5, 17),
    )
    PatientIdentifierFactory.create(patient=patient, value="P0000001")
    return patient


@pytest.fixture
def procedure(patient: Patient) -> RequestedProcedure:
    order = OrderFactory.create(patient=patient, accession_number="A0000001")
    made: RequestedProcedure = RequestedProcedureFactory.create(order=order)
    return made


def arrived(spool: Spool, origin: Origin, **values: Any) -> Study:
    image = ct_image(**values)
    store_instances([spool.write([part10(image)])], origin=origin)
    return Study.objects.get(study_instance_uid=image.StudyInstanceUID)


def kinds() -> list[str]:
    return list(Event.objects.order_by("id").values_list("kind", flat=True))


def test_the_study_uid_of_the_worklist_finds_the_order(
    spool: Spool, origin: Origin, procedure: RequestedProcedure
) -> None:
    study = arrived(
        spool, origin, StudyInstanceUID=procedure.study_instance_uid, AccessionNumber=None
    )
    assert study.match == Study.Match.MATCHED
    assert study.patient == procedure.order.patient
    assert list(study.procedures.all()) == [procedure]
    assert study.match_reason == "by Study Instance UID"
    assert kinds() == ["study-received", "study-matched", "study-corrected", "order-changed"]
    event = Event.objects.get(kind="study-matched")
    assert event.accession_number == "A0000001"
    assert event.patient_id == procedure.order.patient.pk


def test_accession_number_and_patient_together_find_the_order(
    spool: Spool, origin: Origin, procedure: RequestedProcedure
) -> None:
    study = arrived(spool, origin)
    assert study.match == Study.Match.MATCHED
    assert study.match_reason == "by accession number and patient"


def test_an_accession_number_of_somebody_else_finds_only_the_patient(
    spool: Spool, origin: Origin, procedure: RequestedProcedure
) -> None:
    stranger = PatientFactory.create(family_name="Müller", given_name="Jörg", sex="M")
    PatientIdentifierFactory.create(patient=stranger, value="P0000002")
    study = arrived(spool, origin, PatientID="P0000002")
    assert study.match == Study.Match.UNMATCHED
    assert study.patient == stranger
    assert not study.procedures.exists()


def test_nobody_is_guessed_from_a_name(
    spool: Spool, origin: Origin, procedure: RequestedProcedure
) -> None:
    study = arrived(spool, origin, PatientID="UNKNOWN")
    assert (study.match, study.patient) == (Study.Match.UNMATCHED, None)
    assert kinds() == ["study-received"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"PatientName": "Schmidt^Jörg"}, "name"),
        ({"PatientBirthDate": "19800518"}, "date of birth"),
        ({"PatientSex": "F"}, "sex"),
        ({"PatientID": "P9999999"}, "patient ID"),
    ],
)
def test_a_contradiction_links_nothing_and_says_what_differs(
    spool: Spool,
    origin: Origin,
    procedure: RequestedProcedure,
    values: dict[str, str],
    words: str,
) -> None:
    study = arrived(spool, origin, StudyInstanceUID=procedure.study_instance_uid, **values)
    assert study.match == Study.Match.CONFLICT
    assert f"the {words} differs" in study.match_reason
    assert study.patient is None
    assert not study.procedures.exists()
    assert Event.objects.get().patient_id is None
    assert "Schmidt" not in study.match_reason


@pytest.mark.parametrize(
    "values",
    [
        {"PatientName": "MUELLER^JOERG"},
        {"PatientName": "Muller^Jorg^Hans"},
        {"PatientName": "Müller"},
        {"PatientName": None, "PatientBirthDate": None, "PatientSex": None},
        {"PatientSex": "O"},
    ],
)
def test_what_is_only_written_differently_is_no_contradiction(
    spool: Spool, origin: Origin, procedure: RequestedProcedure, values: dict[str, Any]
) -> None:
    assert arrived(spool, origin, **values).match == Study.Match.MATCHED


def test_images_of_a_merged_patient_go_to_the_survivor(
    spool: Spool, origin: Origin, procedure: RequestedProcedure, patient: Patient
) -> None:
    survivor = PatientFactory.create(
        family_name="Müller", given_name="Jörg", sex="M", birth_date=patient.birth_date
    )
    patient.identifiers.update(patient=survivor)
    patient.status, patient.merged_into = Patient.Status.MERGED, survivor
    patient.save()
    study = arrived(spool, origin, StudyInstanceUID=procedure.study_instance_uid)
    assert study.patient == survivor


def test_a_person_settles_what_the_machine_could_not(
    spool: Spool, origin: Origin, procedure: RequestedProcedure
) -> None:
    study = arrived(spool, origin, PatientID="UNKNOWN")
    match_study(study, procedure=procedure, reason="seen on the images", origin=origin)
    match_study(study, procedure=procedure, reason="clicked twice", origin=origin)
    study.refresh_from_db()
    assert (study.match, study.match_reason) == (Study.Match.MATCHED, "seen on the images")
    assert kinds() == ["study-received", "study-matched", "study-corrected", "order-changed"]


def test_a_study_is_complete_once_when_it_is_quiet(
    spool: Spool, origin: Origin, settings: Any
) -> None:
    study = arrived(spool, origin)
    assert not settle_study(study, origin=origin)
    settings.OPENPACS_STUDY_QUIET_SECONDS = 0
    assert settle_study(study, origin=origin)
    assert not settle_study(study, origin=origin)
    late = ct_image(StudyInstanceUID=study.study_instance_uid)
    store_instances([spool.write([part10(late)])], origin=origin)
    assert settle_study(study, origin=origin)
    study.refresh_from_db()
    assert study.status == Study.Status.AVAILABLE
    assert kinds() == ["study-received", "study-complete", "study-extended"]


def test_an_order_placed_after_the_images_is_found_when_they_settle(
    spool: Spool, origin: Origin, patient: Patient, settings: Any
) -> None:
    study = arrived(spool, origin)
    assert study.match == Study.Match.UNMATCHED
    order = OrderFactory.create(patient=patient, accession_number="A0000001")
    RequestedProcedureFactory.create(order=order)
    settings.OPENPACS_STUDY_QUIET_SECONDS = 0
    settle_study(study, origin=origin)
    study.refresh_from_db()
    assert study.match == Study.Match.MATCHED
    assert kinds() == ["study-received", "study-matched", "order-changed", "study-complete"]
