"""Images of the demo: the modality simulator does some of today's exams over the network."""

import socket
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from apps.dimse.simulator import (
    Exam,
    Modality,
    SimulationFailed,
    images_of,
    perform,
    phantom_images,
    worklist,
)
from apps.worklist.models import ScheduledStep

PHANTOMS = frozenset({"CT", "MR", "US"})
SLICES = 32
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - called, not bound to


def send_images(
    steps: Sequence[ScheduledStep], *, folder: Path | None = None
) -> tuple[int, list[str]]:
    """Do the steps as their devices would; returns how many were done, and remarks.

    The DICOM listener must be running. `folder`: DICOM files to send instead of a phantom.
    """
    host = EVERYWHERE.get(settings.OPENPACS_BIND, settings.OPENPACS_BIND)
    if not _listens(host, settings.OPENPACS_DICOM_PORT):
        return 0, [_("No images were sent: the DICOM listener is not running.")]
    done = 0
    for step in steps:
        try:
            _perform(step, host, folder)
        except SimulationFailed as error:
            return done, [_("Images are missing: %(why)s.") % {"why": error}]
        done += 1
    return done, []


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


def _perform(step: ScheduledStep, host: str, folder: Path | None) -> None:
    modality = Modality(
        step.devices.get().ae_title,
        host,
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
    kind = step.modality if step.modality in PHANTOMS else "CT"
    images = images_of(folder) if folder else phantom_images(kind, slices=SLICES)
    perform(modality, Exam(mine[0], images))
