"""The conformance statement says what the tables say, on paper and on its page."""

from collections.abc import Callable
from dataclasses import fields
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from pydicom.datadict import tag_for_keyword

from apps.dicom import sop_classes
from apps.dimse import status
from apps.dimse.conformance import as_markdown, conformance_statement
from apps.dimse.conformance.names import OPERATIONS
from apps.dimse.conformance.statement import LIMITS
from apps.dimse.conformance.structure import Section, Statement, Table
from apps.dimse.conformance.worklist import answered_keys
from apps.dimse.handlers import BY_SERVICE
from apps.dimse.limits import Limits
from apps.studies.querysets import INSTANCE_KEYS, SERIES_KEYS, STUDY_KEYS
from apps.worklist.conditions import OTHERS, STEP_SEQUENCE, TEXTS
from tests.factories import DeviceFactory

As = Callable[[str], Client]
DOCUMENT = Path(__file__).parents[2] / "docs" / "conformance.md"
# PS3.4 table K.6-1: return keys of type 1, 1C, 2 and 2C.
REQUIRED = {
    STEP_SEQUENCE: (
        "ScheduledStationAETitle ScheduledProcedureStepStartDate ScheduledProcedureStepStartTime "
        "Modality ScheduledPerformingPhysicianName ScheduledProcedureStepDescription "
        "ScheduledStationName ScheduledProcedureStepLocation ScheduledProtocolCodeSequence "
        "PreMedication ScheduledProcedureStepID RequestedContrastAgent"
    ),
    "": (
        "RequestedProcedureID RequestedProcedureDescription RequestedProcedureCodeSequence "
        "StudyInstanceUID ReferencedStudySequence RequestedProcedurePriority "
        "PatientTransportArrangements AccessionNumber RequestingPhysician ReferringPhysicianName "
        "AdmissionID CurrentPatientLocation ReferencedPatientSequence PatientName PatientID "
        "PatientBirthDate PatientSex PatientWeight "
        "ConfidentialityConstraintOnPatientDataDescription PatientState PregnancyStatus "
        "MedicalAlerts Allergies SpecialNeeds"
    ),
}


def text() -> str:
    return as_markdown(conformance_statement())


def test_the_document_is_what_the_program_says() -> None:
    said = StringIO()
    call_command("conformance", stdout=said)
    assert DOCUMENT.read_text(encoding="utf-8") == said.getvalue(), (
        "the tables have changed: manage.py conformance > docs/conformance.md"
    )


def test_every_operation_of_every_class_is_in_it() -> None:
    said = text()
    for operation, sop_class in BY_SERVICE:
        assert sop_class in said
        assert OPERATIONS[operation] in said


def test_every_storage_class_and_refusal_is_in_it() -> None:
    said = text()
    assert all(uid in said for uid in sop_classes.STORAGE)
    for refusal in (*status.TABLE.values(), status.UNEXPECTED):
        assert f"0x{refusal.composite:04X} | 0x{refusal.normalized:04X}" in said


def test_every_named_status_is_in_it() -> None:
    said = text()
    codes = [value for name, value in vars(status).items() if name.isupper()]
    for code in codes:
        if isinstance(code, int):
            assert f"0x{code:04X}" in said, f"0x{code:04X}"


@pytest.mark.parametrize(
    "keyword", sorted({*STUDY_KEYS, *SERIES_KEYS, *INSTANCE_KEYS, "ModalitiesInStudy"})
)
def test_every_key_of_a_query_is_in_it(keyword: str) -> None:
    tag = tag_for_keyword(keyword) or 0
    assert f"({tag >> 16:04X},{tag & 0xFFFF:04X})" in text()


@pytest.mark.parametrize("outer", REQUIRED, ids=["step", "root"])
def test_every_required_return_key_of_the_worklist_is_answered(outer: str) -> None:
    wanted = {f"{outer}.{name}".strip(".") for name in REQUIRED[outer].split()}
    assert wanted <= set(answered_keys())


def test_every_matching_key_of_the_worklist_is_answered_too() -> None:
    answered = {name.removeprefix(f"{STEP_SEQUENCE}.") for name in answered_keys()}
    assert {*TEXTS, *OTHERS} <= answered


def test_a_setting_that_changes_changes_the_statement(settings: Any) -> None:
    settings.OPENPACS_AE_TITLE, settings.WORKLIST_ANSWERS = "ARCHIVE9", 77
    assert "ARCHIVE9" in text()
    assert "At most 77 items" in text()


def test_every_limit_has_its_words() -> None:
    assert set(LIMITS) == {one.name for one in fields(Limits)}


def test_a_document_numbers_its_sections() -> None:
    inner = Section("Inner", ("One.",), (Table(("A", "B"), (("1|2", "3"),)),))
    made = Statement("T", (Section("First"), Section("Second", parts=(inner,))))
    assert as_markdown(made) == (
        "# T\n\n## 1 First\n\n## 2 Second\n\n### 2.1 Inner\n\nOne.\n\n"
        "| A | B |\n| --- | --- |\n| 1/2 | 3 |\n"
    )


@pytest.mark.django_db
def test_the_page_counts_devices_and_names_none(as_role: As) -> None:
    DeviceFactory.create(ae_title="SECRETCT", name="Hidden", require_tls=True)
    page = as_role("pacs-administrator").get(reverse("admin:conformance"))
    assert page.status_code == 200
    assert "This installation" in page.text
    assert "SECRETCT" not in page.text
    assert "Hidden" not in page.text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("role", "code"),
    [("system-administrator", 200), ("auditor", 200), ("technologist", 403), ("radiologist", 403)],
)
def test_the_page_is_for_those_who_see_devices(as_role: As, role: str, code: int) -> None:
    assert as_role(role).get(reverse("admin:conformance"), follow=True).status_code == code
