"""Patients and orders."""

from typing import Any

from rest_framework import serializers

from apps.api.requests import MAX_ID, Asked, Page
from apps.orders.models import Order, Referrer, RequestedProcedure
from apps.patients.models import Patient, PatientIdentifier


class IdentifierShape(serializers.ModelSerializer[PatientIdentifier]):
    issuer = serializers.CharField(source="issuer.namespace")

    class Meta:
        model = PatientIdentifier
        fields = ("value", "issuer", "type_code", "preferred")


class PatientShape(serializers.ModelSerializer[Patient]):
    """A patient; the date of birth as far as it is known: `1980`, `1980-05`, `1980-05-17`."""

    name = serializers.CharField(source="person_name", help_text="As a DICOM PN.")
    birth_date = serializers.CharField(source="display_birth_date")
    identifiers = IdentifierShape(many=True)
    merged_into = serializers.IntegerField(source="merged_into_id", allow_null=True)

    class Meta:
        model = Patient
        fields = (
            *("id", "name", "family_name", "given_name", "birth_date", "sex", "status"),
            *("merged_into", "identifiers"),
        )
        read_only_fields = fields


class PatientSearch(Page):
    """Names stand in bodies only: addresses are written to logs."""

    q = serializers.CharField(
        max_length=200, help_text="Name, patient number, phone or accession number."
    )


class ProcedureShape(serializers.ModelSerializer[RequestedProcedure]):
    modality = serializers.CharField(source="procedure.modality")

    class Meta:
        model = RequestedProcedure
        fields = (
            *("identifier", "code", "scheme", "meaning", "modality", "laterality"),
            "study_instance_uid",
        )


class OrderShape(serializers.ModelSerializer[Order]):
    patient = serializers.IntegerField(source="patient_id")
    referrer = serializers.CharField(
        source="referrer.code", allow_null=True, default=None, help_text="The code."
    )
    procedures = ProcedureShape(many=True)

    class Meta:
        model = Order
        fields = (
            *("id", "accession_number", "status", "priority", "patient", "referrer"),
            *("placer_number", "placer_namespace", "reason", "clinical_information"),
            *("cancel_reason", "requested_at", "procedures"),
        )
        read_only_fields = fields


class OrderQuery(Page):
    number = serializers.CharField(
        required=False, max_length=64, help_text="Accession or placer number."
    )
    patient = serializers.IntegerField(
        required=False, min_value=1, max_value=MAX_ID, help_text="Key of the patient."
    )
    status = serializers.ChoiceField(required=False, choices=Order.Status.choices)


class WantedProcedure(Asked):
    code = serializers.CharField(max_length=16, help_text="Of the procedure catalogue.")
    scheme = serializers.CharField(max_length=16, default="99OPACS")
    laterality = serializers.ChoiceField(
        choices=[("", "none"), ("L", "left"), ("R", "right"), ("B", "both")],
        required=False,
        default="",
    )


class NewOrder(Asked):
    patient = serializers.IntegerField(min_value=1, max_value=MAX_ID)
    procedures = serializers.ListField(child=WantedProcedure(), min_length=1, max_length=20)
    priority = serializers.ChoiceField(
        choices=Order.Priority.choices, default=Order.Priority.ROUTINE.value
    )
    reason = serializers.CharField(max_length=4000, allow_blank=True, default="")
    clinical_information = serializers.CharField(max_length=4000, allow_blank=True, default="")
    referrer = serializers.SlugRelatedField(
        slug_field="code",
        queryset=Referrer.objects.all(),
        required=False,
        allow_null=True,
        default=None,
        help_text="The code; a referrer orders in the own name.",
    )
    placer_number = serializers.CharField(
        max_length=64,
        allow_blank=True,
        default="",
        help_text="Of the calling system: the same one twice is refused with 409.",
    )
    placer_namespace = serializers.CharField(max_length=64, allow_blank=True, default="")


class Reason(Asked):
    reason = serializers.CharField(max_length=200)


class ProcedurePage(Page):
    modality = serializers.CharField(required=False, max_length=16)


class CatalogueShape(serializers.Serializer[Any]):
    """A line of the catalogue: what can be ordered."""

    code = serializers.CharField()
    scheme = serializers.CharField()
    meaning = serializers.CharField()
    modality = serializers.CharField()
    duration_minutes = serializers.IntegerField()
