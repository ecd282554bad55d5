"""What the order of a study corrects in its images."""

from typing import Any

import pytest
from django.db import transaction

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.amending import Change
from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient
from apps.studies.checks import check_coerced
from apps.studies.models import Correction, Instance, Study
from apps.studies.services import (
    correct_by_hand,
    match_study,
    outgoing_file,
    store_instances,
    unmatch_study,
)
from apps.studies.spool import Spool
from apps.studies.tasks import follow_patients
from tests.dicom.objects import ct_image, part10
from tests.factories import (
    OrderFactory,
    PatientFactory,
    PatientIdentifierFactory,
    RequestedProcedureFactory,
)
from tests.studies.test_correct import sent, stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def procedure(db: None) -> RequestedProcedure:
    """Ordered for Jörg Müller, P0000001, born on 17 May 1980."""
    patient = person(family_name="Müller", given_name="Jörg", sex="M")
    PatientIdentifierFactory.create(patient=patient, value="P0000001")
    order = OrderFactory.create(patient=patient, accession_number="A0000001")
    made: RequestedProcedure = RequestedProcedureFactory.create(order=order)
    return made


def person(**fields: Any) -> Patient:
    patient: Patient = PatientFactory.create(**fields)
    return patient


def arrive(spool: Spool, origin: Origin, **values: Any) -> Instance:
    image = ct_image(**values)
    store_instances([spool.write([part10(image)])], origin=origin)
    return Instance.objects.select_related("series__study").get(
        sop_instance_uid=image.SOPInstanceUID
    )


def test_a_matched_study_shows_name_and_number_of_its_order(
    spool: Spool, origin: Origin, procedure: RequestedProcedure
) -> None:
    instance = arrive(
        spool,
        origin,
        StudyInstanceUID=procedure.study_instance_uid,
        PatientName="MUELLER^JOERG",
        AccessionNumber="0",
    )
    study = Study.objects.get()
    assert study.match == Study.Match.MATCHED
    assert (study.patient_name, study.accession_number) == ("Müller^Jörg", "A0000001")
    found = sent(instance)
    assert found.PatientName == "Müller^Jörg"
    assert found.AccessionNumber == "A0000001"
    item = found.OriginalAttributesSequence[0]
    assert item.ReasonForTheAttributeModification == "COERCE"
    assert item.ModifiedAttributesSequence[0].PatientName == "MUELLER^JOERG"
    assert set(Correction.objects.values_list("source", flat=True)) == {"order"}


def test_a_study_that_says_what_its_order_says_is_sent_byte_for_byte(
    spool: Spool, origin: Origin, procedure: RequestedProcedure
) -> None:
    instance = arrive(spool, origin, PatientName="Müller^Jörg^^^")
    assert Study.objects.get().match == Study.Match.MATCHED
    assert not Correction.objects.exists()
    assert b"".join(outgoing_file(instance)[1]()) == stored(instance)


def test_images_that_come_late_are_corrected_alike(
    spool: Spool, origin: Origin, procedure: RequestedProcedure
) -> None:
    same = {"StudyInstanceUID": procedure.study_instance_uid, "PatientName": "MUELLER^J"}
    arrive(spool, origin, **same)
    assert not Correction.objects.exists()  # a contradiction: a person decides
    match_study(Study.objects.get(), procedure=procedure, reason="seen", origin=origin)
    late = arrive(spool, origin, **same)
    assert sent(late).PatientName == "Müller^Jörg"
    study = Study.objects.get()
    assert study.patient_name == "Müller^Jörg"
    assert study.instance_count == 2


def test_contradictions_correct_nothing(
    spool: Spool, origin: Origin, procedure: RequestedProcedure
) -> None:
    arrive(spool, origin, PatientSex="F", StudyInstanceUID=procedure.study_instance_uid)
    assert Study.objects.get().match == Study.Match.CONFLICT
    assert not Correction.objects.exists()


def test_another_order_takes_back_what_the_first_one_said(
    spool: Spool, origin: Origin, procedure: RequestedProcedure
) -> None:
    instance = arrive(
        spool, origin, StudyInstanceUID=procedure.study_instance_uid, AccessionNumber=None
    )
    other = RequestedProcedureFactory.create(
        order=OrderFactory.create(patient=person(family_name="Other"), accession_number="B2")
    )
    match_study(Study.objects.get(), procedure=other, reason="wrong item", origin=origin)
    study = Study.objects.get()
    assert list(study.procedures.all()) == [other]
    assert (study.accession_number, study.patient_name) == ("B2", "Other^Given")
    originals = sent(instance).OriginalAttributesSequence
    assert len(originals) == 1
    assert originals[0].ModifiedAttributesSequence[0].AccessionNumber == ""


def test_a_study_taken_from_its_order_is_as_it_was_sent(
    spool: Spool, origin: Origin, procedure: RequestedProcedure
) -> None:
    instance = arrive(
        spool, origin, StudyInstanceUID=procedure.study_instance_uid, AccessionNumber=None
    )
    unmatch_study(Study.objects.get(), reason="wrong patient", origin=origin)
    study = Study.objects.get()
    assert (study.match, study.patient, study.overlay) == (Study.Match.UNMATCHED, None, 0)
    assert study.accession_number == ""
    row = Instance.objects.get(pk=instance.pk)
    assert b"".join(outgoing_file(row)[1]()) == stored(instance)


def test_a_corrected_number_finds_the_order(
    spool: Spool, origin: Origin, procedure: RequestedProcedure
) -> None:
    arrive(spool, origin, PatientID="P0000007")
    study = Study.objects.get()
    assert study.match == Study.Match.UNMATCHED
    correct_by_hand(
        study,
        changes=[Change("00100020", "LO", ["P0000001"])],
        reason="typed wrong",
        origin=origin,
    )
    study.refresh_from_db()
    assert study.match == Study.Match.MATCHED
    assert study.patient_identifier == "P0000001"


def test_an_updated_patient_is_followed(
    spool: Spool, origin: Origin, procedure: RequestedProcedure
) -> None:
    instance = arrive(spool, origin)
    patient = procedure.order.patient
    patient.family_name = "Schmidt"
    patient.save()
    with transaction.atomic():
        event = record(Kind.PATIENT_UPDATED, patient, origin=origin, patient_id=patient.pk)
    for _ in range(2):
        follow_patients(event.pk)
    assert Study.objects.get().patient_name == "Schmidt^Jörg"
    assert sent(instance).PatientName == "Schmidt^Jörg"
    assert [one.source for one in Correction.objects.all()] == [Correction.Source.PATIENT]


def test_a_site_may_leave_its_images_alone(
    spool: Spool, origin: Origin, procedure: RequestedProcedure, settings: Any
) -> None:
    settings.OPENPACS_COERCE_FROM_ORDER = []
    arrive(spool, origin, StudyInstanceUID=procedure.study_instance_uid, AccessionNumber=None)
    assert Study.objects.get().match == Study.Match.MATCHED
    assert not Correction.objects.exists()


def test_what_else_a_site_may_name(
    spool: Spool, origin: Origin, procedure: RequestedProcedure, settings: Any
) -> None:
    settings.OPENPACS_COERCE_FROM_ORDER = ["StudyDescription", "StudyID", "RequestedProcedureID"]
    instance = arrive(spool, origin)
    found = sent(instance)
    assert found.StudyDescription == procedure.meaning
    assert found.StudyID == procedure.identifier
    assert "RequestAttributesSequence" not in found


def test_an_attribute_that_no_order_knows_is_named_at_the_start(settings: Any) -> None:
    assert check_coerced() == []
    settings.OPENPACS_COERCE_FROM_ORDER = ["PatientID", "PatientNmae"]
    (problem,) = check_coerced()
    assert "names PatientNmae; an order knows AccessionNumber" in problem.msg
