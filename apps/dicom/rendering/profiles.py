"""What colours mean: ICC profiles of images (PS3.3 C.11.15, PS3.18 8.3.5.1.5)."""

import io

from PIL import Image, ImageCms
from pydicom.dataset import Dataset

from apps.dicom.rendering.options import RenderingError


def coloured(image: Image.Image, dataset: Dataset, asked: str) -> tuple[Image.Image, bytes | None]:
    """The picture and the profile to write into it.

    `asked` is "no", "yes" (the profile of the image, as it is) or "srgb" (colours converted).
    """
    if asked == "no" or image.mode != "RGB":
        return image, None
    profile = _profile(dataset)
    standard = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    if asked == "yes":
        return image, profile or standard.tobytes()
    if profile is not None:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            made = ImageCms.profileToProfile(image, source, standard)
        except (ImageCms.PyCMSError, OSError):
            raise RenderingError("its ICC profile cannot be used") from None
        image = made or image
    return image, standard.tobytes()


def _profile(dataset: Dataset) -> bytes | None:
    """Of the image, or of its first optical path (PS3.3 C.8.12.5)."""
    paths = dataset.get("OpticalPathSequence") or []
    for scope in (dataset, *paths[:1]):
        if found := scope.get("ICCProfile"):
            return bytes(found)
    return None
