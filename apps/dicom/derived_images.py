"""Images of a regular grid as DICOM objects of the class they were made from.

What all source images say alike is copied; of what they differ in, the nearest one is asked
for what their class demands, and the rest is left away: it was true of other slices.
"""

from collections.abc import Sequence
from copy import copy, deepcopy
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from pydicom.dataset import Dataset
from pydicom.valuerep import format_number_as_ds

from apps.dicom.encoding import reencoded
from apps.dicom.grey_values import PT, Scale, stored_values
from apps.dicom.header import EXPLICIT_LITTLE
from apps.dicom.part10 import file_meta
from apps.dicom.regularising import Grid, Made, Plane
from apps.dicom.stacks import Geometry, Kind, Slice, axes_of
from apps.dicom.uids import derived_uid

VERSION = 1  # grows when other pixels are made of the same series
SERIES_NUMBERS_FROM = 1000
_LONGEST_DESCRIPTION = 64
# True of the grid that was, of the pixels that were, or of the bytes that were.
_STALE = frozenset(
    {
        "GantryDetectorTilt",
        "ReconstructionDiameter",
        "ReconstructionTargetCenterPatient",
        "DataCollectionCenterPatient",
        "ReconstructionFieldOfView",
        "PatientOrientation",
        "SliceLocation",
        "ImagesInAcquisition",
        "NumberOfSlices",
        "ImageIndex",
        "InStackPositionNumber",
        "StackID",
        "SmallestImagePixelValue",
        "LargestImagePixelValue",
        "SmallestPixelValueInSeries",
        "LargestPixelValueInSeries",
        "IconImageSequence",
        "OriginalAttributesSequence",
        "SourceImageSequence",
        "DerivationCodeSequence",
        "DerivationDescription",
        "SOPInstanceUID",
        "InstanceCreationDate",
        "InstanceCreationTime",
        "InstanceCreatorUID",
        "SpacingBetweenSlices",
        "ImageComments",
        "PixelAspectRatio",
        "DataSetTrailingPadding",
    }
)
_STALE_GROUPS = frozenset({0x0002, 0x4FFE, 0x7FE0, 0xFFFA, 0xFFFC})
# Demanded by a class (type 1 or 2) and different from slice to slice.
_DEMANDED = (
    "AcquisitionNumber",
    "AcquisitionDate",
    "AcquisitionTime",
    "FrameReferenceTime",
    "ActualFrameDuration",
    "DecayFactor",
    "KVP",
    "TriggerTime",
)


@dataclass(frozen=True)
class Recipe:
    """What the images of a new series are made by.

    `headers`: of the sources, in the order of the slices; `first`: the place of the first of
    them; `common`: what `template` made of them. `version` makes the UIDs.
    """

    headers: Sequence[Dataset]
    first: Slice
    grid: Grid
    scale: Scale
    common: Dataset
    version: str


def series_uid(version: str) -> str:
    """The Series Instance UID of what is made by this version of this series."""
    return derived_uid(f"regular series {version}")


def template(
    headers: Sequence[Dataset], *, version: str, made_at: datetime, description: str
) -> Dataset:
    """What every image of the new series says; `headers` in the order of the slices."""
    first, middle = headers[0], headers[len(headers) // 2]
    made = _alike(headers)
    for keyword in ("WindowCenter", "WindowWidth"):
        if keyword in middle:
            made[keyword] = middle[keyword]
    if "FrameOfReferenceUID" not in made and "FrameOfReferenceUID" in first:
        # A series has one (PS3.3 A.1.4); where a program gave each image its own, the first.
        made.FrameOfReferenceUID = first.FrameOfReferenceUID
    made.ImageType = ["DERIVED", "SECONDARY", "REFORMATTED"]
    made.SeriesInstanceUID = series_uid(version)
    number = int(first.get("SeriesNumber") or 0)
    made.SeriesNumber = SERIES_NUMBERS_FROM + number if number >= 0 else SERIES_NUMBERS_FROM
    name = str(first.get("SeriesDescription") or "").strip()
    made.SeriesDescription = f"{name[: _LONGEST_DESCRIPTION - 8]} regular".strip()
    made.ContentDate = made.InstanceCreationDate = f"{made_at:%Y%m%d}"
    made.ContentTime = made.InstanceCreationTime = f"{made_at:%H%M%S}"
    made.DerivationDescription = description
    made.DerivationCodeSequence = [_code("113072", "Multiplanar reformatting")]
    made.ContributingEquipmentSequence = [*made.get("ContributingEquipmentSequence", []), _us()]
    if any(one.get("LossyImageCompression") == "01" for one in headers):
        made.LossyImageCompression = "01"
    return made


def derivation(geometry: Geometry, grid: Grid) -> str:
    """In words, for DerivationDescription: what was done, and how much of it."""
    gaps = geometry.gaps
    said = [f"Regular grid with {grid.spacing:.3f} mm between slices, linear interpolation."]
    if geometry.kind is Kind.TILTED:
        said.append(f"Tilt of {geometry.tilt_degrees:.1f} degrees straightened by shearing.")
    said.append(f"Source slices were {gaps.min():.3f} to {gaps.max():.3f} mm apart.")
    return " ".join(said)


def image_file(recipe: Recipe, made: Made, number: int) -> bytes:
    """The PS3.10 file of one plane; `number`: from 1 in the order of the planes."""
    headers, grid = recipe.headers, recipe.grid
    image = Dataset()
    for element in recipe.common:
        image.add(copy(element))
    for keyword in _DEMANDED:
        if keyword in headers[made.nearest] and keyword not in image:
            image[keyword] = headers[made.nearest][keyword]
    count = len(grid.heights)
    image.SOPInstanceUID = derived_uid(f"regular image {recipe.version} {number}")
    image.InstanceNumber = count + 1 - number if _runs_down(headers) else number
    image.SourceImageSequence = [_source(headers[one]) for one in made.sources]
    _place(image, recipe.first, grid, float(grid.heights[number - 1]))
    if image.SOPClassUID == PT:
        image.ImageIndex, image.NumberOfSlices = image.InstanceNumber, count
    _put_pixels(image, made.values, recipe.scale)
    front = file_meta(
        sop_class=str(image.SOPClassUID),
        sop_instance=image.SOPInstanceUID,
        transfer_syntax=EXPLICIT_LITTLE,
        source="",
    )
    return front + reencoded(image, implicit_vr=False)


def _place(image: Dataset, first: Slice, grid: Grid, height: float) -> None:
    across, down, normal = axes_of(first)
    corner = np.array(first.position) + grid.corner[0] * across + grid.corner[1] * down
    position = corner + height * normal
    image.ImagePositionPatient = [format_number_as_ds(float(one)) for one in position]
    image.ImageOrientationPatient = [
        format_number_as_ds(round(float(one), 12) + 0.0) for one in (*across, *down)
    ]
    image.SliceLocation = format_number_as_ds(round(float(position @ normal), 6))
    image.SpacingBetweenSlices = format_number_as_ds(round(grid.spacing, 9))
    if "SliceThickness" not in image:
        image.SliceThickness = image.SpacingBetweenSlices
    image.Rows, image.Columns = grid.rows, grid.columns


def _put_pixels(image: Dataset, values: Plane, scale: Scale) -> None:
    allocated, stored, signed = scale.bits
    if not scale.alike:
        image.RescaleSlope, image.RescaleIntercept = format_number_as_ds(scale.slope), 0
        image.BitsAllocated, image.BitsStored = allocated, stored
        image.HighBit, image.PixelRepresentation = stored - 1, signed
        for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
            if keyword in image:
                del image[keyword]
    image.PixelData = stored_values(values, scale)
    image["PixelData"].VR = "OB" if allocated <= 8 else "OW"


def _alike(headers: Sequence[Dataset]) -> Dataset:
    """The elements that all headers have with the same value, without those that went stale."""
    first, *others = headers
    made = Dataset()
    for tag in list(first.keys()):
        if tag.is_private or tag.group in _STALE_GROUPS or 0x6000 <= tag.group < 0x6100:
            continue
        if all(tag in other and _raw(other, tag) == _raw(first, tag) for other in others):
            made[tag] = deepcopy(first[tag])
    for keyword in _STALE:
        if keyword in made:
            del made[keyword]
    return made


def _raw(dataset: Dataset, tag: int) -> object:
    item = dataset.get_item(tag)
    return None if item is None else item.value


def _source(header: Dataset) -> Dataset:
    """PS3.3 10.3: an image that this one was made of."""
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    purpose = _code("121322", "Source image for image processing operation")
    item.PurposeOfReferenceCodeSequence = [purpose]
    return item


def _us() -> Dataset:
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [_code("109103", "Modifying Equipment")]
    item.Manufacturer = "openpacs"
    item.ContributionDescription = "Made a regular series of slices"
    return item


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _runs_down(headers: Sequence[Dataset]) -> bool:
    """Were the images numbered against the normal?"""
    first, last = (int(headers[one].get("InstanceNumber") or 0) for one in (0, -1))
    return first > last
