"""What a scanner makes of one line of the worklist: its images, and reports of the step."""

from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom.dsutils import create_file_meta

from apps.dicom.dates import format_date, format_time
from apps.dicom.phantom import phantom
from apps.dicom.uids import new_uid
from apps.dimse.offers import MPPS

DISCONTINUED_UNSPECIFIED = ("110513", "DCM", "Discontinued for unspecified reason")
# What a scanner takes from the worklist into its images as it is (IHE RAD TF-2 appendix A).
IDENTITY = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyInstanceUID",
)
PROCEDURE = (
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "RequestedProcedureCodeSequence",
)
STEP = (
    "ScheduledProcedureStepID",
    "ScheduledProcedureStepDescription",
    "ScheduledProtocolCodeSequence",
)


@dataclass(frozen=True)
class Exam:
    """One exam as it runs: the worklist line, and what is made for it."""

    line: Dataset
    images: list[Dataset]
    report_uid: str = field(default_factory=new_uid)
    step_id: str = field(default_factory=lambda: f"PPS{timezone.localtime():%H%M%S%f}"[:16])

    @property
    def step(self) -> Dataset:
        item: Dataset = self.line.ScheduledProcedureStepSequence[0]
        return item


def phantom_images(kind: str, *, slices: int) -> list[Dataset]:
    """A phantom series as a scanner has it before it knows whose it is."""
    images = phantom(kind, slices=slices)
    series = new_uid()
    for image in images:
        image.SeriesInstanceUID, image.SeriesNumber = series, 1
        image.SeriesDescription = f"Phantom {kind}"
    return images


def begin_report(exam: Exam, ae_title: str) -> Dataset:
    """The N-CREATE of a performed step (PS3.4 table F.7.2-1)."""
    now = timezone.localtime()
    report = Dataset()
    report.SpecificCharacterSet = "ISO_IR 192"
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"):
        setattr(report, keyword, exam.line.get(keyword, ""))
    report.ReferencedPatientSequence = DicomSequence()
    report.ScheduledStepAttributesSequence = DicomSequence([_scheduled(exam)])
    report.PerformedProcedureStepID = exam.step_id
    report.PerformedStationAETitle = ae_title
    report.PerformedStationName = report.PerformedLocation = ""
    report.PerformedProcedureStepStartDate = format_date(now.date())
    report.PerformedProcedureStepStartTime = f"{now:%H%M%S}"
    report.PerformedProcedureStepStatus = "IN PROGRESS"
    report.PerformedProcedureStepDescription = exam.step.get(
        "ScheduledProcedureStepDescription", ""
    )
    report.PerformedProcedureTypeDescription = ""
    report.ProcedureCodeSequence = exam.line.get("RequestedProcedureCodeSequence", DicomSequence())
    report.PerformedProcedureStepEndDate = report.PerformedProcedureStepEndTime = ""
    report.Modality = exam.images[0].Modality
    report.StudyID = exam.line.get("RequestedProcedureID", "")
    report.PerformedProtocolCodeSequence = DicomSequence()
    report.PerformedSeriesSequence = DicomSequence()
    return report


def _scheduled(exam: Exam) -> Dataset:
    item = Dataset()
    item.StudyInstanceUID = exam.line.StudyInstanceUID
    item.ReferencedStudySequence = DicomSequence()
    item.AccessionNumber = exam.line.get("AccessionNumber", "")
    item.RequestedProcedureID = exam.line.get("RequestedProcedureID", "")
    item.RequestedProcedureDescription = exam.line.get("RequestedProcedureDescription", "")
    for keyword in STEP:
        setattr(item, keyword, exam.step.get(keyword, empty(keyword)))
    return item


def identify(exam: Exam, ae_title: str, *, with_report: bool) -> None:
    """Make the images those of the patient on the worklist; pixels stay as they are."""
    now = timezone.localtime()
    series: dict[str, str] = {}
    request = _scheduled(exam)
    del request.ReferencedStudySequence
    for image in exam.images:
        image.SpecificCharacterSet = "ISO_IR 192"
        for keyword in IDENTITY:
            setattr(image, keyword, exam.line.get(keyword, ""))
        image.StudyID = exam.line.get("RequestedProcedureID", "")
        image.StudyDescription = exam.line.get("RequestedProcedureDescription", "")
        image.StudyDate = image.SeriesDate = image.ContentDate = format_date(now.date())
        image.StudyTime = image.SeriesTime = format_time(now.time().replace(microsecond=0))
        image.ContentTime = image.StudyTime
        old = str(image.get("SeriesInstanceUID", ""))
        image.SeriesInstanceUID = series.setdefault(old, new_uid())
        image.SOPInstanceUID = new_uid()
        image.StationName = ae_title
        image.RequestAttributesSequence = DicomSequence([request])
        image.PerformedProcedureStepID = exam.step_id
        image.PerformedProcedureStepStartDate = image.StudyDate
        image.PerformedProcedureStepStartTime = image.StudyTime
        if with_report:
            image.ReferencedPerformedProcedureStepSequence = DicomSequence(
                [reference(MPPS, exam.report_uid)]
            )
        _describe_file(image)


def _describe_file(image: Dataset) -> None:
    meta = getattr(image, "file_meta", None)
    syntax = UID(meta.TransferSyntaxUID) if meta else ExplicitVRLittleEndian
    image.file_meta = create_file_meta(
        sop_class_uid=UID(image.SOPClassUID),
        sop_instance_uid=UID(image.SOPInstanceUID),
        transfer_syntax=syntax,
    )


def end_report(exam: Exam, *, discontinue: bool = False) -> Dataset:
    """The N-SET that ends a performed step, with the series that were made."""
    now = timezone.localtime()
    report = Dataset()
    report.PerformedProcedureStepStatus = "DISCONTINUED" if discontinue else "COMPLETED"
    report.PerformedProcedureStepEndDate = format_date(now.date())
    report.PerformedProcedureStepEndTime = f"{now:%H%M%S}"
    report.PerformedSeriesSequence = DicomSequence(_performed_series(exam))
    if discontinue:
        reason = Dataset()
        reason.CodeValue, reason.CodingSchemeDesignator, reason.CodeMeaning = (
            DISCONTINUED_UNSPECIFIED
        )
        report.PerformedProcedureStepDiscontinuationReasonCodeSequence = DicomSequence([reason])
    return report


def _performed_series(exam: Exam) -> list[Dataset]:
    series: dict[str, Dataset] = {}
    for image in exam.images:
        uid = image.SeriesInstanceUID
        if uid not in series:
            item = Dataset()
            item.PerformingPhysicianName = item.OperatorsName = ""
            item.ProtocolName = exam.step.get("ScheduledProcedureStepDescription") or "Phantom"
            item.SeriesInstanceUID = uid
            item.SeriesDescription = image.get("SeriesDescription", "")
            item.RetrieveAETitle = ""
            item.ReferencedImageSequence = DicomSequence()
            item.ReferencedNonImageCompositeSOPInstanceSequence = DicomSequence()
            series[uid] = item
        series[uid].ReferencedImageSequence.append(
            reference(image.SOPClassUID, image.SOPInstanceUID)
        )
    return list(series.values())


def empty(keyword: str) -> Any:
    """What stands for an attribute without a value."""
    return DicomSequence() if keyword.endswith("Sequence") else ""


def reference(sop_class: str, instance: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
    return item
