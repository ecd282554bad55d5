"""Images that another object names: shown as a presentation state wants, or beside a report.

Only images of the same study are shown, so that who may see the one may see the other.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from apps.dicom.json import JsonDataset
from apps.dicom.rendering.options import RenderOptions, Viewport
from apps.dicom.rendering.states import APPLIED
from apps.studies.models import Instance
from apps.studies.services.caching import cached
from apps.studies.services.forms import Form, form_of
from apps.studies.services.outgoing import header_json
from apps.studies.services.rendering import (
    NotRenderableError,
    render_state,
    thumbnail,
)

MOST_PICTURES = 24  # on one page
SIDE = 1024  # of a picture on a page, in pixels
_BESIDE = 512  # of one within a report
_SERIES, _CONTENT = "00081115", "0040A730"
_IMAGES, _OBJECTS = "00081140", "00081199"
_UID, _FRAMES = "00081155", "00081160"
_MADE_BY = 1  # grows when pictures come to look otherwise


@dataclass(frozen=True)
class Named:
    """An image that an object names, with the first frame it means; `row` where it is here."""

    uid: str
    frame: int
    row: Instance | None


def is_applied(state: Instance) -> bool:
    """Is it of a kind that can be applied (grey, colour, pseudo-colour, X-ray)?"""
    return state.sop_class_uid in APPLIED


def named_images(instance: Instance) -> list[Named]:
    """Each image that a presentation state or a report names, in its order."""
    if "header" in instance.get_deferred_fields():
        instance.refresh_from_db(fields=["header"])
    only = {int(_SERIES, 16), int(_CONTENT, 16)}
    found = list(dict.fromkeys(_references(header_json(instance, lambda path: path, only))))
    rows = _rows(instance, [uid for uid, _ in found])
    seen = [Named(uid, frame, rows.get(uid)) for uid, frame in found]
    return [one for one in seen if one.row is None or form_of(one.row) == Form.IMAGE]


def presented(state: Instance, named: Named, options: RenderOptions) -> bytes:
    """The picture of an image as the state shows it.

    Raises NotRenderableError, BusyError, and OSError where a file cannot be read.
    """
    if named.row is None:
        raise NotRenderableError("the image is not in the archive")
    return render_state(state, named.row, frame=named.frame, options=options)


def presented_picture(state: Instance, named: Named) -> bytes:
    """The same as a JPEG for a page, kept; raises as `presented` does."""
    options = RenderOptions(viewport=Viewport(SIDE, SIDE), quality=92)
    row = named.row
    told = [state.sha256, state.overlay, named.frame, _MADE_BY]
    told += [row.sha256, row.overlay] if row else []
    name = hashlib.sha256(repr(told).encode()).hexdigest()
    return cached(f"{name}.jpg", lambda: presented(state, named, options))


def pictures_beside(report: Instance) -> dict[str, bytes]:
    """Small JPEGs of the images a report names, by their UIDs; empty: the image is not here."""
    found: dict[str, bytes] = {}
    for one in named_images(report)[:MOST_PICTURES]:
        if one.uid not in found:
            found[one.uid] = _beside(one)
    return found


def _beside(one: Named) -> bytes:
    if one.row is None:
        return b""
    frame = one.frame if 1 <= one.frame <= one.row.frames else 1
    return thumbnail(one.row, frame=frame, width=_BESIDE, height=_BESIDE)


def _rows(instance: Instance, uids: list[str]) -> dict[str, Instance]:
    study = instance.series.study
    rows = Instance.objects.filter(series__study=study, sop_instance_uid__in=uids[:1000])
    return {row.sop_instance_uid: row for row in rows.select_related("series__study")}


def _references(dataset: JsonDataset) -> Iterator[tuple[str, int]]:
    """(UID, frame) of images in the sequences that name them, in the order of the data set."""
    for tag, element in dataset.items():
        if element.get("vr") != "SQ":
            continue
        for item in element.get("Value") or []:
            if tag in {_IMAGES, _OBJECTS} and (uid := _first(item, _UID)):
                yield str(uid), _number(_first(item, _FRAMES))
            yield from _references(item)


def _first(item: JsonDataset, tag: str) -> Any:
    return next(iter(item.get(tag, {}).get("Value") or []), None)


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 1
