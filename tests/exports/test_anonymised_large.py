"""Anonymised exports of large objects: their pixels are passed on, not held."""

import io
import tracemalloc

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from apps.audit.services import Origin
from apps.exports.services import anonymising, splitting
from apps.exports.services.anonymising import Outcome, anonymised_members
from apps.exports.services.gathering import instance_keys
from apps.exports.services.making import make_due
from tests.dicom.objects import ct_image
from tests.exports.conftest import Ask, objects_of, opened, store
from tests.exports.test_anonymised import released

pytestmark = pytest.mark.django_db
MEBIBYTE = 1 << 20


@pytest.fixture(autouse=True)
def _everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "HELD", 0)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2", RLELossless])
def test_pixels_leave_as_they_lie_and_what_is_behind_them_stays_here(
    ask: Ask, origin: Origin, syntax: str
) -> None:
    image = ct_image(BurnedInAnnotation="NO", DataSetTrailingPadding=b"\0" * 20)
    image.add_new(0x7FE10010, "LO", "ACME 1.0")
    image.add_new(0x7FE11001, "LO", "Secret^Name")
    if syntax == RLELossless:
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.compress(syntax, generate_instance_uid=False)
    export = released(ask(store(image, syntax=syntax), kind="anonymised"), origin)
    (data,) = objects_of(opened(export))
    sent = dcmread(io.BytesIO(data))
    assert sent.PixelData == image.PixelData
    assert np.array_equal(sent.pixel_array, np.arange(24).reshape(4, 6))
    assert sent.file_meta.TransferSyntaxUID == syntax
    assert sent.PatientIdentityRemoved == "YES"
    assert b"Secret" not in data
    assert b"ACME" not in data
    assert not list(export.path.parent.glob("tmp*"))


def test_memory_does_not_grow_with_the_pixels(ask: Ask, origin: Origin) -> None:
    side = 4096
    image = ct_image(
        BurnedInAnnotation="NO", Rows=side, Columns=side, PixelData=bytes(2 * side * side)
    )
    export = ask(store(image), kind="anonymised")
    make_due()
    export.refresh_from_db()
    assert export.profile is not None
    keys = instance_keys(export.studies.values_list("pk", flat=True))
    tracemalloc.start()
    try:
        outcome = Outcome()
        members = anonymised_members(export, export.profile, keys, outcome)
        sizes = [(one.size, sum(map(len, one.chunks()))) for one in members]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert outcome.left_out == 0
    assert sizes[0][0] == sizes[0][1] > 32 * MEBIBYTE
    assert peak < 8 * MEBIBYTE


def test_what_has_to_be_worked_on_as_a_whole_is_left_out_where_it_is_too_large(
    ask: Ask, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anonymising, "MOST_HELD", 3000)
    study = store(ct_image(Modality="US", Rows=40, Columns=40, PixelData=bytes(3200)))
    export = released(ask(study, kind="anonymised"), origin, regions=[[0, 0, 2, 2]])
    assert export.left_out_count == 1
