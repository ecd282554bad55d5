"""What a workitem must and may say, at each point of its life (PS3.4 table CC.2.5-3).

Tags are written as in DICOM JSON.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag

from apps.dicom.json import JsonDataset
from apps.dicom.matching import tag_of


def tags_of(keywords: str) -> tuple[str, ...]:
    """The tags of keywords written apart by spaces."""
    return tuple(tag_of(keyword) for keyword in keywords.split())


STATE = tag_of("ProcedureStepState")
TRANSACTION = tag_of("TransactionUID")
SOP_CLASS, SOP_INSTANCE = tags_of("SOPClassUID SOPInstanceUID")
PRIORITY, READINESS = tags_of("ScheduledProcedureStepPriority InputReadinessState")
WORKLIST_LABEL = tag_of("WorklistLabel")
MODIFIED = tag_of("ScheduledProcedureStepModificationDateTime")
STATIONS, PERFORMERS = tags_of("ScheduledStationNameCodeSequence ScheduledHumanPerformersSequence")
PROGRESS = tag_of("ProcedureStepProgressInformationSequence")
PERFORMED = tag_of("UnifiedProcedureStepPerformedProcedureSequence")
CANCELLED_AT = tag_of("ProcedureStepCancellationDateTime")
REASON, REASON_CODE = tags_of(
    "ReasonForCancellation ProcedureStepDiscontinuationReasonCodeSequence"
)
CONTACT_URI, CONTACT_NAME = tags_of("ContactURI ContactDisplayName")
CODE_VALUE, CODE_SCHEME, CODE_MEANING = tags_of("CodeValue CodingSchemeDesignator CodeMeaning")
REPLACED = tag_of("ReplacedProcedureStepSequence")

# Type 1 of an N-CREATE: there and not empty. The state is looked at by itself.
_NEEDED = tags_of(
    "ScheduledProcedureStepPriority ProcedureStepLabel ScheduledProcedureStepStartDateTime"
    " InputReadinessState"
)
# Type 2: there, also empty. What is left out is put there empty.
_PRESENT = tags_of(
    "ScheduledProcessingParametersSequence ScheduledStationNameCodeSequence"
    " ScheduledStationClassCodeSequence ScheduledStationGeographicLocationCodeSequence"
    " ScheduledWorkitemCodeSequence CommentsOnTheScheduledProcedureStep InputInformationSequence"
    " PatientName IssuerOfPatientID IssuerOfPatientIDQualifiersSequence OtherPatientIDsSequence"
    " PatientBirthDate PatientSex AdmissionID IssuerOfAdmissionIDSequence"
    " AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence ReferencedRequestSequence"
    " ProcedureStepProgressInformationSequence"
    " UnifiedProcedureStepPerformedProcedureSequence"
)
# To be created empty: who performs the step fills them.
_EMPTY_AT_FIRST = (TRANSACTION, PROGRESS, PERFORMED)
# Not to be changed: to change them, the workitem is cancelled and another one made.
_FIXED = frozenset(
    tags_of(
        "SOPClassUID SOPInstanceUID ScheduledProcedureStepModificationDateTime PatientName"
        " PatientID IssuerOfPatientID IssuerOfPatientIDQualifiersSequence PatientBirthDate"
        " PatientSex AdmissionID IssuerOfAdmissionIDSequence AdmittingDiagnosesDescription"
        " AdmittingDiagnosesCodeSequence ReferencedRequestSequence ReplacedProcedureStepSequence"
        " ProcedureStepState"
    )
)
# Once they have a value they keep one (3/1 of an N-SET).
_KEPT_FILLED = frozenset(
    (*_NEEDED, *tags_of("WorklistLabel ExpectedCompletionDateTime ScheduledWorkitemCodeSequence"))
)
_CODES = frozenset(
    tags_of(
        "ScheduledStationNameCodeSequence ScheduledStationClassCodeSequence"
        " ScheduledStationGeographicLocationCodeSequence ScheduledWorkitemCodeSequence"
        " HumanPerformerCodeSequence PerformedStationNameCodeSequence"
        " PerformedStationClassCodeSequence PerformedStationGeographicLocationCodeSequence"
        " PerformedWorkitemCodeSequence ProcedureStepDiscontinuationReasonCodeSequence"
        " AdmittingDiagnosesCodeSequence"
    )
)
_CODE_VALUES = tags_of("CodeValue LongCodeValue URNCodeValue")
# Final state, P: what has to be said of a performed step before it is completed.
_BEFORE_COMPLETED = tags_of(
    "PerformedStationNameCodeSequence PerformedProcedureStepStartDateTime"
    " PerformedWorkitemCodeSequence PerformedProcedureStepEndDateTime"
)
_OUTPUT = tag_of("OutputInformationSequence")  # there, but it may be empty
# What a search answers without being asked (return keys of type 1, 1C and 2).
RETURNED = frozenset(
    (
        *tags_of(
            "SpecificCharacterSet SOPClassUID SOPInstanceUID WorklistLabel ProcedureStepState"
            " ScheduledHumanPerformersSequence StudyInstanceUID PatientID MedicalAlerts"
            " PregnancyStatus SpecialNeeds TimezoneOffsetFromUTC"
        ),
        *_NEEDED,
        *_PRESENT,
    )
) - {tag_of("CommentsOnTheScheduledProcedureStep"), PERFORMED}


def values_of(dataset: JsonDataset, tag: str) -> list[Any]:
    found: list[Any] = dataset.get(tag, {}).get("Value", [])
    return found


def text_of(dataset: JsonDataset, tag: str) -> str:
    """The first value as text; empty where there is none."""
    values = values_of(dataset, tag)
    return str(values[0]) if values and values[0] is not None else ""


def element(tag: str, *values: Any) -> dict[str, Any]:
    """An attribute of the dictionary with these values."""
    vr = dictionary_VR(int(tag, 16))
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def named(tag: str) -> str:
    return keyword_for_tag(int(tag, 16)) or tag


def faults_of_new(dataset: JsonDataset) -> list[str]:
    """What keeps a data set from becoming a workitem (column N-CREATE)."""
    faults = [f"{named(tag)} is missing" for tag in _NEEDED if not values_of(dataset, tag)]
    if text_of(dataset, STATE) != "SCHEDULED":
        faults.append("ProcedureStepState has to be SCHEDULED")
    faults += [
        f"{named(tag)} has to be empty" for tag in _EMPTY_AT_FIRST if values_of(dataset, tag)
    ]
    return faults + list(_faults_within(dataset))


def faults_of_change(dataset: JsonDataset) -> list[str]:
    """What keeps a data set from being laid over a workitem (column N-SET)."""
    faults = [f"{named(tag)} cannot be changed" for tag in sorted(_FIXED & dataset.keys())]
    faults += [
        f"{named(tag)} cannot be emptied"
        for tag in sorted(_KEPT_FILLED & dataset.keys())
        if not values_of(dataset, tag)
    ]
    return faults + list(_faults_within(dataset))


def missing_for_completion(dataset: JsonDataset) -> list[str]:
    """What has to be said before a workitem may be COMPLETED (column final state, P)."""
    items = values_of(dataset, PERFORMED)
    if not items:
        return [named(PERFORMED)]
    lacking = [
        f"{named(PERFORMED)}.{named(tag)}"
        for tag in _BEFORE_COMPLETED
        if not all(values_of(item, tag) for item in items)
    ]
    if not all(_OUTPUT in item for item in items):
        lacking.append(f"{named(PERFORMED)}.{named(_OUTPUT)}")
    return lacking


def missing_for_cancellation(dataset: JsonDataset) -> list[str]:
    """What has to be said before a workitem may be CANCELED (column final state, X)."""
    if any(values_of(item, REASON_CODE) for item in values_of(dataset, PROGRESS)):
        return []
    return [f"{named(PROGRESS)}.{named(REASON_CODE)}"]


def with_empty(dataset: JsonDataset) -> JsonDataset:
    """The data set, with every attribute of type 2 at least there."""
    return {tag: element(tag) for tag in _PRESENT} | dataset


def code(value: str, scheme: str, meaning: str) -> JsonDataset:
    """An item of a code sequence (PS3.3 8.8)."""
    return {
        CODE_VALUE: element(CODE_VALUE, value),
        CODE_SCHEME: element(CODE_SCHEME, scheme),
        CODE_MEANING: element(CODE_MEANING, meaning or value),
    }


def _faults_within(dataset: JsonDataset) -> Iterator[str]:
    yield from _choice(dataset, PRIORITY, ("HIGH", "MEDIUM", "LOW"))
    yield from _choice(dataset, READINESS, ("INCOMPLETE", "UNAVAILABLE", "READY"))
    for item in values_of(dataset, PERFORMERS):
        if not values_of(item, tag_of("HumanPerformerCodeSequence")):
            yield f"{named(PERFORMERS)}.HumanPerformerCodeSequence is missing"
    yield from _incomplete_codes(dataset)


def _choice(dataset: JsonDataset, tag: str, allowed: Iterable[str]) -> Iterator[str]:
    if values_of(dataset, tag) and text_of(dataset, tag) not in allowed:
        yield f"{named(tag)} has to be one of {', '.join(allowed)}"


def _incomplete_codes(dataset: JsonDataset) -> Iterator[str]:
    for tag, found in dataset.items():
        if found["vr"] != "SQ":
            continue
        for item in found.get("Value", []):
            if tag in _CODES and not _is_code(item):
                yield f"{named(tag)}: a code needs its value and its meaning"
            yield from _incomplete_codes(item)


def _is_code(item: JsonDataset) -> bool:
    return bool(values_of(item, CODE_MEANING)) and any(values_of(item, tag) for tag in _CODE_VALUES)
