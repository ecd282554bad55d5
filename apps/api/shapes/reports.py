"""Signed reports, the change feed, and what the installation says of itself."""

from typing import Any

from django.urls import reverse
from rest_framework import serializers

from apps.api.requests import MAX_ID, Asked, Page
from apps.audit.feed import LONGEST_WAIT
from apps.audit.models import Event, Kind
from apps.reports.models import Report, ReportVersion


class VersionShape(serializers.ModelSerializer[ReportVersion]):
    """A signed state of a report."""

    signer = serializers.CharField(source="signer.username")
    pdf = serializers.SerializerMethodField(help_text="Path of the signed sheet.")

    class Meta:
        model = ReportVersion
        fields = (
            *("number", "status", "technique", "findings", "impression", "signer", "signed_at"),
            *("pdf", "pdf_sha256"),
        )
        read_only_fields = fields

    def get_pdf(self, version: ReportVersion) -> str:
        return reverse("api:report-pdf", args=[version.report_id, version.number])


class ReportShape(serializers.ModelSerializer[Report]):
    accession_number = serializers.CharField(source="order.accession_number")
    patient = serializers.IntegerField(source="order.patient_id")

    class Meta:
        model = Report
        fields: Any = ("id", "status", "accession_number", "patient", "updated_at")
        read_only_fields = fields


class ReportDetailShape(ReportShape):
    versions = VersionShape(many=True)

    class Meta(ReportShape.Meta):
        fields: Any = (*ReportShape.Meta.fields, "versions")
        read_only_fields = fields


class ReportQuery(Page):
    number = serializers.CharField(
        required=False, max_length=64, help_text="Accession or placer number of the order."
    )
    patient = serializers.IntegerField(
        required=False, min_value=1, max_value=MAX_ID, help_text="Key of the patient."
    )


class ChangeShape(serializers.ModelSerializer[Event]):
    """Something that happened, by keys and UIDs."""

    cursor = serializers.IntegerField(source="position")
    subject = serializers.SerializerMethodField(help_text="Such as study.")
    key = serializers.CharField(source="subject_id", help_text="Key of the subject.")
    patient = serializers.IntegerField(source="patient_id", allow_null=True)

    class Meta:
        model = Event
        fields = (
            *("cursor", "kind", "at", "subject", "key", "patient"),
            *("accession_number", "study_instance_uid"),
        )
        read_only_fields = fields

    def get_subject(self, event: Event) -> str:
        return event.subject_type.rpartition(".")[2].lower()


class ChangesShape(serializers.Serializer[Any]):
    results = ChangeShape(many=True)
    last = serializers.IntegerField(help_text="since of the next request.")
    more = serializers.BooleanField(help_text="There is more already: ask again at once.")


class ChangesQuery(Asked):
    since = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=MAX_ID,
        help_text="last of the answer before; 0: from the beginning; left out: from now on.",
    )
    limit = serializers.IntegerField(required=False, min_value=1, max_value=1000, default=100)
    kind = serializers.MultipleChoiceField(
        required=False, choices=Kind.choices, default=set, help_text="Left out: all kinds."
    )
    wait = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=LONGEST_WAIT,
        default=0,
        help_text="Seconds to wait for something to tell, rather than to say that there is none.",
    )


class SystemShape(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="Of the department.")
    version = serializers.CharField()
    ae_title = serializers.CharField()
    time = serializers.DateTimeField()
    user = serializers.CharField()
    counts = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Rows the caller may see, at most a minute old.",
    )
