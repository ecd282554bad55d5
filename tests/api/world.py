"""A department with one of everything, for what asks all operations."""

from typing import Any

from pydicom.dataset import Dataset

from apps.accounts.models import Role, User
from apps.audit.services import Origin
from apps.orders.models import Order, Procedure
from apps.routing.models import Transfer
from apps.studies.models import Instance
from apps.studies.services import match_study, store_instances
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10
from tests.factories import (
    AppointmentFactory,
    DeviceFactory,
    PatientIdentifierFactory,
    ProcedureFactory,
    ReferrerFactory,
    RequestedProcedureFactory,
    ScheduledStepFactory,
    make_user,
)
from tests.reports.rows import make_order, make_report, sign


def make_world(spool: Spool, origin: Origin) -> dict[str, Any]:
    """One of everything, belonging to the referrer; returns the keys for addresses."""
    referrer, radiologist = user_of(Role.REFERRER), user_of(Role.RADIOLOGIST)
    house = ReferrerFactory.create(user=referrer, code="HOUSE")
    number = PatientIdentifierFactory.create(value="P0000017")
    order = make_order(accession_number="A17", referrer=house, patient=number.patient)
    asked = order.procedures.get()
    image = ct_image(StudyInstanceUID=asked.study_instance_uid)
    store_instances([spool.write([part10(image)])], origin=origin)
    instance = Instance.objects.select_related("series__study").get()
    study = instance.series.study
    match_study(study, procedure=asked, reason="test", origin=origin)
    waste = _waste(image, spool, origin)
    report = make_report(order)
    sign(report, radiologist)
    station = DeviceFactory.create(ae_title="STATION", host="", may_receive=True)
    transfer = Transfer.objects.create(study=study, destination=station)
    fresh = make_order(patient=order.patient, referrer=house)
    ScheduledStepFactory.create(requested_procedure=fresh.procedures.get())
    AppointmentFactory.create(order=fresh)
    ProcedureFactory.create(code="CT1")
    return {
        "patient": order.patient_id,
        "order": fresh.pk,
        "study": study.study_instance_uid,
        "series": instance.series.series_instance_uid,
        "instance": instance.sop_instance_uid,
        "waste_series": waste.SeriesInstanceUID,
        "waste_instance": waste.SOPInstanceUID,
        "report": report.pk,
        "transfer": transfer.pk,
        "device": "STATION",
    }


def _waste(image: Dataset, spool: Spool, origin: Origin) -> Dataset:
    """A series of two images in the study of another, of which one is returned: to be rejected."""
    study = {"StudyInstanceUID": image.StudyInstanceUID}
    first = ct_image(**study)
    second = ct_image(**study, SeriesInstanceUID=first.SeriesInstanceUID)
    store_instances([spool.write([part10(one)]) for one in (first, second)], origin=origin)
    return first


def make_stranger(spool: Spool, origin: Origin) -> dict[str, Any]:
    """Somebody else's patient, of whom the referrer of `make_world` may see nothing."""
    order = make_order(accession_number="B18")
    asked = order.procedures.get()
    image = ct_image(StudyInstanceUID=asked.study_instance_uid, PatientName="Secret^Somebody")
    store_instances([spool.write([part10(image)])], origin=origin)
    instance = Instance.objects.select_related("series__study").get(
        sop_instance_uid=image.SOPInstanceUID
    )
    match_study(instance.series.study, procedure=asked, reason="test", origin=origin)
    report = make_report(order)
    sign(report, user_of(Role.RADIOLOGIST))
    return {
        "patient": order.patient_id,
        "order": order.pk,
        "study": asked.study_instance_uid,
        "series": instance.series.series_instance_uid,
        "instance": instance.sop_instance_uid,
        "report": report.pk,
    }


def user_of(role: Role) -> User:
    """The user of a role, made once."""
    return User.objects.filter(username=role.value).first() or make_user(role)


def make_many(count: int, spool: Spool, origin: Origin) -> None:
    """So many patients with orders, steps, studies with labels, and reports."""
    radiologist = user_of(Role.RADIOLOGIST)
    for _ in range(count):
        order = make_order()
        PatientIdentifierFactory.create(patient=order.patient, preferred=False)
        asked = order.procedures.get()
        store_instances(
            [spool.write([part10(ct_image(StudyInstanceUID=asked.study_instance_uid))])],
            origin=origin,
        )
        sign(make_report(order), radiologist)
        AppointmentFactory.create(order=order)
        ScheduledStepFactory.create(requested_procedure=RequestedProcedureFactory.create())
    assert Order.objects.count() >= count
    assert Procedure.objects.exists()
