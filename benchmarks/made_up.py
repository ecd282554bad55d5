"""Studies that exist in an index only: the same for both contestants, from their number alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from benchmarks.data import ROOT_UID

FAMILIES = ("Smith", "Jones", "Garcia", "Ivanov", "Tanaka", "Nguyen", "Rossi", "Novak", "Silva")
GIVEN = ("Anna", "Ben", "Carla", "David", "Eva", "Frank", "Gita", "Hugo", "Irene", "Jan", "Kofi")
FIRST_DAY = date(2010, 1, 1)
DAYS = 5000  # studies spread evenly over so many days
STRIDE = 7919  # a prime: neighbours in the index are years apart


@dataclass(frozen=True)
class MadeUp:
    """One study; `number` counts from 0."""

    number: int

    @property
    def study_uid(self) -> str:
        return f"{ROOT_UID}.{200000 + self.number}"

    @property
    def patient_name(self) -> str:
        family = FAMILIES[self.number % len(FAMILIES)]
        return f"{family}{self.number // 500}^{GIVEN[self.number % len(GIVEN)]}"

    @property
    def patient_id(self) -> str:
        return f"P{self.number:08d}"

    @property
    def birth_date(self) -> str:
        return f"{1930 + self.number % 85}{1 + self.number % 12:02d}15"

    @property
    def sex(self) -> str:
        return "MF"[self.number % 2]

    @property
    def day(self) -> date:
        return FIRST_DAY + timedelta(days=self.number * STRIDE % DAYS)

    @property
    def time(self) -> time:
        return time(self.number % 24, self.number % 60)

    @property
    def accession_number(self) -> str:
        return f"A{self.number:09d}"

    @property
    def description(self) -> str:
        return ("CT THORAX", "CT ABDOMEN", "CT HEAD", "CT KNEE")[self.number % 4]


def studies(count: int) -> Iterator[MadeUp]:
    return map(MadeUp, range(count))


def days_with(answers: int, count: int) -> str:
    """A range of study dates that so many of `count` studies fall into."""
    last = FIRST_DAY + timedelta(days=answers * DAYS // count - 1)
    return f"{FIRST_DAY:%Y%m%d}-{last:%Y%m%d}"


def tiny_file(study: MadeUp) -> bytes:
    """A DICOM file without pixels, the only instance of its study."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, f"{study.study_uid}.1.1000"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study.study_uid, f"{study.study_uid}.1"
    dataset.PatientName, dataset.PatientID = study.patient_name, study.patient_id
    dataset.PatientBirthDate, dataset.PatientSex = study.birth_date, study.sex
    dataset.StudyDate, dataset.StudyTime = f"{study.day:%Y%m%d}", f"{study.time:%H%M%S}"
    dataset.AccessionNumber, dataset.StudyID = study.accession_number, str(study.number)
    dataset.StudyDescription, dataset.ReferringPhysicianName = study.description, "Refer^Dr"
    dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "CT", 1, 1
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
