"""The phantom: recognisable, of true geometry, the same each time."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from apps.dicom.phantom import CT_OFFSET, FIELD_OF_VIEW, phantom


def stored(image: Dataset) -> np.ndarray:
    kind = np.uint8 if image.BitsAllocated == 8 else np.uint16
    return np.frombuffer(image.PixelData, kind).reshape(image.Rows, image.Columns)


def test_a_ct_shows_air_bone_and_brain_in_hounsfield_units() -> None:
    image = phantom("CT", slices=3)[1]
    units = stored(image).astype(int) * image.RescaleSlope + image.RescaleIntercept
    assert image.RescaleIntercept == -CT_OFFSET
    assert units[2, 2] < -950
    assert 900 < units[128, 128 - 75] < 1000
    assert 10 < np.median(units[150:160, 90:100]) < 60


def test_the_lesion_is_on_the_left_of_the_patient() -> None:
    image = phantom("CT", slices=9)[5]
    columns = np.nonzero(np.abs(stored(image).astype(int) - CT_OFFSET - 72) < 4)[1]
    x = float(image.ImagePositionPatient[0]) + np.median(columns) * float(image.PixelSpacing[1])
    assert x > 20


def test_slices_lie_where_they_say() -> None:
    images = phantom("MR", slices=5)
    heights = [float(image.ImagePositionPatient[2]) for image in images]
    assert np.allclose(np.diff(heights), float(images[0].SliceThickness))
    assert len({image.FrameOfReferenceUID for image in images}) == 1
    assert float(images[0].PixelSpacing[0]) * images[0].Columns == pytest.approx(FIELD_OF_VIEW)


@pytest.mark.parametrize(("modality", "bits"), [("CT", 12), ("MR", 12), ("US", 8)])
def test_every_modality_fills_its_bits(modality: str, bits: int) -> None:
    image = phantom(modality, slices=3, size=128)[1]
    assert stored(image).shape == (128, 128)
    assert image.BitsStored == bits
    assert 0 < stored(image).max() < 2**bits
    assert stored(image).std() > 10


def test_another_modality_has_no_phantom() -> None:
    with pytest.raises(ValueError, match="no phantom"):
        phantom("XA")
