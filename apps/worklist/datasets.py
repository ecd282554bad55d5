"""A scheduled step as the line of a modality worklist (PS3.4 table K.6-1)."""

from typing import Any

from django.utils import timezone
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from apps.dicom.charsets import encodable, fit_dataset
from apps.dicom.dates import format_date, format_time
from apps.patients.models import Patient
from apps.worklist.models import ScheduledStep

STEP_SEQUENCE = "ScheduledProcedureStepSequence"
NAME_LENGTH = 64  # characters of one component group (PS3.5 6.2)


def answer(step: ScheduledStep, asked: Dataset, *, character_set: str) -> Dataset:
    """What the device asked for: filled where known, empty where not, in what it can read.

    A request without any attribute gets them all.
    """
    line = worklist_line(step, character_set=character_set)
    chosen = _project(line, asked) if len(asked) else line
    if not _is_ascii(chosen):
        fit_dataset(chosen, character_set)
    return chosen


def worklist_line(step: ScheduledStep, *, character_set: str = "") -> Dataset:
    """Everything known about a step. Reads what `with_identity` has fetched."""
    requested = step.requested_procedure
    order = requested.order
    line = _patient(order.patient, character_set)
    line.AccessionNumber = order.accession_number
    line.ReferringPhysicianName = order.referrer.person_name if order.referrer else ""
    line.RequestingPhysician = order.referrer.person_name if order.referrer else ""
    line.AdmissionID = order.visit_number
    line.CurrentPatientLocation = order.patient_location
    line.PlacerOrderNumberImagingServiceRequest = order.placer_number
    line.FillerOrderNumberImagingServiceRequest = order.filler_number
    line.ReasonForTheRequestedProcedure = order.reason[:64]
    line.AdditionalPatientHistory = order.clinical_information
    line.StudyInstanceUID = requested.study_instance_uid
    line.ReferencedStudySequence = Sequence()
    line.RequestedProcedureID = requested.identifier
    line.RequestedProcedureDescription = requested.meaning
    line.RequestedProcedureCodeSequence = code(requested.code, requested.scheme, requested.meaning)
    line.RequestedProcedurePriority = order.priority
    line.ScheduledProcedureStepSequence = Sequence([_step_item(step)])
    return line


def code(value: str, scheme: str, meaning: str) -> Sequence:
    """A code sequence of one item, or none where there is no code (PS3.3 8.8)."""
    if not value:
        return Sequence()
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning or value
    return Sequence([item])


def _patient(patient: Patient, character_set: str) -> Dataset:
    number = patient.primary_identifier
    line = Dataset()
    line.PatientName = _person_name(patient.person_name, character_set)
    line.PatientID = number.value if number else ""
    line.IssuerOfPatientID = number.issuer.namespace if number else ""
    line.OtherPatientIDsSequence = _other_numbers(patient)
    # A DA has no room for a date that is known to the year only (PS3.5 6.2).
    line.PatientBirthDate = (
        format_date(patient.birth_date) if patient.birth_precision == Patient.Precision.DAY else ""
    )
    line.PatientSex = patient.sex
    line.PatientAddress = " ".join(patient.address.split())[:64]
    line.PatientTelephoneNumbers = patient.phone[:16]
    line.MedicalAlerts = patient.medical_alerts
    line.Allergies = patient.allergies
    return line


def _other_numbers(patient: Patient) -> Sequence:
    shown = patient.primary_identifier
    items = []
    for number in patient.identifiers.all():
        if number != shown:
            item = Dataset()
            item.PatientID = number.value
            item.IssuerOfPatientID = number.issuer.namespace
            item.TypeOfPatientID = "TEXT"
            items.append(item)
    return Sequence(items)


def _step_item(step: ScheduledStep) -> Dataset:
    start = timezone.localtime(step.starts_at) if step.starts_at else None
    item = Dataset()
    item.ScheduledStationAETitle = [device.ae_title for device in step.devices.all()]
    item.ScheduledStationName = step.station_name
    item.ScheduledProcedureStepLocation = step.location
    item.ScheduledProcedureStepStartDate = format_date(start.date()) if start else ""
    item.ScheduledProcedureStepStartTime = format_time(start.time()) if start else ""
    item.Modality = step.modality
    item.ScheduledPerformingPhysicianName = step.performing_physician
    item.ScheduledProcedureStepDescription = step.description
    item.ScheduledProtocolCodeSequence = code(
        step.protocol_code, step.protocol_scheme, step.protocol_meaning
    )
    item.ScheduledProcedureStepID = step.identifier
    item.ScheduledProcedureStepStatus = step.status
    item.PreMedication = step.premedication
    item.RequestedContrastAgent = step.contrast_agent
    item.CommentsOnTheScheduledProcedureStep = step.comments
    return item


def _person_name(name: str, character_set: str) -> str:
    """The groups that the device can read; the romanised one always stands first."""
    first, *others = (_shortened(group) for group in name.split("="))
    kept = [group if encodable(group, character_set) else "" for group in others]
    return "=".join([first, *kept]).rstrip("=")


def _shortened(group: str) -> str:
    """At most 64 characters, cut at a word where there is one."""
    if len(group) <= NAME_LENGTH:
        return group
    cut = group[:NAME_LENGTH]
    if group[NAME_LENGTH] in " ^":
        return cut
    at_word = max(cut.rfind(" "), cut.rfind("^"))
    return cut[:at_word] if at_word > 0 else cut


def _project(known: Dataset, asked: Dataset) -> Dataset:
    """The attributes of `asked`, with the values of `known`, empty where it has none."""
    step_item = known[STEP_SEQUENCE].value[0] if STEP_SEQUENCE in known else Dataset()
    chosen = Dataset()
    for element in asked:
        if element.keyword in {"SpecificCharacterSet", "TimezoneOffsetFromUTC"}:
            continue
        source = known if element.tag in known else step_item
        chosen.add_new(element.tag, element.VR, _value(source, element.tag, element.value))
    return chosen


def _value(source: Dataset, tag: BaseTag, asked: Any) -> Any:
    if tag not in source:
        return Sequence() if isinstance(asked, Sequence) else None
    element = source[tag]
    if element.VR == "SQ" and asked and len(asked[0]):
        return Sequence([_project(item, asked[0]) for item in element.value])
    return element.value


def _is_ascii(dataset: Dataset) -> bool:
    return all(str(element.value).isascii() for element in dataset.iterall())
