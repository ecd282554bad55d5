"""Reading workitems, and what is still to be told about them."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from apps.dicom.keys import BadKeyError, Key, Matching
from apps.dicom.lookups import (
    date_condition,
    fuzzy_name_condition,
    name_condition,
    text_condition,
)
from apps.dicom.moments import parse_moment_range

if TYPE_CHECKING:
    from apps.workitems.models import Notice, Workitem

_CODE = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
_REQUEST = "ReferencedRequestSequence"
_PERFORMERS = "ScheduledHumanPerformersSequence"
_PERFORMED = "UnifiedProcedureStepPerformedProcedureSequence"
_CODED = (
    "ScheduledStationNameCodeSequence",
    "ScheduledStationClassCodeSequence",
    "ScheduledStationGeographicLocationCodeSequence",
    "ScheduledWorkitemCodeSequence",
    "AdmittingDiagnosesCodeSequence",
    f"{_PERFORMERS}.HumanPerformerCodeSequence",
    f"{_REQUEST}.RequestedProcedureCodeSequence",
    f"{_PERFORMED}.PerformedStationNameCodeSequence",
    f"{_PERFORMED}.ActualHumanPerformersSequence.HumanPerformerCodeSequence",
)
# Keys within sequences (PS3.4 table CC.2.5-3): each of their values is a row of WorkitemKey.
NESTED = frozenset(
    {
        *(f"{sequence}.{part}" for sequence in _CODED for part in _CODE),
        f"{_PERFORMERS}.HumanPerformerName",
        f"{_PERFORMERS}.HumanPerformerOrganization",
        f"{_REQUEST}.StudyInstanceUID",
        f"{_REQUEST}.AccessionNumber",
        f"{_REQUEST}.IssuerOfAccessionNumberSequence.LocalNamespaceEntityID",
        f"{_REQUEST}.IssuerOfAccessionNumberSequence.UniversalEntityID",
        f"{_REQUEST}.PlacerOrderNumberImagingServiceRequest",
        f"{_REQUEST}.FillerOrderNumberImagingServiceRequest",
        f"{_REQUEST}.RequestedProcedureID",
        f"{_REQUEST}.RequestedProcedureDescription",
        f"{_REQUEST}.RequestingService",
        "InputInformationSequence.StudyInstanceUID",
        "IssuerOfAdmissionIDSequence.LocalNamespaceEntityID",
        "IssuerOfAdmissionIDSequence.UniversalEntityID",
        "OtherPatientIDsSequence.PatientID",
        "OtherPatientIDsSequence.IssuerOfPatientID",
        "ReplacedProcedureStepSequence.ReferencedSOPInstanceUID",
    }
)
# Keys at the root that are compared as text: name -> column.
TEXTS = {
    "AdmissionID": "admission",
    "InputReadinessState": "input_readiness",
    "IssuerOfPatientID": "patient_issuer",
    "PatientID": "patient_number",
    "PatientSex": "sex",
    "ProcedureStepLabel": "label",
    "ProcedureStepState": "state",
    "SOPInstanceUID": "sop_instance_uid",
    "ScheduledProcedureStepPriority": "priority",
    "StudyInstanceUID": "study_instance_uid",
    "WorklistLabel": "worklist_label",
}
MOMENTS = {
    "ExpectedCompletionDateTime": "expected_completion",
    "ScheduledProcedureStepExpirationDateTime": "expiration",
    "ScheduledProcedureStepModificationDateTime": "changed_at",
    "ScheduledProcedureStepStartDateTime": "scheduled_start",
}
_OTHERS: dict[str, Callable[[Key], Q]] = {
    "PatientBirthDate": lambda key: date_condition("birth_date", key),
    "SOPClassUID": lambda key: Q() if "1.2.840.10008.5.1.4.34.6.1" in key.values else Q(pk=None),
}
MATCHED = frozenset({*NESTED, *TEXTS, *MOMENTS, *_OTHERS, "PatientName"})


class WorkitemQuerySet(models.QuerySet["Workitem"]):
    def matching(self, keys: Sequence[Key], *, fuzzy: bool = False) -> Self:
        """Workitems that fit all keys (PS3.4 CC.2.8.3); raises BadKeyError for unknown ones.

        Keys within one sequence have to fit within one item of it.
        """
        asked = [key for key in keys if key.matching is not Matching.UNIVERSAL]
        unknown = sorted({key.name for key in asked} - MATCHED)
        if unknown:
            raise BadKeyError(f"Unknown or not searchable: {', '.join(unknown)}")
        rows = self
        for key in asked:
            if key.name not in NESTED:
                rows = rows.filter(_condition(key, fuzzy=fuzzy))
        for sequence in {key.path[0] for key in asked if key.name in NESTED}:
            inside = [key for key in asked if key.path[0] == sequence]
            rows = rows.filter(self._with_item(inside))
        return rows

    def open(self) -> Self:
        """Neither completed nor cancelled."""
        return self.filter(state__in=["SCHEDULED", "IN PROGRESS"])

    def _with_item(self, keys: Sequence[Key]) -> Exists:
        rows: Any = self.model._meta.get_field("keys").related_model
        found = rows.objects.filter(_nested(keys[0]), workitem=OuterRef("pk"))
        for key in keys[1:]:
            same = rows.objects.filter(
                _nested(key), workitem=OuterRef("workitem"), item=OuterRef("item")
            )
            found = found.filter(Exists(same))
        return Exists(found)


class NoticeQuerySet(models.QuerySet["Notice"]):
    def waiting(self, ae_titles: Iterable[str], *, since: datetime) -> Self:
        """What these subscribers have not been told, of what happened since then, in order."""
        waiting = self.filter(ae_title__in=ae_titles, delivered_at=None, event__at__gte=since)
        return waiting.select_related("event__workitem").order_by("event_id", "id")


def _condition(key: Key, *, fuzzy: bool) -> Q:
    if key.name in TEXTS:
        return text_condition(TEXTS[key.name], key)
    if key.name in MOMENTS:
        return _moment(MOMENTS[key.name], key)
    if key.name == "PatientName":
        return (fuzzy_name_condition if fuzzy else name_condition)("patient_name", key)
    return _OTHERS[key.name](key)


def _nested(key: Key) -> Q:
    fits = name_condition("value", key) if key.vr == "PN" else text_condition("value", key)
    return Q(name=key.name) & fits


def _moment(column: str, key: Key) -> Q:
    condition = Q()
    for value in key.values:
        span = parse_moment_range(value, zone=timezone.get_current_timezone())
        if span is None:
            raise BadKeyError(f"{key.name}: not a date and time, or range of them")
        start, end = span
        within = Q(**{f"{column}__gte": start}) if start else Q()
        condition |= within & (Q(**{f"{column}__lte": end}) if end else Q())
    return condition
