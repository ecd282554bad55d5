"""MPPS over the wire: N-CREATE, N-SET, N-GET."""

import pytest
from django.utils import timezone
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pynetdicom.association import Association

from apps.audit.models import Event, Kind
from apps.dimse.listener import Listener
from apps.patients.models import Patient
from apps.worklist.models import Device, PerformedStep, ScheduledStep
from tests.dimse.conftest import Dial, keep
from tests.factories import PatientIdentifierFactory, ScheduledStepFactory

MPPS = "1.2.840.10008.3.1.2.3.3"
RETRIEVE = "1.2.840.10008.3.1.2.3.4"


@pytest.fixture
def association(listener: Listener, dial: Dial) -> Association:
    return dial(listener, MPPS, RETRIEVE)


def beginning(step: ScheduledStep | None = None) -> Dataset:
    report = Dataset()
    report.Modality = "CT"
    report.PerformedProcedureStepID = "PPS1"
    report.PerformedStationAETitle = "CT1"
    report.PerformedProcedureStepStartDate = "20250102"
    report.PerformedProcedureStepStartTime = "101500"
    report.PerformedProcedureStepStatus = "IN PROGRESS"
    item = Dataset()
    item.StudyInstanceUID = step.requested_procedure.study_instance_uid if step else "2.25.5"
    item.ScheduledProcedureStepID = step.identifier if step else ""
    item.AccessionNumber = step.requested_procedure.order.accession_number if step else ""
    report.ScheduledStepAttributesSequence = Sequence([item])
    return report


def ending(status: str, reason: str = "") -> Dataset:
    report = Dataset()
    report.PerformedProcedureStepStatus = status
    report.PerformedProcedureStepEndDate = "20250102"
    report.PerformedProcedureStepEndTime = "103000"
    if reason:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = reason, "DCM", "x"
        report.PerformedProcedureStepDiscontinuationReasonCodeSequence = Sequence([code])
    return report


def create(association: Association, report: Dataset, uid: str = "2.25.11") -> int:
    status, _attributes = association.send_n_create(report, MPPS, uid)
    return int(status.Status)


def change(association: Association, report: Dataset, uid: str = "2.25.11") -> Dataset:
    status, _attributes = association.send_n_set(report, MPPS, uid)
    return status


def test_a_device_starts_and_completes_a_step(association: Association, device: Device) -> None:
    step = ScheduledStepFactory.create()
    assert create(association, beginning(step)) == 0
    step.refresh_from_db()
    assert step.status == "STARTED"
    assert step.started_at is not None
    assert f"{step.started_at:%Y-%m-%d %H:%M}" == "2025-01-02 10:15"
    assert change(association, ending("COMPLETED")).Status == 0
    step.refresh_from_db()
    assert step.status == "COMPLETED"
    assert PerformedStep.objects.get().device == device


def test_a_second_create_is_a_duplicate(association: Association) -> None:
    assert create(association, beginning()) == 0
    assert create(association, beginning()) == 0x0111


def test_a_final_report_refuses_changes_with_the_error_id(association: Association) -> None:
    create(association, beginning())
    change(association, ending("COMPLETED"))
    answer = change(association, ending("DISCONTINUED"))
    assert answer.Status == 0x0110
    assert answer.ErrorID == 0xA710


def test_the_wrong_worklist_entry_is_on_the_worklist_again(association: Association) -> None:
    step = ScheduledStepFactory.create()
    create(association, beginning(step))
    change(association, ending("DISCONTINUED", "110514"))
    step.refresh_from_db()
    assert step.status == "SCHEDULED"


# PS3.4 F.7.2 and table F.7.2-1: what is wrong with an N-CREATE, and the status it gets.
REFUSED_AT_THE_BEGINNING: list[tuple[str, object, int]] = [
    ("ScheduledStepAttributesSequence", None, 0x0120),
    ("ScheduledStepAttributesSequence", [], 0x0121),
    ("PerformedProcedureStepID", None, 0x0120),
    ("PerformedProcedureStepID", "", 0x0121),
    ("PerformedStationAETitle", None, 0x0120),
    ("PerformedStationAETitle", "", 0x0121),
    ("PerformedProcedureStepStartDate", None, 0x0120),
    ("PerformedProcedureStepStartDate", "yesterday", 0x0106),
    ("PerformedProcedureStepStartTime", "", 0x0121),
    ("PerformedProcedureStepStartTime", "noon", 0x0106),
    ("Modality", None, 0x0120),
    ("Modality", "", 0x0121),
    ("PerformedProcedureStepStatus", None, 0x0120),
    ("PerformedProcedureStepStatus", "", 0x0121),
    ("PerformedProcedureStepStatus", "COMPLETED", 0x0106),
    ("PerformedProcedureStepStatus", "BEGUN", 0x0106),
]


@pytest.mark.parametrize(("keyword", "value", "expected"), REFUSED_AT_THE_BEGINNING)
def test_a_report_that_lacks_what_it_needs_is_refused(
    association: Association, keyword: str, value: object, expected: int
) -> None:
    report = beginning()
    with config.disable_value_validation():
        if value is None:
            delattr(report, keyword)
        else:
            setattr(report, keyword, value)
        assert create(association, report) == expected
    assert not PerformedStep.objects.exists()


@pytest.mark.parametrize(("uid", "expected"), [("", 0x0121), ("1.2.x", 0x0106)])
def test_a_report_needs_the_study_uid_of_each_step(
    association: Association, uid: str, expected: int
) -> None:
    report = beginning()
    with config.disable_value_validation():
        report.ScheduledStepAttributesSequence[0].StudyInstanceUID = uid
        assert create(association, report) == expected


# What a device may do after its N-CREATE: the changes in order, and the status of each.
CHANGES: list[tuple[list[tuple[str, int]], str]] = [
    ([("", 0), ("IN PROGRESS", 0), ("COMPLETED", 0)], "COMPLETED"),
    ([("DISCONTINUED", 0)], "DISCONTINUED"),
    ([("COMPLETED", 0), ("COMPLETED", 0x0110)], "COMPLETED"),
    ([("COMPLETED", 0), ("IN PROGRESS", 0x0110)], "COMPLETED"),
    ([("DISCONTINUED", 0), ("COMPLETED", 0x0110)], "DISCONTINUED"),
    ([("DONE", 0x0106), ("COMPLETED", 0)], "COMPLETED"),
]


@pytest.mark.parametrize(("changes", "last"), CHANGES)
def test_a_report_moves_as_the_standard_has_it(
    association: Association, changes: list[tuple[str, int]], last: str
) -> None:
    step = ScheduledStepFactory.create()
    create(association, beginning(step))
    assert [change(association, ending(wanted)).Status for wanted, _ in changes] == [
        expected for _, expected in changes
    ]
    step.refresh_from_db()
    assert step.status == last


def test_an_end_that_no_calendar_knows_is_refused(association: Association) -> None:
    create(association, beginning())
    report = ending("COMPLETED")
    with config.disable_value_validation():
        report.PerformedProcedureStepEndDate = "20250230"
        assert change(association, report).Status == 0x0106
    assert PerformedStep.objects.get().status == "IN PROGRESS"


def test_a_device_that_does_not_say_when_it_ended_ended_now(association: Association) -> None:
    create(association, beginning())
    report = ending("COMPLETED")
    del report.PerformedProcedureStepEndDate
    assert change(association, report).Status == 0
    ended = PerformedStep.objects.get().ended_at
    assert ended is not None
    assert abs((timezone.now() - ended).total_seconds()) < 60


def test_a_series_without_a_proper_uid_is_refused(association: Association) -> None:
    create(association, beginning())
    report, series = ending("COMPLETED"), Dataset()
    with config.disable_value_validation():
        series.SeriesInstanceUID = "first"
        report.PerformedSeriesSequence = Sequence([series])
        assert change(association, report).Status == 0x0106


def test_one_report_may_be_about_several_steps(association: Association) -> None:
    steps = [ScheduledStepFactory.create() for _ in range(3)]
    report = beginning(steps[0])
    report.ScheduledStepAttributesSequence.extend(
        beginning(step).ScheduledStepAttributesSequence[0] for step in steps[1:]
    )
    create(association, report)
    change(association, ending("COMPLETED"))
    assert {ScheduledStep.objects.get(pk=step.pk).status for step in steps} == {"COMPLETED"}


def test_several_reports_may_be_about_one_step(association: Association) -> None:
    step = ScheduledStepFactory.create()
    create(association, beginning(step), "2.25.11")
    create(association, beginning(step), "2.25.12")
    change(association, ending("DISCONTINUED", "110501"), "2.25.11")
    step.refresh_from_db()
    assert step.status == "STARTED"
    change(association, ending("COMPLETED"), "2.25.12")
    step.refresh_from_db()
    assert step.status == "COMPLETED"


def test_an_exam_nobody_scheduled_is_reported_all_the_same(association: Association) -> None:
    waiting = ScheduledStepFactory.create()
    assert create(association, beginning()) == 0
    assert change(association, ending("COMPLETED")).Status == 0
    assert not PerformedStep.objects.get().scheduled_steps.exists()
    waiting.refresh_from_db()
    assert waiting.status == "SCHEDULED"


def test_images_may_come_before_the_report(association: Association, device: Device) -> None:
    step = ScheduledStepFactory.create()
    uid = step.requested_procedure.study_instance_uid
    keep("2.25.1", study=uid)
    assert create(association, beginning(step)) == 0
    assert change(association, ending("COMPLETED")).Status == 0
    step.refresh_from_db()
    assert step.status == "COMPLETED"


def test_a_step_that_was_cancelled_stays_so_when_it_is_done_all_the_same(
    association: Association,
) -> None:
    step = ScheduledStepFactory.create()
    ScheduledStep.objects.filter(pk=step.pk).update(status="CANCELED")
    assert create(association, beginning(step)) == 0
    assert change(association, ending("COMPLETED")).Status == 0
    step.refresh_from_db()
    assert step.status == "CANCELED"
    assert list(PerformedStep.objects.get().scheduled_steps.all()) == [step]


WHO = [
    # Patient ID and name in the report; is it the patient of the step?
    ("MINE", "Somebody^Else", True),  # the number decides
    ("", "Somebody^Else", True),
    ("THEIRS", "Doe^Jane", False),  # the number of another patient
    ("TYPO", "DOE^JANE^A", True),  # nobody has it, but the name fits
    ("TYPO", "Somebody^Else", False),
    ("OLD", "", True),  # of a patient merged into this one
]


@pytest.mark.parametrize(("number", "name", "same"), WHO)
def test_what_was_done_to_another_patient_does_not_start_a_step(
    association: Association, number: str, name: str, same: bool
) -> None:
    step = ScheduledStepFactory.create()
    patient = step.requested_procedure.order.patient
    Patient.objects.filter(pk=patient.pk).update(family_name="Doe", given_name="Jane")
    PatientIdentifierFactory.create(patient=patient, value="MINE")
    PatientIdentifierFactory.create(value="THEIRS")
    old = PatientIdentifierFactory.create(value="OLD").patient
    Patient.objects.filter(pk=old.pk).update(status="merged", merged_into=patient)
    report = beginning(step)
    report.PatientID, report.PatientName = number, name
    assert create(association, report) == 0
    step.refresh_from_db()
    assert step.status == ("STARTED" if same else "SCHEDULED")
    if not same:
        assert Event.objects.get(kind=Kind.STEP_STARTED).details["why"] == "another patient"


def test_a_report_that_does_not_begin_in_progress_is_refused(association: Association) -> None:
    report = beginning()
    report.PerformedProcedureStepStatus = "COMPLETED"
    assert create(association, report) == 0x0106
    del report.PerformedProcedureStepStatus
    assert create(association, report) == 0x0120
    assert not PerformedStep.objects.exists()


def test_changing_an_unknown_report_is_refused(association: Association) -> None:
    assert change(association, ending("COMPLETED"), "2.25.404").Status == 0x0112


def test_a_report_can_be_read_back(association: Association) -> None:
    create(association, beginning())
    tags = [BaseTag(0x00400252), BaseTag(0x00080060)]
    status, attributes = association.send_n_get(tags, RETRIEVE, "2.25.11")
    assert status.Status == 0
    assert attributes is not None
    assert {element.keyword: element.value for element in attributes} == {
        "Modality": "CT",
        "PerformedProcedureStepStatus": "IN PROGRESS",
    }


def test_what_a_report_does_not_hold_is_left_out_with_a_warning(association: Association) -> None:
    create(association, beginning())
    tags = [BaseTag(0x00080060), BaseTag(0x00400254)]
    status, attributes = association.send_n_get(tags, RETRIEVE, "2.25.11")
    assert status.Status == 0x0001
    assert attributes is not None
    assert [element.keyword for element in attributes] == ["Modality"]


def test_a_whole_report_can_be_read_back_in_its_character_set(association: Association) -> None:
    report = beginning()
    report.SpecificCharacterSet, report.PatientName = "ISO_IR 100", "Müller^Jörg"
    create(association, report)
    change(association, ending("COMPLETED"))
    status, attributes = association.send_n_get([], RETRIEVE, "2.25.11")
    assert status.Status == 0
    assert attributes is not None
    assert attributes.PatientName == "Müller^Jörg"
    assert attributes.PerformedProcedureStepStatus == "COMPLETED"
    status, attributes = association.send_n_get([BaseTag(0x00100010)], RETRIEVE, "2.25.11")
    assert attributes is not None
    assert attributes.PatientName == "Müller^Jörg"


def test_a_report_nobody_made_cannot_be_read(association: Association) -> None:
    status, _attributes = association.send_n_get([], RETRIEVE, "2.25.404")
    assert status.Status == 0x0112


def test_an_operation_that_the_class_does_not_have_is_refused(association: Association) -> None:
    status, _reply = association.send_n_action(ending("COMPLETED"), 1, MPPS, "2.25.11")
    assert status.Status == 0x0211
