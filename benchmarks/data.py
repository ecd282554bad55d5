"""Made-up images to send: the same files for every contestant, made once per scratch folder."""

import copy
import shutil
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import PYDICOM_ROOT_UID, ExplicitVRLittleEndian

from benchmarks.plan import FULL, scratch

VERSION = 1  # of what is written below: a change makes the files anew
STUDIES = 8
SERIES_LENGTH = 25
ROOT_UID = f"{PYDICOM_ROOT_UID}999"
FIRST_STUDY = {"large": 0, "small": 100}
SINGLE_STUDY, SINGLE_SERIES = 500, 600
SIDE = 512


def files(kind: str, per_study: int) -> list[Path]:
    """The first `per_study` instances of each study, study after study.

    `kind`: large (CT, 512 x 512 x 16 bit, 530 KB) or small (CT of 39 KB and MR of 10 KB).
    """
    studies = sorted(one for one in _made(kind).iterdir() if one.is_dir())
    return [path for study in studies for path in sorted(study.iterdir())[:per_study]]


def fresh(kind: str, per_study: int, turn: int) -> list[Path]:
    """Copies of `files` with UIDs of this `turn` (1 to 9999): new to who has the others."""
    target = scratch() / "data" / f"{kind}-turn"
    shutil.rmtree(target, ignore_errors=True)
    old, new = f"{ROOT_UID}.1000".encode(), f"{ROOT_UID}.{1000 + turn}".encode()
    copies = []
    for path in files(kind, per_study):
        renewed = target / path.parent.name / path.name
        renewed.parent.mkdir(parents=True, exist_ok=True)
        renewed.write_bytes(path.read_bytes().replace(old, new))
        copies.append(renewed)
    return copies


def study_uids(kind: str, turn: int = 0) -> list[str]:
    """The studies of `files`, or of that turn of `fresh`."""
    first = 1000 + FIRST_STUDY[kind]
    return [f"{ROOT_UID}.{1000 + turn}.{first + number}" for number in range(STUDIES)]


def one_study(kind: str, instances: int) -> tuple[str, list[Path]]:
    """A study of so many instances: its UID and its files."""
    folder = scratch() / "data" / f"{kind}-study-{instances}-v{VERSION}"
    if not folder.exists():
        _write_whole(folder, [(0, _template(kind, 0), instances)], first=SINGLE_STUDY)
    found = sorted(folder.rglob("*.dcm"))
    return f"{ROOT_UID}.1000.{1000 + SINGLE_STUDY}", found


def one_series(instances: int) -> tuple[str, str, list[Path]]:
    """A series of so many CT images of 530 KB: the UIDs of study and series, and its files.

    What differs between the slices of a scanner differs here: a dozen of 260 attributes.
    """
    folder = scratch() / "data" / f"series-{instances}-v{VERSION}"
    study = f"{ROOT_UID}.1000.{1000 + SINGLE_SERIES}"
    if not folder.exists():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _write_series(partial, study, instances)
        partial.rename(folder)
    return study, f"{study}.1", sorted(folder.iterdir())


def share_out(paths: list[Path], associations: int) -> list[list[Path]]:
    """Whole studies to associations, in turn; fewer studies than associations are split."""
    studies: dict[Path, list[Path]] = {}
    for path in paths:
        studies.setdefault(path.parent, []).append(path)
    if len(studies) < associations:
        return [paths[number::associations] for number in range(associations)]
    shares: list[list[Path]] = [[] for _ in range(associations)]
    for number, study in enumerate(studies.values()):
        shares[number % associations] += study
    return shares


def _made(kind: str) -> Path:
    per_study = FULL.instances(kind)
    folder = scratch() / "data" / f"{kind}-{per_study}-v{VERSION}"
    if not folder.exists():
        work = [(number, _template(kind, number), per_study) for number in range(STUDIES)]
        _write_whole(folder, work, first=FIRST_STUDY[kind])
    return folder


def _write_whole(folder: Path, work: list[tuple[int, Dataset, int]], *, first: int) -> None:
    """A folder is there with all it should hold, or not at all."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for number, template, instances in work:
        study = partial / f"{number:03d}"
        study.mkdir(parents=True)
        _write_study(study, template, number + first, instances)
    partial.rename(folder)


def _template(kind: str, number: int) -> Dataset:
    name = "MR_small.dcm" if kind == "small" and number % 2 else "CT_small.dcm"
    dataset = dcmread(str(get_testdata_file(name)))
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.pop("DataSetTrailingPadding", None)
    if kind == "large":
        dataset.Rows = dataset.Columns = SIDE
    return dataset


def _write_study(folder: Path, template: Dataset, number: int, instances: int) -> None:
    dataset = copy.deepcopy(template)
    # All UIDs of one kind have the same length, so that `fresh` can put others in their place.
    study = f"{ROOT_UID}.1000.{1000 + number}"
    dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = study, f"{study}.9"
    dataset.PatientName, dataset.PatientID = f"Bench^Patient {number}", f"BENCH{number:05d}"
    dataset.AccessionNumber, dataset.StudyID = f"BA{number:06d}", str(number)
    noise = np.random.default_rng(number)
    for index in range(instances):
        series = 1 + index // SERIES_LENGTH
        dataset.SeriesInstanceUID, dataset.SeriesNumber = f"{study}.{series}", series
        dataset.SOPInstanceUID = f"{study}.{series}.{1000 + index}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.InstanceNumber = index + 1
        if dataset.Rows == SIDE:
            dataset.PixelData = _slice(noise)
        dataset.save_as(folder / f"{index:05d}.dcm", enforce_file_format=True)


def _write_series(folder: Path, study: str, instances: int) -> None:
    dataset = _template("large", 0)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.1"
    dataset.PatientName, dataset.PatientID = "Bench^Series", "BENCHSERIES"
    dataset.PixelData = _slice(np.random.default_rng(SINGLE_SERIES))
    for index in range(instances):
        position = round(-312.5 + 0.625 * index, 3)
        dataset.SOPInstanceUID = f"{study}.1.{index + 1}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.InstanceNumber, dataset.AcquisitionNumber = index + 1, 1 + index // 100
        dataset.ContentTime = dataset.AcquisitionTime = f"10{index // 60:02d}{index % 60:02d}.125"
        dataset.SliceLocation = str(position)
        dataset.ImagePositionPatient = ["-158.135803", "-179.035797", str(position)]
        dataset.XRayTubeCurrent, dataset.ExposureTime = 170 + index % 37, 500 + index % 3
        dataset.WindowCenter, dataset.TableHeight = str(40 + index % 5), str(133.7 + index % 4)
        dataset.save_as(folder / f"{index:05d}.dcm", enforce_file_format=True)


def _slice(noise: np.random.Generator) -> bytes:
    """A disc in noise: neither all zeros nor incompressible."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] - SIDE // 2
    values = 1000 - 3 * np.hypot(x, y) + noise.normal(0, 12, (SIDE, SIDE))
    pixels: bytes = values.clip(-1024, 3000).astype("<i2").tobytes()
    return pixels
