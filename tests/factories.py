"""Rows for tests, with the fewest words. Doors and services are tested through themselves."""

import datetime
from typing import Any

import factory
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from factory.django import DjangoModelFactory

from apps.accounts.models import Role, User
from apps.dicom.names import search_form
from apps.orders.models import Order, Procedure, Referrer, RequestedProcedure
from apps.patients.models import Issuer, Patient, PatientIdentifier
from apps.scheduling.models import Appointment, Resource
from apps.worklist.models import Device, ScheduledStep

PASSWORD = "correct horse battery"


def make_user(role: str | Role | None = None, **fields: Any) -> User:
    """A user holding one role (or none), with PASSWORD."""
    name = str(role) if role else "nobody"
    fields = {"username": name, "first_name": "Ada", "last_name": name.title(), **fields}
    user = User.objects.create_user(password=PASSWORD, **fields)
    if role:
        user.groups.add(Group.objects.get(name=str(role)))
    return user


def signed_in(user: User, **browser: Any) -> Client:
    """A browser in which a user is signed in."""
    client = Client(**browser)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


class IssuerFactory(DjangoModelFactory[Issuer]):
    class Meta:
        model = Issuer
        django_get_or_create = ("purpose", "namespace")

    namespace = "OPENPACS"
    purpose = Issuer.Purpose.PATIENT


class PatientFactory(DjangoModelFactory[Patient]):
    class Meta:
        model = Patient

    family_name = factory.Sequence(lambda n: f"Family{n}")
    given_name = "Given"
    search_name = factory.LazyAttribute(
        lambda row: search_form(f"{row.family_name} {row.given_name}")
    )
    birth_date = datetime.date(1980, 5, 17)
    birth_precision = Patient.Precision.DAY
    sex = Patient.Sex.FEMALE


class PatientIdentifierFactory(DjangoModelFactory[PatientIdentifier]):
    class Meta:
        model = PatientIdentifier

    patient = factory.SubFactory(PatientFactory)
    issuer = factory.SubFactory(IssuerFactory)
    value = factory.Sequence(lambda n: f"T{n:06}")
    preferred = True


class ProcedureFactory(DjangoModelFactory[Procedure]):
    class Meta:
        model = Procedure

    code = factory.Sequence(lambda n: f"CT{n:03}")
    meaning = "CT of the chest"
    modality = "CT"
    duration_minutes = 20


class ReferrerFactory(DjangoModelFactory[Referrer]):
    class Meta:
        model = Referrer

    code = factory.Sequence(lambda n: f"R{n:03}")
    family_name = "Referrer"


class OrderFactory(DjangoModelFactory[Order]):
    class Meta:
        model = Order

    patient = factory.SubFactory(PatientFactory)
    issuer = factory.SubFactory(IssuerFactory, purpose=Issuer.Purpose.ACCESSION)
    accession_number = factory.Sequence(lambda n: f"T{n:07}")
    requested_at = factory.LazyFunction(timezone.now)


class RequestedProcedureFactory(DjangoModelFactory[RequestedProcedure]):
    class Meta:
        model = RequestedProcedure

    order = factory.SubFactory(OrderFactory)
    procedure = factory.SubFactory(ProcedureFactory)
    identifier = factory.Sequence(lambda n: f"RPT{n:06}")
    study_instance_uid = factory.Sequence(lambda n: f"2.25.1{n:012}")
    code = factory.SelfAttribute("procedure.code")
    scheme = "99OPACS"
    meaning = factory.SelfAttribute("procedure.meaning")


class ResourceFactory(DjangoModelFactory[Resource]):
    class Meta:
        model = Resource

    name = factory.Sequence(lambda n: f"Room {n}")
    modality = "CT"


class DeviceFactory(DjangoModelFactory[Device]):
    class Meta:
        model = Device

    name = factory.Sequence(lambda n: f"Scanner {n}")
    ae_title = factory.Sequence(lambda n: f"CT{n}")
    host = "127.0.0.1"
    modality = "CT"
    resource = factory.SubFactory(ResourceFactory)


class AppointmentFactory(DjangoModelFactory[Appointment]):
    class Meta:
        model = Appointment

    order = factory.SubFactory(OrderFactory)
    resource = factory.SubFactory(ResourceFactory)
    starts_at = factory.LazyFunction(timezone.now)
    ends_at = factory.LazyAttribute(lambda row: row.starts_at + datetime.timedelta(minutes=20))


class ScheduledStepFactory(DjangoModelFactory[ScheduledStep]):
    class Meta:
        model = ScheduledStep

    requested_procedure = factory.SubFactory(RequestedProcedureFactory)
    identifier = factory.Sequence(lambda n: f"SPST{n:06}")
    modality = "CT"
    starts_at = factory.LazyFunction(timezone.now)
