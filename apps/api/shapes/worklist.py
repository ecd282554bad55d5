"""Appointments, steps and devices."""

import datetime
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from apps.api.requests import Page
from apps.scheduling.models import Appointment
from apps.worklist.forms import EARLIEST, LATEST
from apps.worklist.models import Device, ScheduledStep

STEP = "requested_procedure.order"


def within(day: datetime.date) -> None:
    """The calendar ends at both ends; no department is there."""
    if not EARLIEST <= day <= LATEST:
        raise serializers.ValidationError(_("There is no such day in the calendar."))


class Day(Page):
    """A day of the site's zone."""

    day = serializers.DateField(required=False, validators=[within], help_text="Left out: today.")


class AppointmentShape(serializers.ModelSerializer[Appointment]):
    accession_number = serializers.CharField(source="order.accession_number")
    patient = serializers.IntegerField(source="order.patient_id")
    room = serializers.CharField(source="resource.name")

    class Meta:
        model = Appointment
        fields = (
            *("id", "accession_number", "patient", "room", "starts_at", "ends_at"),
            *("status", "arrived_at"),
        )
        read_only_fields = fields


class AppointmentQuery(Day):
    room = serializers.CharField(required=False, max_length=64, help_text="Its name.")


class StepShape(serializers.ModelSerializer[ScheduledStep]):
    accession_number = serializers.CharField(source=f"{STEP}.accession_number")
    study_instance_uid = serializers.CharField(source="requested_procedure.study_instance_uid")
    patient = serializers.IntegerField(source=f"{STEP}.patient_id")
    patient_name = serializers.CharField(
        source=f"{STEP}.patient.person_name", help_text="As a DICOM PN."
    )
    patient_id = serializers.CharField(
        source=f"{STEP}.patient.primary_identifier.value",
        default="",
        help_text="The number that is shown first.",
    )
    devices: Any = serializers.SlugRelatedField(
        many=True, read_only=True, slug_field="ae_title", help_text="AE titles."
    )

    class Meta:
        model = ScheduledStep
        fields = (
            *("id", "identifier", "status", "modality", "starts_at", "description"),
            *("accession_number", "study_instance_uid", "patient", "patient_name", "patient_id"),
            *("devices", "started_at", "ended_at"),
        )
        read_only_fields = fields


class StepQuery(Day):
    modality = serializers.CharField(required=False, max_length=16)
    status = serializers.ChoiceField(required=False, choices=ScheduledStep.Status.choices)


class DeviceShape(serializers.ModelSerializer[Device]):
    room = serializers.CharField(source="resource.name", allow_null=True, default=None)

    class Meta:
        model = Device
        fields = (
            *("ae_title", "name", "host", "port", "modality", "room", "active"),
            *("may_store", "may_query", "may_retrieve", "may_receive", "may_read_worklist"),
            *("last_seen_at", "echoed_at", "echo_result"),
        )
        read_only_fields = fields


class DeviceQuery(Page):
    active = serializers.BooleanField(required=False, allow_null=True, default=None)


class EchoShape(serializers.Serializer[object]):
    """What a device answered to a C-ECHO."""

    success = serializers.BooleanField()
    message = serializers.CharField()
    milliseconds = serializers.IntegerField()
