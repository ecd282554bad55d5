"""The index of what is stored, and what is laid over it."""

from apps.studies.models.index import Instance, Series, SpoolFile, Study
from apps.studies.models.labels import Label, StudyLabel
from apps.studies.models.overlays import CoercionRule, Conflict, Correction

__all__ = [
    "CoercionRule",
    "Conflict",
    "Correction",
    "Instance",
    "Label",
    "Series",
    "SpoolFile",
    "Study",
    "StudyLabel",
]
