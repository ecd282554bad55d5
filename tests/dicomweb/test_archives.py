"""Studies, series and instances as ZIP archives."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pydicom import dcmread

from apps.audit.models import Event, Kind
from apps.studies.models import Study
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep, address_of

pytestmark = pytest.mark.django_db


def names_in(client: Client, address: str) -> list[str]:
    answer: Any = client.get(address)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")
    data = b"".join(answer.streaming_content)
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return archive.namelist()


def test_each_level_comes_as_an_archive(keep: Keep, radiologist: Client) -> None:
    first = keep(ct_image())
    series = first.series
    same = {"StudyInstanceUID": series.study.study_instance_uid}
    keep(ct_image(**same, SeriesInstanceUID=series.series_instance_uid))
    keep(ct_image(**same))
    instance = address_of(first)
    counts = []
    for address in (instance, instance.split("/instances")[0], instance.split("/series")[0]):
        names = names_in(radiologist, f"{address}/archive")
        counts.append(sum(name.startswith("DICOM/") for name in names))
        assert {"DICOMDIR", "README.TXT"} <= set(names)
    assert counts == [1, 2, 3]
    rows = Event.objects.filter(kind=Kind.STUDY_EXPORTED)
    assert {row.details["level"] for row in rows} == {"instance", "series", "study"}


def test_who_accepts_zip_is_given_one_at_the_address_of_the_study(
    keep: Keep, radiologist: Client
) -> None:
    row = keep(ct_image())
    for address in (address_of(row), address_of(row).split("/series")[0]):
        answer: Any = radiologist.get(address, headers={"Accept": "application/zip"})
        assert answer.headers["Content-Type"] == "application/zip"
        assert zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))).testzip() is None
        either = radiologist.get(address, headers={"Accept": "application/dicom;q=0.1, */*"})
        assert either.headers["Content-Type"].startswith("multipart/related")


def test_an_archive_is_for_who_may_export(keep: Keep, as_role: Callable[[str], Client]) -> None:
    address = f"{address_of(keep(ct_image()))}/archive"
    assert as_role("radiologist").head(address).status_code == 200
    assert as_role("technologist").get(address).status_code == 403
    assert as_role("referrer").get(address).status_code == 404
    assert not Event.objects.filter(kind=Kind.STUDY_EXPORTED).exists()


def test_a_rejected_study_is_not_packed(keep: Keep, radiologist: Client) -> None:
    address = address_of(keep(ct_image())).split("/series")[0]
    Study.objects.update(status="rejected")
    assert radiologist.get(f"{address}/archive").status_code == 410


def test_an_archive_holds_readable_files(keep: Keep, radiologist: Client) -> None:
    row = keep(ct_image())
    answer: Any = radiologist.get(f"{address_of(row)}/archive")
    data = b"".join(answer.streaming_content)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        image = dcmread(io.BytesIO(archive.read("DICOM/ST000001/SE000001/IM000001")))
    assert image.SOPInstanceUID == row.sop_instance_uid
