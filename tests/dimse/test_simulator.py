"""The modality in software, end to end against our own listener."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pydicom import dcmread

from apps.audit.models import Event, Kind
from apps.dimse.listener import Listener
from apps.orders.models import Order
from apps.studies.models import Instance, Study
from apps.worklist.models import Device, PerformedStep, ScheduledStep
from tests.dimse.conftest import ct_image
from tests.factories import PatientIdentifierFactory, ScheduledStepFactory


@pytest.fixture
def step(device: Device) -> ScheduledStep:
    made: ScheduledStep = ScheduledStepFactory.create()
    PatientIdentifierFactory.create(patient=made.requested_procedure.order.patient)
    return made


def modality(listener: Listener, *options: str) -> str:
    out = StringIO()
    call_command("modality", "--port", str(listener.port), "--slices", "3", *options, stdout=out)
    return out.getvalue()


def test_an_exam_runs_from_worklist_to_commitment(listener: Listener, step: ScheduledStep) -> None:
    said = modality(listener, "--date", "today")
    order = Order.objects.get(pk=step.requested_procedure.order_id)
    step.refresh_from_db()
    assert step.status == ScheduledStep.Status.COMPLETED
    assert order.status == Order.Status.PERFORMED
    performed = PerformedStep.objects.get()
    assert performed.status == PerformedStep.Status.COMPLETED
    study = Study.objects.get()
    assert study.study_instance_uid == step.requested_procedure.study_instance_uid
    assert study.instance_count == 3
    assert study.match == Study.Match.MATCHED
    assert study.patient == order.patient
    assert Event.objects.filter(kind=Kind.STORAGE_COMMITTED).exists()
    assert "3 images are committed" in said
    assert order.patient.family_name not in said


def test_the_performed_series_names_every_image(listener: Listener, step: ScheduledStep) -> None:
    modality(listener, "--first", "--no-commit")
    (series,) = PerformedStep.objects.get().attributes["00400340"]["Value"]
    reported = {item["00081155"]["Value"][0] for item in series["00081140"]["Value"]}
    assert reported == set(Instance.objects.values_list("sop_instance_uid", flat=True))


def test_an_exam_may_be_broken_off(listener: Listener, step: ScheduledStep) -> None:
    modality(listener, "--first", "--discontinue", "--no-commit")
    step.refresh_from_db()
    assert step.status == ScheduledStep.Status.DISCONTINUED
    assert PerformedStep.objects.get().discontinuation_code == "110513"
    assert Instance.objects.count() == 1


def test_images_of_a_folder_keep_their_pixels(
    listener: Listener, step: ScheduledStep, tmp_path: Path
) -> None:
    image = ct_image("2.25.900")
    image.PixelData = bytes(range(128))
    image.save_as(tmp_path / "one", enforce_file_format=True)
    (tmp_path / "notes.txt").write_text("no image")
    modality(listener, "--first", "--no-mpps", "--no-commit", "--images", str(tmp_path))
    stored = Instance.objects.get()
    assert stored.sop_instance_uid != "2.25.900"
    (file,) = (path for path in (tmp_path / "dicom").rglob("*") if path.is_file())
    kept = dcmread(file)
    assert kept.PixelData == image.PixelData
    assert kept.AccessionNumber == step.requested_procedure.order.accession_number
    (request,) = kept.RequestAttributesSequence
    assert request.ScheduledProcedureStepID == step.identifier


def test_the_worklist_is_listed_without_names(listener: Listener, step: ScheduledStep) -> None:
    said = modality(listener, "--list")
    assert step.requested_procedure.order.accession_number in said
    assert "1 exams on the worklist" in said
    assert step.requested_procedure.order.patient.family_name not in said


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--accession", "NOSUCH"], "the worklist shows no such exam"),
        (["--ae", "STRANGER"], "refuses STRANGER"),
        (["--date", "tomorrow"], "neither a date"),
        (["--first", "--images", "/nonexistent"], "no DICOM images"),
    ],
)
def test_what_goes_wrong_is_said_clearly(
    options: list[str], told: str, listener: Listener, step: ScheduledStep
) -> None:
    with pytest.raises(CommandError, match=told):
        modality(listener, *options)


def test_a_closed_port_is_said_clearly(listener: Listener, step: ScheduledStep) -> None:
    with pytest.raises(CommandError, match="nothing answers as OPENPACS at"):
        call_command("modality", "--port", "1", "--first")


def test_two_exams_are_not_chosen_between(listener: Listener, step: ScheduledStep) -> None:
    ScheduledStepFactory.create()
    with pytest.raises(CommandError, match="shows 2 exams"):
        modality(listener)
