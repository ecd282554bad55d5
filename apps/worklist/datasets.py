"""A scheduled step as the line of a modality worklist (PS3.4 table K.6-1)."""

import re
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from django.utils import timezone
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from apps.dicom.charsets import encodable, fit_dataset
from apps.dicom.dates import format_date, format_time
from apps.dicom.names import shortened
from apps.orders.models import Order, Referrer, RequestedProcedure
from apps.patients.models import Issuer, Patient
from apps.worklist.conditions import STEP_SEQUENCE
from apps.worklist.models import ScheduledStep

NAME_LENGTH = 64  # characters of one component group (PS3.5 6.2)
LANGUAGE = re.compile("[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
SIDES = {"R": "Right side", "L": "Left side", "B": "Both sides"}
_DECLARED = frozenset({"SpecificCharacterSet", "TimezoneOffsetFromUTC"})


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Who reads the line: in which characters, how long names may be, in which zone.

    `name_length` None: as long as DICOM allows; `zone` None: the site's.
    """

    ae_title: str = ""
    character_set: str = ""
    name_length: int | None = None
    zone: tzinfo | None = None


ANYBODY = Reader()


def answer(step: ScheduledStep, asked: Dataset, *, reader: Reader) -> Dataset:
    """What the device asked for: filled where known, empty where not, in what it can read.

    A request without any attribute gets them all.
    """
    line = worklist_line(step, reader=reader)
    chosen = _project(line, asked) if len(asked) else line
    if "TimezoneOffsetFromUTC" in asked:
        chosen.TimezoneOffsetFromUTC = f"{_start_of(step, reader):%z}"
    if not _is_ascii(chosen):
        fit_dataset(chosen, reader.character_set)
    return chosen


def worklist_line(step: ScheduledStep, *, reader: Reader = ANYBODY) -> Dataset:
    """Everything known about a step. Reads what `with_identity` has fetched."""
    requested = step.requested_procedure
    line = _patient(requested.order.patient, reader)
    _add_order(line, requested.order, reader)
    _add_requested(line, requested)
    line.RequestedProcedureLocation = step.location
    line.ScheduledProcedureStepSequence = Sequence([_step_item(step, reader)])
    return line


def _add_order(line: Dataset, order: Order, reader: Reader) -> None:
    """Imaging service request and visit."""
    issued = timezone.localtime(order.requested_at, reader.zone)
    line.AccessionNumber = order.accession_number
    line.IssuerOfAccessionNumberSequence = _authority(order.issuer)
    line.PlacerOrderNumberImagingServiceRequest = order.placer_number
    line.OrderPlacerIdentifierSequence = _namespace(order.placer_namespace)
    line.FillerOrderNumberImagingServiceRequest = order.filler_number
    line.OrderFillerIdentifierSequence = (
        _authority(order.issuer) if order.filler_number else Sequence()
    )
    line.IssueDateOfImagingServiceRequest = format_date(issued.date())
    line.IssueTimeOfImagingServiceRequest = format_time(issued.time().replace(microsecond=0))
    line.AdmissionID = order.visit_number
    line.CurrentPatientLocation = order.patient_location
    line.PatientState = order.patient_state
    line.PatientTransportArrangements = order.transport
    line.ReasonForTheRequestedProcedure = order.reason[:64]
    line.AdditionalPatientHistory = order.clinical_information
    _add_referrer(line, order.referrer, reader)


def _add_referrer(line: Dataset, referrer: Referrer | None, reader: Reader) -> None:
    name = _person_name(referrer.person_name, reader) if referrer else ""
    line.ReferringPhysicianName = line.RequestingPhysician = name
    line.NamesOfIntendedRecipientsOfResults = name
    line.OrderCallbackPhoneNumber = referrer.phone[:16] if referrer else ""


def _add_requested(line: Dataset, requested: RequestedProcedure) -> None:
    line.StudyInstanceUID = requested.study_instance_uid
    line.ReferencedStudySequence = Sequence()
    line.RequestedProcedureID = requested.identifier
    line.RequestedProcedureDescription = requested.meaning
    line.RequestedProcedureCodeSequence = code(requested.code, requested.scheme, requested.meaning)
    line.RequestedProcedurePriority = requested.order.priority
    line.RequestedProcedureComments = SIDES.get(requested.laterality, "")


def _authority(issuer: Issuer) -> Sequence:
    """An HL7v2 Hierarchic Designator (PS3.3 table 10-17)."""
    (item,) = _namespace(issuer.namespace)
    if issuer.universal_id:
        item.UniversalEntityID = issuer.universal_id
        item.UniversalEntityIDType = issuer.universal_id_type
    return Sequence([item])


def _namespace(namespace: str) -> Sequence:
    if not namespace:
        return Sequence()
    item = Dataset()
    item.LocalNamespaceEntityID = namespace
    return Sequence([item])


def code(value: str, scheme: str, meaning: str) -> Sequence:
    """A code sequence of one item, or none where there is no code (PS3.3 8.8)."""
    if not value:
        return Sequence()
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning or value
    return Sequence([item])


def _patient(patient: Patient, reader: Reader) -> Dataset:
    line = Dataset()
    line.PatientName = _person_name(patient.person_name, reader)
    # A DA has no room for a date that is known to the year only (PS3.5 6.2).
    line.PatientBirthDate = (
        format_date(patient.birth_date) if patient.birth_precision == Patient.Precision.DAY else ""
    )
    line.PatientSex = patient.sex
    line.PatientAddress = " ".join(patient.address.split())[:64]
    line.PatientTelephoneNumbers = patient.phone[:16]
    line.PatientPrimaryLanguageCodeSequence = _language(patient.language)
    line.ConfidentialityConstraintOnPatientDataDescription = patient.confidentiality
    line.ReferencedPatientSequence = Sequence()
    _add_numbers(line, patient)
    _add_medical(line, patient)
    return line


def _add_numbers(line: Dataset, patient: Patient) -> None:
    number = patient.primary_identifier
    line.PatientID = number.value if number else ""
    line.IssuerOfPatientID = number.issuer.namespace if number else ""
    line.IssuerOfPatientIDQualifiersSequence = Sequence()
    if number and number.issuer.universal_id:
        item = Dataset()
        item.UniversalEntityID = number.issuer.universal_id
        item.UniversalEntityIDType = number.issuer.universal_id_type
        line.IssuerOfPatientIDQualifiersSequence = Sequence([item])
    line.OtherPatientIDsSequence = _other_numbers(patient)


def _add_medical(line: Dataset, patient: Patient) -> None:
    line.MedicalAlerts = patient.medical_alerts
    line.Allergies = patient.allergies
    line.SpecialNeeds = patient.special_needs
    line.PregnancyStatus = int(patient.pregnancy) if patient.pregnancy else None
    line.PatientWeight = str(patient.weight_kg) if patient.weight_kg is not None else ""
    # In metres (PS3.6).
    line.PatientSize = f"{patient.height_cm / 100:.2f}" if patient.height_cm else ""


def _language(language: str) -> Sequence:
    """PS3.16 CID 5000: RFC 5646 codes; a language in words is no code."""
    return code(language, "RFC5646", language) if LANGUAGE.fullmatch(language) else Sequence()


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


def _step_item(step: ScheduledStep, reader: Reader) -> Dataset:
    start = _start_of(step, reader)
    titles = [device.ae_title for device in step.devices.all()]
    item = Dataset()
    # Type 1: a step planned for no device in particular is for the one that asks.
    item.ScheduledStationAETitle = titles or reader.ae_title
    item.ScheduledStationName = step.station_name
    item.ScheduledProcedureStepLocation = step.location
    item.ScheduledProcedureStepStartDate = format_date(start.date())
    item.ScheduledProcedureStepStartTime = format_time(start.time())
    item.Modality = step.modality
    item.ScheduledPerformingPhysicianName = _person_name(step.performing_physician, reader)
    item.ScheduledProcedureStepDescription = _description(step)
    item.ScheduledProtocolCodeSequence = code(
        step.protocol_code, step.protocol_scheme, step.protocol_meaning
    )
    item.ScheduledProcedureStepID = step.identifier
    item.ScheduledProcedureStepStatus = step.status
    item.PreMedication = step.premedication
    item.RequestedContrastAgent = step.contrast_agent
    item.CommentsOnTheScheduledProcedureStep = step.comments
    return item


def _start_of(step: ScheduledStep, reader: Reader) -> datetime:
    """Type 1: a step without an appointment may be done since it was ordered."""
    start = step.starts_at or step.requested_procedure.order.requested_at.replace(microsecond=0)
    return timezone.localtime(start, reader.zone)


def _description(step: ScheduledStep) -> str:
    """Type 1C: required where there is no protocol code."""
    if step.description or step.protocol_code:
        return step.description
    return step.requested_procedure.meaning


def _person_name(name: str, reader: Reader) -> str:
    """The groups that the device can read; the romanised one always stands first."""
    length = min(reader.name_length or NAME_LENGTH, NAME_LENGTH)
    first, *others = shortened(name, length).split("=")
    kept = [group if encodable(group, reader.character_set) else "" for group in others]
    return "=".join([first, *kept]).rstrip("=")


def _project(known: Dataset, asked: Dataset) -> Dataset:
    """The attributes of `asked`, with the values of `known`, empty where it has none."""
    step_item = known[STEP_SEQUENCE].value[0] if STEP_SEQUENCE in known else Dataset()
    chosen = Dataset()
    for element in asked:
        if element.keyword in _DECLARED:
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
