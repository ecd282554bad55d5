"""The forms of the studies room."""

from apps.studies.forms.matching import MatchForm
from apps.studies.forms.rules import CoercionRuleForm
from apps.studies.forms.searching import LabelForm, SaveFilterForm, StudySearchForm
from apps.studies.forms.uploading import UploadForm, UploadTarget, UploadTargetForm

__all__ = [
    "CoercionRuleForm",
    "LabelForm",
    "MatchForm",
    "SaveFilterForm",
    "StudySearchForm",
    "UploadForm",
    "UploadTarget",
    "UploadTargetForm",
]
