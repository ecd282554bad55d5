"""An image as a presentation state shows it (PS3.4 N.2): values, shutters, place, graphics."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from apps.dicom.rendering.colour import Picture
from apps.dicom.rendering.graphics import draw_layer
from apps.dicom.rendering.options import RenderingError, Viewport
from apps.dicom.rendering.overlays import hidden_plane_of, laid, plane_of
from apps.dicom.rendering.placing import placing_of
from apps.dicom.rendering.reading import Frame
from apps.dicom.rendering.shutters import shuttered
from apps.dicom.rendering.softcopy import softcopy
from apps.dicom.rendering.states import APPLIED, Colour, State

Mask = NDArray[np.bool_]
_UNLAYERED: Colour = (255, 255, 255)


def presented(frame: Frame, state: State, viewport: Viewport | None) -> Image.Image:
    """The picture in colours; raises RenderingError, ValueError for values that are none."""
    if str(state.dataset.get("SOPClassUID") or "") not in APPLIED:
        raise RenderingError("this kind of presentation state is not applied here")
    rows, columns = frame.values.shape[:2]
    placing = placing_of(state, columns, rows, viewport)
    picture = shuttered(softcopy(frame, state), state.dataset, frame.number)
    image = placing.picture(Image.fromarray(picture))
    draw_layer(image, state, placing, None, _UNLAYERED)
    for name, colour in state.layers():
        for group in state.overlays(name):
            if (mask := _overlay(frame, picture, state, group)) is not None:
                image.paste(colour, (0, 0), placing.picture(Image.fromarray(mask)))
        draw_layer(image, state, placing, name, colour)
    return image


def _overlay(frame: Frame, picture: Picture, state: State, group: int) -> Mask | None:
    """A plane of the state, else that of the image in the same group (PS3.3 C.9.2, C.11.7)."""
    for dataset in (state.dataset, frame.dataset):
        if (group, 0x3000) in dataset:
            source = Frame(picture, dataset, frame.number)
            plane = plane_of(source, group)
            return None if plane is None else laid(plane, source, group)
    return hidden_plane_of(frame, group)
