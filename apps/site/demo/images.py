"""Images of the demo: the modality simulator does some of today's exams.

Over the network, as a device would; where no listener runs, its objects and reports go
to the same services by hand.
"""

import socket
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _
from pydicom import dcmwrite
from pydicom.dataset import Dataset

from apps.audit.services import Origin
from apps.dimse.performed import performed_changes, performed_details
from apps.dimse.simulated import Exam, begin_report, end_report, identify, phantom_images
from apps.dimse.simulator import Modality, SimulationFailed, images_of, perform, worklist
from apps.studies.services import Outcome, store_instances
from apps.studies.spool import default_spool
from apps.worklist.datasets import Reader, worklist_line
from apps.worklist.models import Device, PerformedStep, ScheduledStep
from apps.worklist.services.performed import finish_step, start_step

PHANTOMS = frozenset({"CT", "MR", "US"})
SLICES = 32
UTF_8 = "ISO_IR 192"


def make_images(
    steps: Sequence[ScheduledStep], *, origin: Origin, folder: Path | None = None
) -> tuple[int, list[str]]:
    """Do the steps as their devices would; returns how many were done, and remarks.

    `folder`: DICOM files to take instead of a phantom.
    """
    listening = _listens(settings.OPENPACS_DICOM_HOST, settings.OPENPACS_DICOM_PORT)
    remarks = []
    if not listening:
        remarks.append(_("The DICOM listener is not running: images were stored without it."))
    done = 0
    for step in steps:
        try:
            images = _images(step, folder)
            if listening:
                _send(step, images)
            else:
                _store(step, images, origin)
        except SimulationFailed as error:
            return done, [_("Images are missing: %(why)s.") % {"why": error}]
        done += 1
    return done, remarks


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


def _images(step: ScheduledStep, folder: Path | None) -> list[Dataset]:
    kind = step.modality if step.modality in PHANTOMS else "CT"
    return images_of(folder) if folder else phantom_images(kind, slices=SLICES)


def _send(step: ScheduledStep, images: list[Dataset]) -> None:
    modality = Modality(
        step.devices.get().ae_title,
        settings.OPENPACS_DICOM_HOST,
        settings.OPENPACS_DICOM_PORT,
        settings.OPENPACS_AE_TITLE,
        say=lambda _line: None,
    )
    accession = step.requested_procedure.order.accession_number
    lines = worklist(modality, accession=accession)
    mine = [
        line
        for line in lines
        if line.ScheduledProcedureStepSequence[0].ScheduledProcedureStepID == step.identifier
    ]
    if not mine:
        raise SimulationFailed(f"the worklist does not show order {accession}")
    perform(modality, Exam(mine[0], images))


def _store(step: ScheduledStep, images: list[Dataset], origin: Origin) -> None:
    """What the listener would do with the reports and images of this exam."""
    device = step.devices.get()
    origin = replace(origin, peer=device.ae_title)
    exam = Exam(worklist_line(step, reader=Reader(character_set=UTF_8)), images)
    begun = _begin(exam, device, origin)
    identify(exam, device.ae_title, with_report=True)
    spool = default_spool()
    paths = [spool.write([_file(image, device)]) for image in exam.images]
    refused = [
        one.reason
        for one in store_instances(paths, origin=origin)
        if one.outcome is not Outcome.STORED
    ]
    finish_step(begun, changes=performed_changes(end_report(exam)), origin=origin)
    if refused:
        raise SimulationFailed(refused[0])


def _begin(exam: Exam, device: Device, origin: Origin) -> PerformedStep:
    report = begin_report(exam, device.ae_title)
    details = performed_details(report, uid=exam.report_uid, device=device)
    return start_step(details, origin=origin)


def _file(image: Dataset, device: Device) -> bytes:
    image.file_meta.SourceApplicationEntityTitle = device.ae_title
    buffer = BytesIO()
    dcmwrite(buffer, image, enforce_file_format=True)
    return buffer.getvalue()
