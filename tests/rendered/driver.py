"""Renders sample files through the web, beside what others make of the same frames."""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.test import Client
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from apps.audit.services import Origin
from apps.studies.models import Instance, Study
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from tests.acceptance.samples import Sample, rounds
from tests.rendered.peers import Levels, Rendering, difference, levels_of, rendered_elsewhere

# Files that no other program here reads, or reads wrongly, and the same image in another form.
_DATA, _TEST = "pydicom-data/", "pydicom/test_files/"
TWINS = {
    f"{_DATA}liver_deflate.dcm": f"{_DATA}liver.dcm",
    f"{_DATA}liver_rle.dcm": f"{_DATA}liver.dcm",
    f"{_DATA}liver_nonbyte_aligned_deflate.dcm": f"{_DATA}liver_nonbyte_aligned.dcm",
    f"{_DATA}liver_nonbyte_aligned_rle.dcm": f"{_DATA}liver_nonbyte_aligned.dcm",
    f"{_DATA}emri_small_jpeg_2k_lossless_too_short.dcm": f"{_DATA}emri_small.dcm",
    f"{_TEST}rtdose_expb.dcm": f"{_TEST}rtdose.dcm",
    f"{_TEST}rtdose_expb_1frame.dcm": f"{_TEST}rtdose_1frame.dcm",
    "dicomparser/encapsulated/multi-frame/CT0012.fragmented_no_bot_jpeg_ls.80.dcm": (
        "dicomparser/encapsulated/multi-frame/CT0012.not_fragmented_bot_jpeg_ls.80.dcm"
    ),
}
MONOCHROME = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True)
class Compared:
    """One image. `status` and `reason` are those of our answer; differences in grey levels."""

    sample: Sample
    kind: str  # photometric interpretation, bits
    status: int
    reason: str
    peer: str
    largest: int | None
    usual: float | None  # the mean
    far: float | None  # share of samples that differ by more than two levels


def compare(samples: Sequence[Sample], spool: Spool, client: Client) -> Iterator[Compared]:
    """Every image among the samples, its middle frame; the index is emptied between rounds."""
    for part in rounds(samples):
        paths = [spool.write([one.path.read_bytes()]) for one in part]
        store_instances(paths, origin=Origin(protocol="test", peer="tests"))
        for sample in part:
            row = Instance.objects.filter(sop_instance_uid=sample.sop_instance_uid).first()
            if row is not None and row.rows:
                yield _compared(sample, row, client)
        Study.objects.all().delete()


def _compared(sample: Sample, row: Instance, client: Client) -> Compared:
    number = (row.frames + 1) // 2
    header = _header(sample)
    asked, told = _windows(header)
    study = row.series.study.study_instance_uid
    series = row.series.series_instance_uid
    answer = client.get(
        f"/dicom-web/studies/{study}/series/{series}/instances/{row.sop_instance_uid}"
        f"/frames/{number}/rendered",
        {"window": asked} if asked else {},
        headers={"accept": "image/png"},
    )
    kind = f"{header.get('PhotometricInterpretation', '?')}, {header.get('BitsStored', '?')} bits"
    if answer.status_code != 200:
        reason = answer.json()["error"]
        return Compared(sample, kind, answer.status_code, reason, "", None, None, None)
    theirs = rendered_elsewhere(_twin(sample), number, told)
    ours = levels_of(answer.getvalue())
    return Compared(sample, kind, 200, theirs.reason, theirs.peer, *_distances(ours, theirs))


def _twin(sample: Sample) -> Path:
    if twin := TWINS.get(sample.name):
        return Path(str(sample.path).removesuffix(sample.name)) / twin
    return sample.path


def chosen(samples: Sequence[Sample]) -> list[Sample]:
    """The smallest of each transfer syntax, photometric interpretation and size of numbers."""
    found: dict[tuple[Any, ...], Sample] = {}
    for sample in sorted(samples, key=lambda one: (one.path.stat().st_size, one.name)):
        if sample.rows:
            header = _header(sample)
            names = ("PhotometricInterpretation", "BitsAllocated", "BitsStored")
            key = (sample.transfer_syntax_uid, *(header.get(name) for name in names))
            found.setdefault((*key, sample.frames > 1), sample)
    return list(found.values())


def _distances(
    ours: Levels, theirs: Rendering
) -> tuple[int, float, float] | tuple[None, None, None]:
    if theirs.levels is None:
        return None, None, None
    apart = difference(ours, theirs.levels)
    return int(apart.max()), float(apart.mean()), float((apart > 2).mean())


def _header(sample: Sample) -> Dataset:
    with warnings.catch_warnings(action="ignore"):
        return dcmread(sample.path, force=True, stop_before_pixels=True)


def _windows(header: Dataset) -> tuple[str, list[str]]:
    """What is asked of us, and what DCMTK is told so that it does the same.

    The header's own window where there is one; else from the lowest to the highest value, of
    which it has but integers behind the modality's step; eight bits and colours as they are.
    It knows neither functional groups nor padding: there both are told a window.
    """
    if header.get("PhotometricInterpretation") not in MONOCHROME:
        return "", []
    if "SharedFunctionalGroupsSequence" in header:
        return _same_window(header, _transformation(header))
    if _first(header, "WindowCenter") is not None and (_first(header, "WindowWidth") or 0) > 0:
        sigmoid = header.get("VOILUTFunction") == "SIGMOID"
        return "", ["+Wfs" if sigmoid else "+Wfl", "+Wi", "1"]
    if int(header.get("BitsStored") or 16) <= 8:
        return "", []
    if "PixelPaddingValue" in header:
        return _same_window(header, header)
    return "", ["-M", "+Wm"]


def _same_window(header: Dataset, scope: Dataset) -> tuple[str, list[str]]:
    """Of stored values for DCMTK, behind the modality's step for us."""
    bits = min(int(header.get("BitsStored") or 16), 12)
    center = 0 if header.get("PixelRepresentation") == 1 else 1 << bits - 1
    slope, intercept = _first(scope, "RescaleSlope") or 1, _first(scope, "RescaleIntercept") or 0
    ours = f"{center * slope + intercept},{(1 << bits) * slope},linear-exact"
    if bits == 1:
        return "0.5,1,linear-exact", ["+Ww", "1", "2"]
    return ours, ["-M", "+Ww", str(center), str(1 << bits)]


def _transformation(header: Dataset) -> Dataset:
    """The modality's step of the frame that is looked at, or of all."""
    number = (int(header.get("NumberOfFrames") or 1) + 1) // 2
    own = header.get("PerFrameFunctionalGroupsSequence", [])[number - 1 : number]
    for group in [*own, *header.SharedFunctionalGroupsSequence]:
        if found := group.get("PixelValueTransformationSequence"):
            return Dataset(found[0])
    return header


def _first(header: Dataset, name: str) -> float | None:
    value = header.get(name)
    if isinstance(value, MultiValue):
        value = value[0]
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
