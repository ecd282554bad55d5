"""Pictures and documents from a browser as DICOM objects of a patient."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from apps.dicom.codestreams import EXPLICIT_LITTLE, JPEG_BASELINE
from apps.dicom.dates import format_date
from apps.dicom.encoding import encoded
from apps.dicom.part10 import file_meta
from apps.dicom.picture_files import jpeg_as_it_is
from apps.dicom.uids import derived_uid
from apps.dicom.workshop import JobError, Workshop
from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient
from apps.studies.models import Upload

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
PHOTOGRAPH = "1.2.840.10008.5.1.4.1.1.77.1.4"
DOCUMENT = "1.2.840.10008.5.1.4.1.1.104.1"
MOST_BYTES = 200 << 20  # of a picture or document
_MODALITIES = {SECONDARY_CAPTURE: "OT", PHOTOGRAPH: "XC", DOCUMENT: "DOC"}
_workshop = Workshop(processes=1, seconds=30)


class NotWrappableError(ValueError):
    """No picture or document that could be read; the message says why."""


@dataclass
class Wrapping:
    """The objects made of one batch of files: one study, a series for each kind of object."""

    batch: str
    patient: Patient
    procedure: RequestedProcedure | None
    photographs: bool
    made: dict[str, int] = field(default_factory=dict)

    def wrap(self, media_type: str, name: str, content: bytes) -> bytes:
        """A PS3.10 file, the same one for the same content; raises NotWrappableError."""
        if media_type == "application/pdf":
            sop_class, syntax = DOCUMENT, EXPLICIT_LITTLE
            dataset = self._object(sop_class, content)
            _add_document(dataset, name, content)
        else:
            sop_class = PHOTOGRAPH if self.photographs else SECONDARY_CAPTURE
            dataset = self._object(sop_class, content)
            syntax = _add_picture(dataset, media_type, content)
        front = file_meta(
            sop_class=sop_class,
            sop_instance=dataset.SOPInstanceUID,
            transfer_syntax=syntax,
            source="",
        )
        return front + encoded(dataset, implicit_vr=False, encodings=["utf-8"])

    def _object(self, sop_class: str, content: bytes) -> Dataset:
        number = self.made[sop_class] = self.made.get(sop_class, 0) + 1
        now = timezone.localtime()
        digest = hashlib.sha256(content).hexdigest()
        dataset = Dataset()
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.SOPClassUID = sop_class
        dataset.SOPInstanceUID = derived_uid(f"upload {self.batch} {digest}")
        dataset.StudyDate = dataset.ContentDate = dataset.AcquisitionDate = f"{now:%Y%m%d}"
        dataset.StudyTime = dataset.ContentTime = f"{now:%H%M%S}"
        dataset.Modality = _MODALITIES[sop_class]
        dataset.ConversionType = "DI" if sop_class == PHOTOGRAPH else "WSD"
        dataset.Manufacturer = "openpacs"
        dataset.SeriesInstanceUID = derived_uid(f"upload {self.batch} {sop_class}")
        dataset.SeriesNumber = 9000 + list(_MODALITIES).index(sop_class)
        dataset.InstanceNumber = number
        dataset.StudyID = ""
        dataset.Laterality = None
        dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
        self._identify(dataset)
        return dataset

    def _identify(self, dataset: Dataset) -> None:
        patient, number = self.patient, self.patient.primary_identifier
        dataset.PatientName = patient.person_name
        dataset.PatientID = number.value if number else ""
        if number:
            dataset.IssuerOfPatientID = number.issuer.namespace
        precise = patient.birth_precision == Patient.Precision.DAY
        dataset.PatientBirthDate = format_date(patient.birth_date) if precise else ""
        dataset.PatientSex = patient.sex if patient.sex in ("F", "M", "O") else ""
        if self.procedure is None:
            dataset.StudyInstanceUID = derived_uid(f"upload {self.batch}")
            return
        dataset.StudyInstanceUID = self.procedure.study_instance_uid
        dataset.AccessionNumber = self.procedure.order.accession_number
        dataset.StudyDescription = self.procedure.meaning


def wrapping_of(upload: Upload) -> Wrapping | None:
    """What wraps the files of an upload; None where nobody said whose they are."""
    patient = upload.target
    if patient is None:
        return None
    photographs = upload.pictures == Upload.Pictures.PHOTO
    return Wrapping(upload.batch, patient, upload.procedure, photographs)


def _add_document(dataset: Dataset, name: str, content: bytes) -> None:
    """PS3.3 C.24.2. The title is what the file was called."""
    dataset.DocumentTitle = name.rpartition("/")[2][:64]
    dataset.ConceptNameCodeSequence = []
    dataset.BurnedInAnnotation = "YES"
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocumentLength = len(content)
    dataset.EncapsulatedDocument = content + b"\0" * (len(content) % 2)


def _add_picture(dataset: Dataset, media_type: str, content: bytes) -> str:
    """The pixels: a plain JPEG stays as it is, others are decoded; the transfer syntax."""
    found = jpeg_as_it_is(content) if media_type == "image/jpeg" else None
    if found:
        stream, bare = found
        _describe(dataset, stream.rows, stream.columns, stream.samples, stream.photometric)
        dataset.PixelData = encapsulate([bare + b"\0" * (len(bare) % 2)])
        dataset["PixelData"].is_undefined_length = True
    else:
        words, pixels = _decoded(content)
        colour = "RGB" if words["samples"] == 3 else "MONOCHROME2"
        _describe(dataset, words["rows"], words["columns"], words["samples"], colour)
        dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    dataset["PixelData"].VR = "OB"
    if media_type == "image/jpeg":
        dataset.LossyImageCompression = "01"
        dataset.LossyImageCompressionMethod = "ISO_10918_1"
        plain = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel
        dataset.LossyImageCompressionRatio = f"{plain / len(content):.2f}"
    else:
        dataset.LossyImageCompression = "00"
    return JPEG_BASELINE if found else EXPLICIT_LITTLE


def _decoded(content: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        words, (pixels,) = _workshop.do("pixels", {}, [content])
    except JobError as error:
        raise NotWrappableError(str(error)) from None
    return words, pixels


def _describe(dataset: Dataset, rows: int, columns: int, samples: int, colour: str) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.BurnedInAnnotation = "YES" if dataset.SOPClassUID == SECONDARY_CAPTURE else "NO"
    dataset.AcquisitionContextSequence = []
    dataset.PatientOrientation = None
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = samples, colour
    if samples > 1:
        dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = rows, columns
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
