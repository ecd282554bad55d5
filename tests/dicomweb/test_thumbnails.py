"""Thumbnails: small, of everything, made once."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from PIL import Image
from pydicom.uid import BasicTextSRStorage, RTPlanStorage

from apps.audit.models import Event
from apps.studies.models import Instance, Study
from apps.studies.services import rendering, settle_study
from apps.studies.services.caching import trim_cache
from apps.studies.tasks import make_thumbnails
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep, address_of
from tests.dicomweb.test_rendered import frames, get, without_pixels

pytestmark = pytest.mark.django_db


def opened(answer: Any) -> Image.Image:
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "image/jpeg"
    return Image.open(io.BytesIO(answer.getvalue()))


def levels_of(row: Instance) -> tuple[str, ...]:
    instance = address_of(row)
    series = instance.rsplit("/instances", maxsplit=1)[0]
    study = series.rsplit("/series", maxsplit=1)[0]
    return study, series, instance, f"{instance}/frames/1"


def test_every_level_has_one_that_fits_its_viewport(radiologist: Client, keep: Keep) -> None:
    for level in levels_of(keep(ct_image())):
        assert opened(get(radiologist, f"{level}/thumbnail")).size == (256, 171)
        small = get(radiologist, f"{level}/thumbnail", viewport="60,90")
        assert opened(small).size == (60, 40)


def test_the_second_request_decodes_nothing(
    radiologist: Client, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{address_of(keep(ct_image()))}/thumbnail"
    first = get(radiologist, address)
    monkeypatch.setattr(rendering, "_pictures", None)  # nobody is there to decode
    assert get(radiologist, address).content == first.content
    unchanged = radiologist.get(address, headers={"if-none-match": first["ETag"]})
    assert unchanged.status_code == 304
    assert first["Cache-Control"] == "private, max-age=31536000, immutable"


def test_of_many_frames_it_is_the_middle_one(radiologist: Client, keep: Keep) -> None:
    address = address_of(keep(frames(5)))
    assert opened(get(radiologist, f"{address}/thumbnail")).getpixel((9, 9)) == 100
    assert opened(get(radiologist, f"{address}/frames/5/thumbnail")).getpixel((9, 9)) == 200
    assert get(radiologist, f"{address}/frames/6/thumbnail").status_code == 404


@pytest.mark.parametrize("sop_class", [BasicTextSRStorage, RTPlanStorage])
def test_what_is_no_image_has_a_sign(radiologist: Client, keep: Keep, sop_class: str) -> None:
    row = keep(without_pixels(sop_class, Modality="SR"))
    for level in levels_of(row)[:3]:
        assert opened(get(radiologist, f"{level}/thumbnail")).size == (256, 256)


def test_a_damaged_image_has_a_sign(radiologist: Client, keep: Keep) -> None:
    row = keep(ct_image(Rows=400))
    assert opened(get(radiologist, f"{address_of(row)}/thumbnail")).size == (256, 256)


def test_thumbnails_are_no_viewing_and_of_nothing_foreign(
    radiologist: Client, keep: Keep, client: Client
) -> None:
    row = keep(ct_image())
    address = f"{address_of(row)}/thumbnail"
    opened(get(radiologist, address))
    assert not Event.objects.filter(kind="study-viewed").exists()
    assert client.get(address).status_code == 401
    assert get(radiologist, address, "image/png").status_code == 406
    assert get(radiologist, address, viewport="x,1").status_code == 400
    unknown = address.replace(row.sop_instance_uid, "1.2.3")
    assert get(radiologist, unknown).status_code == 404


def test_a_complete_study_has_its_thumbnails_made(
    keep: Keep, origin: Any, settings: Any, radiologist: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OPENPACS_STUDY_QUIET_SECONDS = 0
    row = keep(ct_image())
    assert settle_study(Study.objects.get(), origin=origin)
    make_thumbnails(Event.objects.get(kind="study-complete").pk)
    monkeypatch.setattr(rendering, "_pictures", None)
    for level in levels_of(row)[:3]:
        opened(get(radiologist, f"{level}/thumbnail"))


def test_the_oldest_go_when_there_are_too_many(settings: Any, tmp_path: Path) -> None:
    settings.OPENPACS_CACHE = tmp_path / "made"
    (tmp_path / "made" / "ab").mkdir(parents=True)
    for index in range(3):
        (tmp_path / "made" / "ab" / f"{index}.jpg").write_bytes(bytes(100))
    assert trim_cache(250) == 1
    assert trim_cache(250) == 0
    assert len(list(tmp_path.glob("made/*/*"))) == 2
