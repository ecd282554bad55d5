"""The index of what is stored, and what is laid over it."""

from apps.studies.models.filters import DefaultFilter, SavedFilter
from apps.studies.models.index import Instance, Series, SpoolFile, Study
from apps.studies.models.labels import Label, StudyLabel
from apps.studies.models.overlays import CoercionRule, Conflict, Correction
from apps.studies.models.provenance import Provenance
from apps.studies.models.regular import RegularSeries
from apps.studies.models.rejections import Rejection
from apps.studies.models.uploads import Upload

__all__ = [
    "CoercionRule",
    "Conflict",
    "Correction",
    "DefaultFilter",
    "Instance",
    "Label",
    "Provenance",
    "RegularSeries",
    "Rejection",
    "SavedFilter",
    "Series",
    "SpoolFile",
    "Study",
    "StudyLabel",
    "Upload",
]
