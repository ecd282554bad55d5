"""MPPS over the wire: N-CREATE, N-SET, N-GET."""

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pynetdicom.association import Association

from apps.dimse.listener import Listener
from apps.worklist.models import Device, PerformedStep, ScheduledStep
from tests.dimse.conftest import Dial
from tests.factories import ScheduledStepFactory

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


def test_an_operation_that_the_class_does_not_have_is_refused(association: Association) -> None:
    status, _reply = association.send_n_action(ending("COMPLETED"), 1, MPPS, "2.25.11")
    assert status.Status == 0x0211
