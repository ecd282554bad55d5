"""Studies, what is in them, and what is done with them."""

from typing import Any

from django.urls import reverse
from rest_framework import serializers

from apps.api.requests import Asked, Page
from apps.studies.conditions import STUDY_KEYS
from apps.studies.models import Instance, Label, Series, Study

# Who somebody is stands in bodies only: addresses are written to logs.
PERSONAL = frozenset({"PatientName", "PatientBirthDate", "PatientSex", "ReferringPhysicianName"})


class LabelShape(serializers.ModelSerializer[Label]):
    class Meta:
        model = Label
        fields = ("name", "colour")
        read_only_fields = fields


class StudyShape(serializers.ModelSerializer[Study]):
    """A study as it is shown: with what was corrected since it came."""

    patient = serializers.IntegerField(
        source="patient_id", allow_null=True, help_text="Key of the patient, once known."
    )
    patient_id = serializers.CharField(source="patient_identifier", help_text="As sent.")
    study_time = serializers.CharField(allow_null=True, help_text="Of the clock of the site.")
    modalities = serializers.ListField(source="modality_list", child=serializers.CharField())
    labels = serializers.SerializerMethodField(help_text="Of the department: referrers see none.")
    orders = serializers.SerializerMethodField(help_text="Accession numbers of its orders.")

    class Meta:
        model = Study
        fields = (
            *("study_instance_uid", "status", "match", "match_reason", "orders", "labels"),
            *("patient", "patient_id", "patient_identifier_issuer", "patient_name"),
            *("patient_birth_date", "patient_sex", "study_date", "study_time"),
            *("accession_number", "study_id", "description", "referring_physician"),
            *("modalities", "series_count", "instance_count", "size", "received_at"),
        )
        read_only_fields = fields

    def get_labels(self, study: Study) -> list[str]:
        shown = self.context.get("labels", False)
        return [label.name for label in study.labels.all()] if shown else []

    def get_orders(self, study: Study) -> list[str]:
        return sorted({one.order.accession_number for one in study.procedures.all()})


class SeriesShape(serializers.ModelSerializer[Series]):
    series_time = serializers.CharField(allow_null=True, help_text="Of the clock of the site.")

    class Meta:
        model = Series
        fields = (
            *("series_instance_uid", "modality", "number", "description", "body_part"),
            *("laterality", "protocol_name", "station_name", "series_date", "series_time"),
            "instance_count",
        )
        read_only_fields = fields


class InstanceShape(serializers.ModelSerializer[Instance]):
    file = serializers.SerializerMethodField(help_text="Path of the DICOM file.")

    class Meta:
        model = Instance
        fields = (
            *("sop_instance_uid", "sop_class_uid", "transfer_syntax_uid", "number", "rows"),
            *("columns", "frames", "size", "sha256", "file"),
        )
        read_only_fields = fields

    def get_file(self, instance: Instance) -> str:
        return reverse("api:file", args=[instance.sop_instance_uid])


def _key(keyword: str) -> serializers.Field[Any, Any, Any, Any]:
    return serializers.CharField(
        required=False,
        max_length=1024,
        trim_whitespace=False,
        help_text=f"{keyword} as in a DICOM query: wildcards, ranges, lists with backslashes.",
    )


class StudyQuery(Page):
    """The keys of QIDO-RS that do not say who somebody is."""

    Modality = _key("Modality")
    label = serializers.ListField(  # type: ignore[assignment]  # a field has a label, too
        child=serializers.CharField(max_length=64),
        required=False,
        max_length=20,
        default=list,
        help_text="Studies that bear all of these.",
    )
    match = serializers.ChoiceField(required=False, choices=Study.Match.choices)
    fuzzy = serializers.BooleanField(
        required=False, default=False, help_text="Names by the beginnings of their words."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        asked = {name: _key(name) for name in STUDY_KEYS if name not in PERSONAL}
        return {**asked, **super().get_fields()}


class StudySearch(StudyQuery):
    """All keys of QIDO-RS, in a body."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        personal = {name: _key(name) for name in sorted(PERSONAL)}
        return {**personal, **super().get_fields()}


class Matching(Asked):
    """Which order a study belongs to."""

    accession_number = serializers.CharField(max_length=16)
    procedure = serializers.CharField(
        required=False,
        max_length=16,
        help_text="Its requested procedure ID, where the order has several.",
    )
    reason = serializers.CharField(max_length=150)


class Sending(Asked):
    """Where a study goes."""

    device = serializers.CharField(max_length=16, help_text="AE title.")
    series = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        default=list,
        max_length=1000,
        help_text="Series Instance UIDs; left out: the whole study.",
    )
    key = serializers.UUIDField(
        required=False,
        default=None,
        allow_null=True,
        help_text="Names the request: the same one sent twice queues nothing.",
    )


class TransferShape(serializers.Serializer[Any]):
    """A study on its way to a device."""

    id = serializers.IntegerField()
    content = serializers.CharField()
    study_instance_uid = serializers.CharField(source="study.study_instance_uid")
    device = serializers.CharField(source="destination.ae_title")
    status = serializers.CharField()
    attempts = serializers.IntegerField()
    total_count = serializers.IntegerField()
    sent_count = serializers.IntegerField()
    failed_count = serializers.IntegerField()
    last_error = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class TransferQuery(Page):
    status = serializers.ChoiceField(
        required=False,
        choices=["waiting", "sending", "sent", "partly", "failed", "dropped"],
    )
    study = serializers.CharField(required=False, max_length=64, help_text="Study Instance UID.")
    device = serializers.CharField(required=False, max_length=16, help_text="AE title.")
