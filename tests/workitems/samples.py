"""Workitems for tests, in DICOM JSON, with the fewest words."""

import itertools
from typing import Any

from apps.dicom.json import JsonDataset
from apps.dicom.matching import tag_of
from apps.workitems.attributes import code, element

_numbers = itertools.count(1)
KEY, OTHER_KEY = "2.25.1001", "2.25.1002"  # transaction UIDs


def fresh_uid() -> str:
    return f"2.25.7{next(_numbers):09}"


def dataset(**values: Any) -> JsonDataset:
    """A data set by keywords; a list is several values, None is no value."""
    made = {}
    for keyword, value in values.items():
        tag = tag_of(keyword)
        listed = value if isinstance(value, list) else [value]
        made[tag] = element(tag) if value is None else element(tag, *listed)
    return made


def planned(**values: Any) -> JsonDataset:
    """A workitem as it is created: what is required, and what is said beside it."""
    return dataset(
        **{
            "ProcedureStepState": "SCHEDULED",
            "ScheduledProcedureStepPriority": "MEDIUM",
            "ProcedureStepLabel": "Segment the liver",
            "WorklistLabel": "AI",
            "InputReadinessState": "READY",
            "ScheduledProcedureStepStartDateTime": "20260601080000",
            **values,
        }
    )


def station(name: str) -> JsonDataset:
    return code(name, "L", name)


def performed() -> JsonDataset:
    """What has to be said before a workitem is completed."""
    item = dataset(
        PerformedStationNameCodeSequence=station("AI1"),
        PerformedProcedureStepStartDateTime="20260601080100",
        PerformedProcedureStepEndDateTime="20260601080200",
        PerformedWorkitemCodeSequence=code("110005", "DCM", "Interpretation"),
        OutputInformationSequence=None,
    )
    return dataset(UnifiedProcedureStepPerformedProcedureSequence=item)


def stopped() -> JsonDataset:
    """What has to be said before a workitem is cancelled."""
    item = dataset(
        ProcedureStepDiscontinuationReasonCodeSequence=code("110514", "DCM", "Wrong entry")
    )
    return dataset(ProcedureStepProgressInformationSequence=item)


def state(name: str, key: str | None = KEY) -> JsonDataset:
    return dataset(ProcedureStepState=name, TransactionUID=key)
