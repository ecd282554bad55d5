"""The notice that a study can be had here (Instance Availability, PS3.4 R, PS3.3 C.4.23)."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from apps.studies.models import Instance, Study
from apps.worklist.models import PerformedStep

AVAILABILITY_NOTIFICATION = "1.2.840.10008.5.1.4.33"
PERFORMED_STEP = "1.2.840.10008.3.1.2.3.3"
_PERFORMED_SERIES, _SERIES_UID = "00400340", "0020000E"

# Series Instance UID -> SOP class and SOP instance UIDs.
References = dict[str, list[tuple[str, str]]]


def notices(study: Study, *, key: uuid.UUID) -> list[tuple[str, Dataset]]:
    """The notices of a study: SOP Instance UID and attributes of each.

    One for each performed step that lists series of it, one for the rest, because a notice
    refers to one step at most. The same `key` gives the same UIDs, so that a notice that is
    told again is known to be the same.
    """
    references = _references(study)
    told = []
    for step_uid, series in _by_step(study, references).items():
        some = {uid: references[uid] for uid in series}
        told.append((_notice_uid(key, step_uid), _notice(study, step_uid, some)))
    return told


def _references(study: Study) -> References:
    found: References = {}
    rows = Instance.objects.filter(series__study=study)
    columns = ("series__series_instance_uid", "sop_class_uid", "sop_instance_uid")
    for series, sop_class, instance in rows.order_by("series", "number", "id").values_list(
        *columns
    ):
        found.setdefault(series, []).append((sop_class, instance))
    return found


def _by_step(study: Study, series: Iterable[str]) -> dict[str, list[str]]:
    """Series by the step that made them; those of no step under an empty UID."""
    steps = PerformedStep.objects.filter(study_instance_uid=study.study_instance_uid)
    maker = {uid: step.sop_instance_uid for step in steps.order_by("id") for uid in _made(step)}
    found: dict[str, list[str]] = {}
    for uid in series:
        found.setdefault(maker.get(uid, ""), []).append(uid)
    return found


def _made(step: PerformedStep) -> list[str]:
    attributes: Mapping[str, Any] = step.attributes
    items = attributes.get(_PERFORMED_SERIES, {}).get("Value", [])
    return [uid for item in items for uid in (item or {}).get(_SERIES_UID, {}).get("Value", [])]


def _notice_uid(key: uuid.UUID, step_uid: str) -> str:
    return f"2.25.{uuid.uuid5(key, step_uid).int}"


def _notice(study: Study, step_uid: str, references: References) -> Dataset:
    """Attributes of table R.3.2-1 and no other: PS3.4 R.3.2.1.2 forbids them."""
    notice = Dataset()
    notice.ReferencedPerformedProcedureStepSequence = DicomSequence(
        [_step(step_uid)] if step_uid else []
    )
    notice.StudyInstanceUID = study.study_instance_uid
    notice.ReferencedSeriesSequence = DicomSequence(
        [_series(uid, instances) for uid, instances in references.items()]
    )
    return notice


def _step(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = PERFORMED_STEP, uid
    item.PerformedWorkitemCodeSequence = DicomSequence()
    return item


def _series(uid: str, instances: list[tuple[str, str]]) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = uid
    item.ReferencedSOPSequence = DicomSequence([_instance(*one) for one in instances])
    return item


def _instance(sop_class: str, uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
    item.InstanceAvailability = "ONLINE"
    item.RetrieveAETitle = settings.OPENPACS_AE_TITLE
    return item
