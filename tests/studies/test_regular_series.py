"""Asking for a regular series, and the worker that makes it."""

import io
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.utils import timezone
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.dicom.stacks import Kind as StackKind
from apps.studies.models import Instance, RegularSeries, Series
from apps.studies.room import forget_room
from apps.studies.services import NotRegularisable, ask_for_regular, finding_of, reject
from apps.studies.services import regularising as making
from apps.studies.services.outgoing import outgoing_file
from apps.studies.services.regularising import make_due
from apps.studies.services.rejecting import Target
from tests.dicom.objects import part10
from tests.dicom.volumes import stack, voxels
from tests.dimse.receiving import keep
from tests.prepare import find_program

pytestmark = pytest.mark.django_db

GAPS = (-5.0, -2.5, 0.0, 5.0, 7.5)


def stored(images: Sequence[Dataset], syntax: str = "1.2.840.10008.1.2.1") -> Series:
    files = []
    for image in images:
        if syntax != "1.2.840.10008.1.2.1":
            image.file_meta = dcmread(io.BytesIO(part10(image))).file_meta
            image.compress(syntax, generate_instance_uid=False)
        files.append(part10(image, syntax=syntax))
    keep(*files)
    return Series.objects.get(series_instance_uid=images[0].SeriesInstanceUID)


def files_of(uid: str) -> list[bytes]:
    rows = Instance.objects.filter(series__series_instance_uid=uid).order_by("number")
    return [b"".join(outgoing_file(row)[1]()) for row in rows]


def made(row: RegularSeries) -> list[Dataset]:
    make_due()
    row.refresh_from_db()
    assert (row.state, row.reason) == ("done", "")
    return [dcmread(io.BytesIO(one)) for one in files_of(row.series_instance_uid)]


def test_a_tilted_series_is_made_regular(origin: Origin) -> None:
    source = stored(stack(tilt=15.0, heights=GAPS))
    row = ask_for_regular(source, origin=origin)
    assert (row.state, row.percent) == ("waiting", 0)
    images = made(row)
    result = Series.objects.get(series_instance_uid=row.series_instance_uid)
    assert (result.study_id, result.instance_count) == (source.study_id, len(images))
    assert finding_of(result)["kind"] == StackKind.REGULAR
    assert (row.done_count, row.percent) == (len(images), 100)
    kinds = Event.objects.filter(kind__startswith="regular").values_list("kind", flat=True)
    assert sorted(kinds) == [Kind.REGULAR_ASKED, Kind.REGULAR_MADE]


def test_who_asks_again_is_given_the_same(origin: Origin) -> None:
    source = stored(stack(heights=GAPS))
    row = ask_for_regular(source, origin=origin)
    assert ask_for_regular(source, origin=origin) == row
    made(row)
    assert ask_for_regular(source, origin=origin).state == "done"
    assert make_due() == 0
    assert Event.objects.filter(kind=Kind.REGULAR_ASKED).count() == 1


def test_made_again_after_a_crash_the_objects_are_the_same(origin: Origin) -> None:
    row = ask_for_regular(stored(stack(heights=GAPS)), origin=origin)
    made(row)
    before = files_of(row.series_instance_uid)
    RegularSeries.objects.update(state="working", lease_until=timezone.now(), token=7)
    made(row)
    assert files_of(row.series_instance_uid) == before
    assert row.attempts == 2


def test_a_series_that_ends_its_worker_again_and_again_is_given_up(origin: Origin) -> None:
    row = ask_for_regular(stored(stack(heights=GAPS)), origin=origin)
    RegularSeries.objects.update(state="working", lease_until=timezone.now(), attempts=3)
    assert make_due() == 0
    row.refresh_from_db()
    assert (row.state, row.reason) == ("failed", "It was cut off again and again.")


def test_a_worker_whose_hold_is_lost_stores_nothing(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ask_for_regular(stored(stack(heights=GAPS)), origin=origin)
    pixels = making._pixels

    def slow(*given: Any) -> Any:
        RegularSeries.objects.update(token=99)
        return pixels(*given)

    monkeypatch.setattr(making, "_pixels", slow)
    make_due()
    assert not Series.objects.filter(series_instance_uid=row.series_instance_uid).exists()


def test_late_images_make_another_regular_series(origin: Origin) -> None:
    images = stack(heights=(*GAPS, 10.0, 15.0))
    source = stored(images[:-1])
    row = ask_for_regular(source, origin=origin)
    made(row)
    first = row.series_instance_uid
    source = stored(images[-1:])
    again = ask_for_regular(source, origin=origin)
    assert again.pk == row.pk
    made(again)
    assert again.series_instance_uid != first


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
def test_compressed_images_are_decoded_first(origin: Origin, syntax: str) -> None:
    plain = stack(heights=GAPS)
    places = {float(one.ImagePositionPatient[2]): one.PixelData for one in plain}
    images = made(ask_for_regular(stored(plain, syntax), origin=origin))
    heights = {float(one.ImagePositionPatient[2]): one.PixelData for one in images}
    assert {height: heights[height] for height in places} == places


def test_what_cannot_be_decoded_fails_with_a_reason(origin: Origin) -> None:
    images = stack(heights=GAPS)
    images[1].PixelData = images[1].PixelData[:100]
    row = ask_for_regular(stored(images), origin=origin)
    make_due()
    row.refresh_from_db()
    assert (row.state, row.reason) == ("failed", "An image could not be read or written.")
    assert Event.objects.filter(kind=Kind.REGULAR_FAILED).count() == 1
    assert ask_for_regular(row.source, origin=origin).state == "waiting"  # tried once more


def test_what_is_regular_or_no_volume_is_refused(origin: Origin) -> None:
    with pytest.raises(NotRegularisable, match="regular already"):
        ask_for_regular(stored(stack(heights=(0, 1, 2, 3))), origin=origin)
    with pytest.raises(NotRegularisable, match="no stack"):
        ask_for_regular(stored(stack(heights=(0,))), origin=origin)
    other = stored(stack(heights=GAPS, SOPClassUID="1.2.840.10008.5.1.4.1.1.7"))
    with pytest.raises(NotRegularisable, match="Only CT, MR and PET"):
        ask_for_regular(other, origin=origin)
    assert not RegularSeries.objects.exists()


def test_a_rejected_result_is_not_made_again(origin: Origin) -> None:
    source = stored(stack(heights=GAPS))
    row = ask_for_regular(source, origin=origin)
    made(row)
    result = Series.objects.get(series_instance_uid=row.series_instance_uid)
    reject(Target(result.study, series=result), code="113001", reason="blurred", origin=origin)
    with pytest.raises(NotRegularisable, match="was rejected"):
        ask_for_regular(source, origin=origin)


def test_a_full_disk_is_told(origin: Origin, settings: Any) -> None:
    row = ask_for_regular(stored(stack(heights=GAPS)), origin=origin)
    settings.OPENPACS_DISK_LOW = 1 << 62
    forget_room()
    make_due()
    forget_room()
    row.refresh_from_db()
    assert (row.state, row.reason) == ("failed", "There is no room for new images.")


@pytest.mark.peer("dciodvfy")
def test_a_foreign_validator_finds_no_error_in_what_is_made(origin: Origin, tmp_path: Path) -> None:
    images = stack(tilt=15.0, heights=GAPS)
    for image in images:
        image.BodyPartExamined, image.GantryDetectorTilt = "HEAD", "15"
    row = ask_for_regular(stored(images), origin=origin)
    made(row)
    for number, data in enumerate(files_of(row.series_instance_uid)):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(data)
        program = find_program("dciodvfy") or "dciodvfy"
        done = subprocess.run([program, str(path)], capture_output=True, check=False)
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert [line for line in said.splitlines() if line.startswith("Error")] == []


@pytest.mark.samples
def test_a_real_chest_with_missing_slices_is_filled(origin: Origin, samples: Path) -> None:
    files = sorted((samples / "dicom" / "ct-lidc-0314").rglob("*.dcm"))
    images = sorted(map(dcmread, files), key=lambda one: float(one.ImagePositionPatient[2]))[30:42]
    taken = [image for number, image in enumerate(images) if number != 5]
    keep(*(part10(one, syntax=str(one.file_meta.TransferSyntaxUID)) for one in taken))
    source = Series.objects.get()
    assert finding_of(source)["missing"] == 1
    result = made(ask_for_regular(source, origin=origin))
    assert len(result) == len(images)
    _places, found = voxels(
        result[::-1] if result[0].SliceLocation > result[-1].SliceLocation else result
    )
    _places, truth = voxels(images)
    kept = [number for number in range(12) if number != 5]
    assert (found[kept] == truth[kept]).all()
    body = truth[5] > -500
    assert np.abs(found[5] - truth[5])[body].mean() < 60  # a slice lies between its neighbours
