"""WADO-RS metadata: kept per series, made anew after every change, as JSON and XML."""

import gzip
import json
from collections.abc import Callable
from email import message_from_bytes
from typing import Any

import pytest
from defusedxml import ElementTree
from django.test import Client
from django.utils import timezone

from apps.audit.models import Event
from apps.audit.services import SYSTEM, Origin, deliver
from apps.dicom.amending import Change
from apps.dicom.native_xml import NAMESPACE
from apps.dicomweb import metadata
from apps.dicomweb.models import SeriesMetadata
from apps.studies.models import Correction, Instance, Series, Study
from apps.studies.services import Target, correct_study, reject, settle_study, undo_correction
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep, address_of
from tests.dicomweb.test_retrieve import get

pytestmark = pytest.mark.django_db
JSON, XML = "application/dicom+json", 'multipart/related; type="application/dicom+xml"'


def series_of(instance: Instance) -> str:
    return address_of(instance).rpartition("/instances/")[0]


def settle(study: Study) -> None:
    Study.objects.filter(pk=study.pk).update(last_instance_at=timezone.now().replace(year=2020))
    assert settle_study(Study.objects.get(pk=study.pk), origin=SYSTEM)
    deliver_all()


def deliver_all() -> None:
    for event in Event.objects.filter(delivered_at=None):
        deliver(event.pk)


def names(answer: Any) -> list[Any]:
    assert answer.status_code == 200
    return [one["00100010"]["Value"][0]["Alphabetic"] for one in json.loads(answer.getvalue())]


def test_a_quiet_series_is_kept_and_sent_as_it_is_kept(radiologist: Client, keep: Keep) -> None:
    row = keep(ct_image())
    live = get(radiologist, f"{series_of(row)}/metadata", JSON).json()
    assert not SeriesMetadata.objects.exists()  # images may still come
    settle(row.series.study)
    kept = SeriesMetadata.objects.get()
    answer = get(radiologist, f"{series_of(row)}/metadata", JSON, **{"accept-encoding": "gzip"})
    assert answer.content == bytes(kept.body)
    assert json.loads(gzip.decompress(answer.content)) == live
    assert get(radiologist, f"{series_of(row)}/metadata", JSON).json() == live


def test_what_is_kept_follows_corrections_and_late_images(
    radiologist: Client, keep: Keep, origin: Origin
) -> None:
    first = ct_image(PatientName="As^Sent")
    row = keep(first)
    study, address = row.series.study, f"{series_of(row)}/metadata"
    settle(study)
    change = Change("00100010", "PN", [{"Alphabetic": "Real^Name"}])
    (correction,) = correct_study(
        study, changes=[change], reason="typing", source=Correction.Source.PERSON, origin=origin
    )
    deliver_all()
    assert names(get(radiologist, address)) == ["Real^Name"]
    assert metadata.is_kept(Series.objects.select_related("study").get())
    keep(
        ct_image(
            StudyInstanceUID=first.StudyInstanceUID,
            SeriesInstanceUID=first.SeriesInstanceUID,
            PatientName="As^Sent",
            InstanceNumber=2,
        )
    )
    assert names(get(radiologist, address)) == ["Real^Name", "Real^Name"]
    undo_correction(correction, origin=origin)
    assert names(get(radiologist, address)) == ["As^Sent", "As^Sent"]


def test_what_is_made_of_an_older_state_is_not_kept(keep: Keep) -> None:
    row = keep(ct_image())
    before = Series.objects.select_related("study").get()
    Series.objects.update(revision=before.revision + 1)
    assert not metadata.keep_metadata(before, "/dicom-web")
    assert metadata.keep_metadata(Series.objects.select_related("study").get(), "/dicom-web")
    assert SeriesMetadata.objects.get().series == row.series


def test_who_asks_for_a_quiet_series_has_it_kept(radiologist: Client, keep: Keep) -> None:
    row = keep(ct_image())
    settle(row.series.study)
    SeriesMetadata.objects.all().delete()
    first = get(radiologist, f"{series_of(row)}/metadata", JSON)
    assert SeriesMetadata.objects.exists()
    assert get(radiologist, f"{series_of(row)}/metadata", JSON).json() == first.json()


@pytest.mark.parametrize("quiet", [True, False])
def test_a_study_is_the_sum_of_its_series(
    radiologist: Client,
    keep: Keep,
    monkeypatch: pytest.MonkeyPatch,
    quiet: bool,
) -> None:
    monkeypatch.setattr(metadata, "AT_ONCE", 2)
    first = ct_image()
    rows = [keep(first)]
    for series, count in ((first.SeriesInstanceUID, 4), (None, 1), (None, 2)):
        made = ct_image(StudyInstanceUID=first.StudyInstanceUID)
        for number in range(count):
            one = ct_image(
                StudyInstanceUID=first.StudyInstanceUID,
                SeriesInstanceUID=series or made.SeriesInstanceUID,
                InstanceNumber=number + 2,
            )
            rows.append(keep(one))
    if quiet:
        settle(rows[0].series.study)
    study = f"/dicom-web/studies/{first.StudyInstanceUID}/metadata"
    for coding in ("gzip", "identity"):
        answer = get(radiologist, study, JSON, **{"accept-encoding": coding})
        body = answer.getvalue()
        made = json.loads(gzip.decompress(body) if coding == "gzip" else body)
        assert {one["00080018"]["Value"][0] for one in made} == {
            row.sop_instance_uid for row in rows
        }
        assert len(made) == len(rows)
    again = get(radiologist, study, JSON, **{"if-none-match": answer["ETag"]})
    assert again.status_code == 304


def test_xml_says_what_json_says(radiologist: Client, keep: Keep) -> None:
    image = ct_image()
    row = keep(image)
    keep(ct_image(StudyInstanceUID=image.StudyInstanceUID))
    study = f"/dicom-web/studies/{image.StudyInstanceUID}"
    for address, count in ((address_of(row), 1), (series_of(row), 1), (study, 2)):
        answer = get(radiologist, f"{address}/metadata", XML)
        head = f"Content-Type: {answer['Content-Type']}\r\nMIME-Version: 1.0\r\n\r\n".encode()
        message: Any = message_from_bytes(head + answer.getvalue())
        parts = message.get_payload()
        assert [part["Content-Type"] for part in parts] == ["application/dicom+xml"] * count
        for part in parts:
            tree = ElementTree.fromstring(part.get_payload(decode=True))
            assert tree.tag == f"{{{NAMESPACE}}}NativeDicomModel"
            assert "Müller" in [one.text for one in tree.iter(f"{{{NAMESPACE}}}FamilyName")]


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", "application/dicom+json"),
        ("application/json", "application/dicom+json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/dicom+json"),
        (f"{XML};q=0.9, {JSON};q=0.1", "multipart/related"),
        (f"{XML};q=0.1, {JSON}", "application/dicom+json"),
        ("multipart/related; type=application/dicom+xml", "multipart/related"),
        ("application/dicom+xml", 406),
        ("application/dicom", 406),
        ("image/*", 406),
        ("multipart/related; type=application/dicom+json", 406),
    ],
)
def test_metadata_come_in_the_acceptable_form(
    radiologist: Client, keep: Keep, accept: str, status: str | int
) -> None:
    row = keep(ct_image())
    for address in (address_of(row), series_of(row)):
        answer = get(radiologist, f"{address}/metadata", accept)
        if isinstance(status, int):
            assert answer.status_code == status
            assert "dicom+json" in answer.json()["error"]
        else:
            assert answer["Content-Type"].startswith(status)


def test_a_rejected_study_is_gone_on_every_way(
    radiologist: Client, as_role: Callable[[str], Client], keep: Keep
) -> None:
    row = keep(ct_image())
    reject(Target(row.series.study), code="113001", reason="blurred", origin=SYSTEM)
    study = f"/dicom-web/studies/{row.series.study.study_instance_uid}"
    for above in (study, series_of(row), address_of(row)):
        for what in ("", "/metadata", "/bulkdata", "/pixeldata"):
            assert get(radiologist, above + what).status_code == 410, above + what
    for what in ("/frames/1", "/bulkdata/7FE00010"):
        assert get(radiologist, address_of(row) + what).status_code == 410
    assert get(as_role("referrer"), study).status_code == 404  # not theirs: they are told nothing


def test_a_series_takes_few_queries_however_long_it_is(
    radiologist: Client, keep: Keep, django_assert_max_num_queries: Any
) -> None:
    first = ct_image()
    row = keep(first)
    for number in range(5):
        keep(
            ct_image(
                StudyInstanceUID=first.StudyInstanceUID,
                SeriesInstanceUID=first.SeriesInstanceUID,
                InstanceNumber=number + 2,
            )
        )
    get(radiologist, f"{series_of(row)}/metadata")
    with django_assert_max_num_queries(7):
        assert len(get(radiologist, f"{series_of(row)}/metadata").json()) == 6
