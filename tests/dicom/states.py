"""Presentation states for tests, and what becomes of an image by them."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage

from apps.dicom.encoding import encoded
from apps.dicom.rendering import jobs
from apps.dicom.rendering.options import PNG, RenderOptions
from apps.dicom.uids import new_uid

EXPLICIT = "1.2.840.10008.1.2.1"
Picture = NDArray[np.uint8]


def item(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def state_of(*images: Dataset, **values: Any) -> Dataset:
    """A grey state of these images that changes nothing; keyword arguments are set on it."""
    named = [
        item(ReferencedSOPClassUID=one.SOPClassUID, ReferencedSOPInstanceUID=one.SOPInstanceUID)
        for one in images
    ]
    first = images[0]
    given = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": GrayscaleSoftcopyPresentationStateStorage,
        "SOPInstanceUID": new_uid(),
        "StudyInstanceUID": first.StudyInstanceUID,
        "SeriesInstanceUID": new_uid(),
        "PatientName": first.PatientName,
        "PatientID": first.PatientID,
        "Modality": "PR",
        "ContentLabel": "STATE",
        "ReferencedSeriesSequence": [
            item(SeriesInstanceUID=first.SeriesInstanceUID, ReferencedImageSequence=named)
        ],
        "PresentationLUTShape": "IDENTITY",
        **values,
    }
    return item(**given)


def presented(image: Dataset, state: Dataset, **options: Any) -> Picture:
    """Rows x columns x 3."""
    arguments = {
        "syntax": EXPLICIT,
        "whole": True,
        "frame": 1,
        "state": EXPLICIT,
        "image": image.SOPInstanceUID,
        "options": RenderOptions(**{"media_type": PNG, **options}).words(),
    }
    contents = [encoded(one, implicit_vr=False) for one in (state, image)]
    _, (picture,) = jobs.presentation(arguments, contents)
    return np.asarray(Image.open(io.BytesIO(picture)))


def graphic(kind: str, *points: float, **values: Any) -> Dataset:
    given = {
        "GraphicAnnotationUnits": "PIXEL",
        "GraphicDimensions": 2,
        "NumberOfGraphicPoints": len(points) // 2,
        "GraphicData": list(points),
        "GraphicType": kind,
        "GraphicFilled": "N",
        **values,
    }
    return item(**given)
