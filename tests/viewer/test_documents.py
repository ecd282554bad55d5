"""The list of a study's documents: what is in it, for whom, and nothing foreign unescaped."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pydicom.dataset import Dataset
from pydicom.uid import (
    BasicTextSRStorage,
    EncapsulatedPDFStorage,
    EncapsulatedSTLStorage,
    XRayRadiationDoseSRStorage,
)

from apps.accounts.models import User
from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.dicom.uids import new_uid
from apps.studies.services import Target, reject
from tests.dicom.objects import ct_image
from tests.dicom.states import item, state_of
from tests.dicom.test_structured_report import code
from tests.dicomweb.conftest import Keep, keep, spool
from tests.reports.rows import make_order, make_report, make_study, sign

__all__ = ["keep", "spool"]

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


def document(image: Dataset, kind: str, **values: Any) -> Dataset:
    """An object without pixels in the study of an image."""
    given = {
        "SpecificCharacterSet": "ISO_IR 192", "SOPClassUID": kind, "SOPInstanceUID": new_uid(),
        "StudyInstanceUID": image.StudyInstanceUID, "SeriesInstanceUID": new_uid(),
        "PatientID": "P1", "Modality": "SR", "ContentDate": "20260517", "ContentTime": "1015",
        **values,
    }  # fmt: skip
    return item(**given)


def listed(client: Client, uid: str) -> str:
    answer = client.get(reverse("viewer:documents", args=[uid]))
    assert answer.status_code == 200
    return answer.content.decode()


def test_what_is_read_rather_than_looked_at_is_listed(
    as_role: Callable[[str], Client], keep: Keep
) -> None:
    image = ct_image()
    keep(image)
    observer = [item(VerifyingObserverName="House^Gregory")]
    dose = document(
        image,
        XRayRadiationDoseSRStorage,
        ConceptNameCodeSequence=code("Dose of the day"),
        VerifyingObserverSequence=observer,
    )
    rows = [
        keep(one)
        for one in (
            dose,
            document(image, BasicTextSRStorage, SeriesDescription=HOSTILE),
            document(image, EncapsulatedPDFStorage, DocumentTitle="Letter"),
            document(image, EncapsulatedSTLStorage, DocumentTitle="Model"),
            state_of(image, ContentDescription="Arrows", ContentCreatorName="Cuddy^Lisa"),
        )
    ]
    page = listed(as_role("radiologist"), image.StudyInstanceUID)
    assert page.count('<li class="document">') == 5
    assert image.SOPInstanceUID not in page
    for words in ("Dose of the day", "Dose report", "2026-05-17 10:15:00", "House Gregory"):
        assert words in page
    for words in ("Letter", "Arrows", "Cuddy Lisa", "Presentation state", "Show on the image"):
        assert words in page
    assert HOSTILE not in page
    assert f"{rows[0].sop_instance_uid}/rendered" in page
    assert f"{rows[3].sop_instance_uid}/bulkdata/00420011" in page
    assert page.count("data-presentation=") == 1
    kinds = [part.split('"')[0] for part in page.split('data-document="')[1:]]
    assert sorted(kinds) == ["file", "page", "page", "page", "pdf"]


def test_signed_versions_stand_among_them_for_who_may_read_reports(
    as_role: Callable[[str], Client],
) -> None:
    radiologist = as_role("radiologist")
    order = make_order()
    study, report = make_study(order), make_report(order)
    sign(report, User.objects.get(username="radiologist"))
    address = reverse("reports:pdf", args=[report.pk, 1])
    assert address in listed(radiologist, study.study_instance_uid)
    assert address not in listed(as_role("technologist"), study.study_instance_uid)


def test_a_study_without_documents_lists_nothing(
    as_role: Callable[[str], Client], keep: Keep
) -> None:
    image = ct_image()
    keep(image)
    client = as_role("radiologist")
    assert listed(client, image.StudyInstanceUID).strip() == ""
    assert Event.objects.filter(kind=Kind.STUDY_VIEWED).count() == 1


def test_the_list_is_for_who_may_see_the_study(
    as_role: Callable[[str], Client], keep: Keep
) -> None:
    image = ct_image()
    keep(state_of(image))
    address = reverse("viewer:documents", args=[image.StudyInstanceUID])
    assert as_role("referrer").get(address).status_code == 404
    assert as_role("front-desk").get(address).status_code == 403
    radiologist = as_role("radiologist")
    assert radiologist.get(reverse("viewer:documents", args=["1.2.3"])).status_code == 404
    assert radiologist.post(address).status_code == 405


def test_rejected_objects_are_not_listed(
    as_role: Callable[[str], Client], keep: Keep, origin: Origin
) -> None:
    image = ct_image()
    kept, gone = keep(state_of(image)), keep(state_of(image, ContentLabel="GONE"))
    target = Target(gone.series.study, instance=gone)
    reject(target, code="113001", reason="blurred", origin=origin)
    page = listed(as_role("radiologist"), image.StudyInstanceUID)
    assert kept.sop_instance_uid in page
    assert gone.sop_instance_uid not in page


def test_study_and_report_pages_fetch_the_list(as_role: Callable[[str], Client]) -> None:
    order = make_order()
    study, report = make_study(order), make_report(order)
    address = reverse("viewer:documents", args=[study.study_instance_uid])
    client = as_role("radiologist")
    for page in (
        reverse("studies:detail", args=[study.pk]),
        reverse("reports:edit", args=[report.pk]),
    ):
        assert f'hx-get="{address}"' in client.get(page).content.decode()
