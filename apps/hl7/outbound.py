"""ORU^R01 2.5.1: one signed version of a report (IHE RAD-28, RAD-128)."""

import base64
import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from apps.hl7.acks import APPLICATION
from apps.hl7.fields import (
    write_identifier,
    write_interpreter,
    write_moment,
    write_name,
    write_person,
)
from apps.hl7.messages import build_message, build_segment, escape, join, repeat
from apps.hl7.models import Partner
from apps.orders.models import Order, Referrer
from apps.patients.models import Patient
from apps.reports.models import ReportVersion, Section
from apps.studies.models import Study
from apps.worklist.models import ScheduledStep

V = ReportVersion.Status
# Table 0123 (OBR-25) and 0085 (OBX-11): an addendum leaves the report final.
RESULT_STATUS = {V.PRELIMINARY: "P", V.FINAL: "F", V.ADDENDUM: "F", V.CORRECTED: "C"}
STUDY_CODE = join("113014", "DICOM Study", "DCM")
PDF_CODE = join("18748-4", "Diagnostic imaging study", "LN")
ADDENDUM_CODE = join("55107-7", "Addendum", "LN")
SECTION_CODES = {
    Section.TECHNIQUE: join("55111-9", "Current imaging procedure descriptions", "LN"),
    Section.FINDINGS: join("59776-5", "Procedure findings", "LN"),
    Section.IMPRESSION: join("19005-8", "Impression", "LN"),
}


@dataclass(frozen=True)
class Observation:
    """OBX-2, OBX-3 and OBX-5, ready made."""

    value_type: str
    code: str
    value: str


def build_result(version: ReportVersion, *, partner: Partner, control_id: str) -> bytes:
    """The message that tells this partner of this version, in its character set."""
    order = version.report.order
    header = [
        APPLICATION,
        escape(settings.OPENPACS_SITE_NAME),
        escape(partner.application),
        escape(partner.facility),
        write_moment(timezone.now(), zone=partner.zone),
        "",
        join("ORU", "R01", "ORU_R01"),
        control_id,
        "P",
        "2.5.1",
    ]
    segments = [
        _pid(order.patient, partner),
        _pv1(order),
        _orc(order),
        _obr(version, order, partner),
        *_observations(version, order, partner),
    ]
    return build_message(header, segments, charset=partner.character_set)


def _pid(patient: Patient, partner: Partner) -> str:
    identifiers = list(patient.identifiers.select_related("issuer"))
    # The number the partner knows comes first.
    identifiers.sort(key=lambda one: one.issuer.namespace != partner.numbers_namespace)
    numbers = [
        write_identifier(one.value, one.issuer.namespace, one.type_code) for one in identifiers
    ]
    groups = patient.person_name.split("=")
    names = [
        write_name(group, representation=code if len(groups) > 1 else "")
        for group, code in zip(groups, "AIP", strict=False)
        if group
    ]
    birth_date = patient.display_birth_date.replace("-", "")
    return build_segment(
        "PID", "1", "", repeat(numbers), "", repeat(names), "", birth_date, patient.sex or "U"
    )


def _pv1(order: Order) -> str:
    fields = {
        1: "1",
        2: escape(order.patient_class) or "U",
        3: escape(order.patient_location),
        8: _referrer(order.referrer),
        19: escape(order.visit_number),
    }
    return _sparse("PV1", fields)


def _orc(order: Order) -> str:
    fields = {
        1: "RE",
        2: join(order.placer_number, order.placer_namespace),
        3: _filler(order),
        5: "CM",
        12: _referrer(order.referrer),
    }
    return _sparse("ORC", fields)


def _obr(version: ReportVersion, order: Order, partner: Partner) -> str:
    requested = order.procedures.select_related("procedure").first()
    examined_at = _examined_at(order)
    signer = write_interpreter(version.signer.username, version.signer.person_name)
    fields = {
        1: "1",
        2: join(order.placer_number, order.placer_namespace),
        3: _filler(order),
        4: join(requested.code, requested.meaning, requested.scheme) if requested else "",
        7: write_moment(examined_at, zone=partner.zone) if examined_at else "",
        16: _referrer(order.referrer),
        18: escape(order.accession_number),
        19: escape(requested.identifier) if requested else "",
        22: write_moment(version.signed_at, zone=partner.zone),
        24: escape(requested.procedure.modality) if requested else "",
        25: RESULT_STATUS[V(version.status)],
        31: escape(order.reason),
        32: signer,
    }
    return _sparse("OBR", fields)


def _observations(version: ReportVersion, order: Order, partner: Partner) -> Iterator[str]:
    status = RESULT_STATUS[V(version.status)]
    signed_at = write_moment(version.signed_at, zone=partner.zone)
    found = [*_studies(order), *_texts(version), _pdf(version)]
    for number, one in enumerate(found, start=1):
        fields = {
            1: str(number),
            2: one.value_type,
            3: one.code,
            4: "1",
            5: one.value,
            11: status,
            14: signed_at,
        }
        yield _sparse("OBX", fields)


def _studies(order: Order) -> Iterator[Observation]:
    """The studies as received; before any came, the UID they were to have."""
    received = Study.objects.filter(procedures__order=order).order_by("pk").distinct()
    uids = list(received.values_list("study_instance_uid", flat=True))
    planned = order.procedures.values_list("study_instance_uid", flat=True)
    for uid in uids or planned:
        yield Observation("ST", STUDY_CODE, escape(uid))


def _texts(version: ReportVersion) -> Iterator[Observation]:
    """The whole text: of an addendum, what it adds to and every addendum until it."""
    if version.status != V.ADDENDUM:
        yield from _sections(version)
        return
    earlier = version.report.versions.filter(number__lt=version.number)
    main = earlier.exclude(status=V.ADDENDUM).order_by("number").last()
    if main:
        yield from _sections(main)
    addenda = version.report.versions.filter(status=V.ADDENDUM, number__lte=version.number)
    for one in addenda.order_by("number"):
        text = one.findings or one.impression
        yield Observation("FT", ADDENDUM_CODE, escape(text))


def _sections(version: ReportVersion) -> Iterator[Observation]:
    for section, code in SECTION_CODES.items():
        if text := getattr(version, section.value):
            yield Observation("FT", code, escape(text))


def _pdf(version: ReportVersion) -> Observation:
    data = base64.b64encode(bytes(version.pdf)).decode("ascii")
    return Observation("ED", PDF_CODE, join("", "application", "pdf", "Base64", data))


def _filler(order: Order) -> str:
    return join(order.filler_number or order.accession_number, APPLICATION)


def _referrer(referrer: Referrer | None) -> str:
    return write_person(referrer.code, referrer.person_name) if referrer else ""


def _examined_at(order: Order) -> datetime.datetime | None:
    """When the first step of the exam began (OBR-7)."""
    steps = ScheduledStep.objects.filter(requested_procedure__order=order, started_at__isnull=False)
    first = steps.order_by("started_at").first()
    return first.started_at if first else None


def _sparse(name: str, fields: dict[int, str]) -> str:
    """A segment from the fields that say something, by their number."""
    return build_segment(name, *(fields.get(number, "") for number in range(1, max(fields) + 1)))
