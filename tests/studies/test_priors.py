"""Which other studies of a patient a reader wants to see first."""

import datetime
from typing import Any

import pytest

from apps.patients.models import Patient
from apps.studies.body_parts import regions
from apps.studies.models import Study
from apps.studies.services import not_of, relevant_priors
from tests.factories import IssuerFactory, PatientFactory, PatientIdentifierFactory
from tests.reports.rows import make_order, make_study
from tests.studies.rows import make_series

pytestmark = pytest.mark.django_db


@pytest.fixture
def patient() -> Patient:
    found: Patient = PatientFactory.create()
    PatientIdentifierFactory.create(patient=found, value="N1")
    return found


def study_of(patient: Patient | None, part: str = "CHEST", **fields: Any) -> Study:
    given = {"patient": patient, "modalities": "\\CT\\", **fields}
    study = make_study(**given)
    if part:
        make_series(study, body_part=part)
    return study


def priors(study: Study) -> list[Study]:
    return [prior.study for prior in relevant_priors(study, among=Study.objects.all())]


def on(year: int) -> datetime.date:
    return datetime.date(year, 1, 1)


def test_body_part_and_modality_come_first_then_body_part_then_modality(patient: Patient) -> None:
    now = study_of(patient, study_date=on(2026))
    neither = study_of(patient, "KNEE", modalities="\\MR\\", study_date=on(2025))
    modality = study_of(patient, "HEAD", study_date=on(2024))
    part = study_of(patient, modalities="\\CR\\", study_date=on(2023))
    both_old = study_of(patient, "LUNG", study_date=on(2010))
    both = study_of(patient, "THORAX", study_date=on(2011))
    assert priors(now) == [both, both_old, part, modality, neither]


def test_what_they_have_in_common_is_said(patient: Patient) -> None:
    now = study_of(patient)
    study_of(patient)
    study_of(patient, "KNEE", modalities="\\MR\\SR\\")
    found = relevant_priors(now, among=Study.objects.all())
    said = [(prior.is_relevant, prior.reason) for prior in found]
    assert said == [(True, "Same body part and modality"), (False, "")]


def test_structured_reports_are_no_modality_in_common(patient: Patient) -> None:
    now = study_of(patient, modalities="\\CT\\SR\\")
    study_of(patient, "KNEE", modalities="\\MR\\SR\\")
    (found,) = relevant_priors(now, among=Study.objects.all())
    assert not found.same_modality


def test_the_procedure_tells_the_body_part_where_the_series_do_not(patient: Patient) -> None:
    now = study_of(patient)
    knee = study_of(patient, "KNEE", study_date=on(2025))
    ordered = make_study(make_order(patient=patient), study_date=on(2001))  # CT of the chest
    assert priors(now) == [ordered, knee]


def test_the_description_tells_the_body_part_where_nothing_else_does(patient: Patient) -> None:
    now = study_of(patient)
    knee = study_of(patient, "KNEE", study_date=on(2025))
    described = study_of(patient, "", description="CT Thorax nativ", study_date=on(2001))
    assert priors(now) == [described, knee]


def test_studies_under_every_number_of_the_patient_are_found(patient: Patient) -> None:
    elsewhere = IssuerFactory.create(namespace="ELSEWHERE")
    PatientIdentifierFactory.create(patient=patient, value="X9", issuer=elsewhere, preferred=False)
    now = study_of(patient)
    by_issuer = study_of(None, patient_identifier="X9", patient_identifier_issuer="ELSEWHERE")
    without = study_of(None, patient_identifier="N1")
    study_of(None, patient_identifier="X9", patient_identifier_issuer="THIRD")
    study_of(None, patient_identifier="N2")
    study_of(PatientFactory.create(), patient_identifier="N1")
    assert set(priors(now)) == {by_issuer, without}


def test_a_number_that_two_have_says_nothing_without_its_issuer(patient: Patient) -> None:
    elsewhere = IssuerFactory.create(namespace="ELSEWHERE")
    PatientIdentifierFactory.create(value="N1", issuer=elsewhere)
    now = study_of(patient)
    study_of(None, patient_identifier="N1")
    assert priors(now) == []


def test_what_contradicts_its_order_is_nobodys(patient: Patient) -> None:
    now = study_of(patient)
    study_of(None, patient_identifier="N1", match=Study.Match.CONFLICT)
    assert priors(now) == []


def test_merged_records_are_one_person(patient: Patient) -> None:
    merged = Patient.Status.MERGED
    first = PatientFactory.create(status=merged, merged_into=patient)
    second = PatientFactory.create(status=merged, merged_into=first)
    PatientIdentifierFactory.create(patient=second, value="OLD")
    now = study_of(patient)
    linked = study_of(second)
    unlinked = study_of(None, patient_identifier="OLD", patient_identifier_issuer="OPENPACS")
    assert set(priors(now)) == {linked, unlinked}
    assert set(priors(linked)) == {now, unlinked}


def test_an_unlinked_study_finds_its_like_by_number_and_issuer(patient: Patient) -> None:
    known = study_of(None, patient_identifier="N1", patient_identifier_issuer="OPENPACS")
    linked = study_of(patient)
    strange = study_of(None, patient_identifier="Z", patient_identifier_issuer="Q")
    like = study_of(None, patient_identifier="Z", patient_identifier_issuer="Q")
    study_of(None, patient_identifier="Z")
    nameless = study_of(None)
    study_of(None)
    assert (priors(known), priors(strange), priors(nameless)) == ([linked], [like], [])


def test_whichever_study_is_asked_first_the_patient_is_the_same(patient: Patient) -> None:
    linked = study_of(patient)
    without_issuer = study_of(None, patient_identifier="N1")
    conflict = study_of(None, patient_identifier="N1", match=Study.Match.CONFLICT)
    assert (priors(linked), priors(without_issuer)) == ([without_issuer], [linked])
    assert linked not in priors(conflict)


def test_any_number_of_priors_takes_the_same_queries(
    patient: Patient, django_assert_num_queries: Any
) -> None:
    now = study_of(patient)
    for year in range(2000, 2020):
        study = make_study(make_order(patient=patient), study_date=on(year))
        make_series(study, body_part="CHEST")
    now = Study.objects.select_related("patient").get(pk=now.pk)
    with django_assert_num_queries(9):
        assert len(relevant_priors(now, among=Study.objects.all())) == 20


def test_studies_of_others_and_unknown_ones_are_told_apart(patient: Patient) -> None:
    own, other = study_of(patient), study_of(PatientFactory.create())
    uids = [own.study_instance_uid, other.study_instance_uid, "2.25.404", "nonsense"]
    assert not_of(patient, uids) == uids[1:]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("CT of the chest", {"chest"}),
        ("LSPINE", {"spine"}),
        ("CHESTABDPELVIS", {"chest", "abdomen", "pelvis"}),
        ("MR Knie", set()),
        ("", set()),
    ],
)
def test_regions_are_read_from_words(text: str, found: set[str]) -> None:
    assert regions([text]) == found
