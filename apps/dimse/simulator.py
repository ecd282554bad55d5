"""A modality in software: worklist, MPPS, images, storage commitment, as a scanner does it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.sequence import Sequence as DicomSequence
from pynetdicom import AE, evt
from pynetdicom.association import Association

from apps.dicom.dates import format_date
from apps.dicom.uids import new_uid
from apps.dimse.offers import COMMITMENT, COMMITMENT_INSTANCE, MPPS, WORKLIST
from apps.dimse.pausing import pause_surely
from apps.dimse.refusing import is_refused
from apps.dimse.simulated import (
    IDENTITY,
    PROCEDURE,
    STEP,
    Exam,
    begin_report,
    empty,
    end_report,
    identify,
    reference,
)

PENDING = (0xFF00, 0xFF01)
REPORT_SECONDS = 60


class SimulationFailed(Exception):
    """The other side refused, did not answer, or has nothing to do for us."""


@dataclass(frozen=True)
class Modality:
    """Who we play, and whom we call. `say` gets one line of progress at a time."""

    ae_title: str
    host: str
    port: int
    called: str
    say: Callable[[str], None] = print

    @contextmanager
    def calling(self, *contexts: tuple[str, str | None]) -> Iterator[Association]:
        """An association offering (SOP class, transfer syntax or None for the usual)."""
        entity = AE(ae_title=self.ae_title)
        entity.acse_timeout = entity.dimse_timeout = entity.connection_timeout = 30
        for sop_class, transfer_syntax in contexts:
            if transfer_syntax:
                entity.add_requested_context(sop_class, transfer_syntax)
            else:
                entity.add_requested_context(sop_class)
        association = entity.associate(self.host, self.port, ae_title=self.called)
        if not association.is_established:
            raise SimulationFailed(self._why_not(association))
        pause_surely(association)
        try:
            yield association
        finally:
            association.release()

    def _why_not(self, association: Association) -> str:
        where = f"{self.called} at {self.host}:{self.port}"
        if is_refused(association):
            return (
                f"{where} refuses {self.ae_title}: is it entered as a device that may connect, "
                f"and is {self.called} the right AE title?"
            )
        if association.acceptor.primitive is not None:
            return f"{where} does not offer this service to {self.ae_title}"
        return f"nothing answers as {where}"


def worklist(modality: Modality, *, accession: str = "", day: date | None = None) -> list[Dataset]:
    """The lines of the worklist for an accession number or a day, in order of time."""
    query = _query(accession, day)
    lines = []
    with modality.calling((WORKLIST, None)) as association:
        for status, line in association.send_c_find(query, WORKLIST):
            if "Status" not in status:
                raise SimulationFailed("no answer to the worklist query")
            if status.Status in PENDING and line is not None:
                lines.append(line)
            elif status.Status != 0:
                raise SimulationFailed(f"worklist query: status 0x{status.Status:04X}")
    return sorted(lines, key=_start)


def describe(line: Dataset) -> str:
    """A line of the worklist for the terminal; without the patient's name."""
    step = line.ScheduledProcedureStepSequence[0]
    when = f"{step.get('ScheduledProcedureStepStartDate')} "
    when += str(step.get("ScheduledProcedureStepStartTime") or "")[:4]
    return (
        f"{when}  {line.get('AccessionNumber')}  {line.get('PatientID')}  "
        f"{step.get('Modality')}  {line.get('RequestedProcedureDescription')}  "
        f"{step.get('ScheduledProcedureStepID')}"
    )


def images_of(folder: Path) -> list[Dataset]:
    """Every DICOM file below a folder that has a SOP instance; raises SimulationFailed."""
    images: list[Dataset] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            image = dcmread(path)
        except InvalidDicomError:
            continue
        if "SOPInstanceUID" in image:
            image.decode()
            images.append(image)
    if not images:
        raise SimulationFailed(f"no DICOM images below {folder}")
    return images


def perform(
    modality: Modality,
    exam: Exam,
    *,
    report: bool = True,
    commit: bool = True,
    discontinue: bool = False,
) -> None:
    """Do the exam; raises SimulationFailed at the first thing that goes wrong.

    `report`: send MPPS; `commit`: ask for storage commitment; `discontinue`: break off
    half-way.
    """
    if discontinue:
        del exam.images[max(len(exam.images) // 2, 1) :]
    if report:
        _begin(modality, exam)
    identify(exam, modality.ae_title, with_report=report)
    _send(modality, exam.images)
    if report:
        _end(modality, exam, discontinue=discontinue)
    if commit:
        _commit(modality, exam.images)


def _query(accession: str, day: date | None) -> Dataset:
    query = Dataset()
    for keyword in (*IDENTITY, *PROCEDURE):
        setattr(query, keyword, empty(keyword))
    query.AccessionNumber = accession
    query.SpecificCharacterSet = "ISO_IR 192"
    step = Dataset()
    for keyword in (*STEP, "Modality", "ScheduledStationAETitle"):
        setattr(step, keyword, empty(keyword))
    step.ScheduledProcedureStepStartDate = format_date(day)
    step.ScheduledProcedureStepStartTime = ""
    query.ScheduledProcedureStepSequence = DicomSequence([step])
    return query


def _start(line: Dataset) -> tuple[str, str]:
    step = line.ScheduledProcedureStepSequence[0]
    return (
        str(step.get("ScheduledProcedureStepStartDate", "")),
        str(step.get("ScheduledProcedureStepStartTime", "")),
    )


def _begin(modality: Modality, exam: Exam) -> None:
    report = begin_report(exam, modality.ae_title)
    with modality.calling((MPPS, None)) as association:
        status, _reply = association.send_n_create(report, MPPS, exam.report_uid)
        _expect(status, "performed step (N-CREATE)")
    modality.say("The exam is reported as begun (MPPS in progress).")


def _send(modality: Modality, images: Sequence[Dataset]) -> None:
    contexts = {
        (str(image.SOPClassUID), str(image.file_meta.TransferSyntaxUID)) for image in images
    }
    with modality.calling(*sorted(contexts)) as association:
        for number, image in enumerate(images, start=1):
            try:
                status = association.send_c_store(image, number)
            except ValueError as error:
                raise SimulationFailed(f"image {number}: {error}") from None
            _expect(status, f"image {number} of {len(images)} (C-STORE)")
    modality.say(f"{len(images)} images are sent.")


def _end(modality: Modality, exam: Exam, *, discontinue: bool) -> None:
    report = end_report(exam, discontinue=discontinue)
    with modality.calling((MPPS, None)) as association:
        status, _reply = association.send_n_set(report, MPPS, exam.report_uid)
        _expect(status, "performed step (N-SET)")
    modality.say(f"The exam is reported as {report.PerformedProcedureStepStatus.lower()} (MPPS).")


def _commit(modality: Modality, images: Sequence[Dataset]) -> None:
    """Ask whether the other side is answerable for the images; wait for its report."""
    told, failed = threading.Event(), list[int]()

    def receive(event: evt.Event) -> tuple[int, None]:
        failed.append(len(event.event_information.get("FailedSOPSequence") or []))
        return 0x0000, None

    request = Dataset()
    request.TransactionUID = new_uid()
    request.ReferencedSOPSequence = DicomSequence(
        [reference(image.SOPClassUID, image.SOPInstanceUID) for image in images]
    )
    with modality.calling((COMMITMENT, None)) as association:
        association.bind(evt.EVT_N_EVENT_REPORT, receive)
        # Told when our answer is out: a release before that would overtake it.
        association.bind(evt.EVT_PDU_SENT, lambda _event: told.set() if failed else None)
        status, _reply = association.send_n_action(request, 1, COMMITMENT, COMMITMENT_INSTANCE)
        _expect(status, "storage commitment (N-ACTION)")
        if not told.wait(REPORT_SECONDS):
            raise SimulationFailed("no report about storage commitment")
    if failed[0]:
        raise SimulationFailed(f"storage commitment: {failed[0]} images are not safe")
    modality.say(f"{len(images)} images are committed: they are safe in the archive.")


def _expect(status: Dataset, what: str) -> None:
    if "Status" not in status:
        raise SimulationFailed(f"{what}: no answer")
    # Warnings of a store (B000 and the like) leave the image stored.
    if status.Status != 0 and status.Status >> 12 != 0xB:
        raise SimulationFailed(f"{what}: status 0x{status.Status:04X}")
