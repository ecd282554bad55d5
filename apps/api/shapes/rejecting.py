"""What is taken out of use, and why."""

from typing import Any

from rest_framework import serializers

from apps.api.requests import Asked
from apps.studies.models import Rejection


class Rejecting(Asked):
    """Why something is taken out of use."""

    code = serializers.ChoiceField(
        choices=Rejection.Code.given(), help_text="The kind of reason (PS3.16 CID 7011)."
    )
    reason = serializers.CharField(max_length=200, help_text="In words, without names.")


class RejectionShape(serializers.Serializer[Any]):
    """Something that is shown to nobody any more."""

    id = serializers.IntegerField()
    study_instance_uid = serializers.CharField(source="study.study_instance_uid")
    series_instance_uid = serializers.CharField(
        source="series.series_instance_uid",
        default=None,
        allow_null=True,
        help_text="Where a series was rejected.",
    )
    sop_instance_uid = serializers.CharField(
        source="instance.sop_instance_uid",
        default=None,
        allow_null=True,
        help_text="Where one instance was rejected.",
    )
    code = serializers.CharField()
    reason = serializers.CharField()
    at = serializers.DateTimeField()
