"""As what an instance can be shown, and which instance stands for a series or study."""

import mmap
from enum import Enum

from django.db.models import Count

from apps.dicom.frames import fragments
from apps.dicom.header import read_header
from apps.studies.models import Instance, Series, Study
from apps.studies.querysets import InstanceQuerySet
from apps.studies.storage import StorageError, stored_files

_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
_CDA = "1.2.840.10008.5.1.4.1.1.104.2"
_REPORTS = "1.2.840.10008.5.1.4.1.1.88."
_PRESENTATIONS = "1.2.840.10008.5.1.4.1.1.11."
_JPEG_FAMILY = "1.2.840.10008.1.2.4."
# PS3.5 A.4.5 to A.4.9: 100 to 108, each also fragmentable as `.1`.
_MPEG2 = ("100", "101")
_FRONT = 12  # bytes that tell containers apart
_VIDEOS = frozenset(map(str, range(100, 109)))


class Form(Enum):
    """What people look at."""

    IMAGE = "image"
    VIDEO = "video"
    PDF = "pdf"
    REPORT = "report"
    DOCUMENT = "document"
    PRESENTATION = "presentation"
    NOTHING = "nothing"


def form_of(instance: Instance) -> Form:
    """As what an instance can be shown."""
    syntax = instance.transfer_syntax_uid
    if syntax.startswith(_JPEG_FAMILY) and syntax.split(".")[7] in _VIDEOS:
        return Form.VIDEO
    if instance.sop_class_uid.startswith(_REPORTS):
        return Form.REPORT
    if instance.sop_class_uid.startswith(_PRESENTATIONS):
        return Form.PRESENTATION
    if instance.sop_class_uid == _PDF:
        return Form.PDF
    if instance.sop_class_uid == _CDA:
        return Form.DOCUMENT
    return Form.IMAGE if instance.rows else Form.NOTHING


def typical_instance(series: Series) -> Instance | None:
    """The middle image of a series; of one without images its middle object."""
    rows = Instance.objects.filter(series=series).answerable().order_by("number", "id")
    images = rows.filter(rows__isnull=False)
    found = _middle(images) or _middle(rows)
    if found is not None:
        found.series = series
    return found


def typical_of_study(study: Study) -> Instance | None:
    """That of the series with the most images."""
    most = (
        Series.objects.filter(study=study)
        .annotate(images=Count("instances__rows"))
        .order_by("-images", "number", "id")
        .first()
    )
    return typical_instance(most) if most else None


def video_spans(instance: Instance) -> list[int]:
    """Where in its file the stream of a video is: offset, length and so on of its fragments.

    Raises StorageError where there is none.
    """
    with (
        stored_files().at_hand(instance.file_name) as path,
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer,
    ):
        header = read_header(buffer)
        spans = fragments(buffer, header.pixels.offset) if header.pixels else []
    if not spans:
        raise StorageError("a video without its stream")
    return [number for span in spans for number in span]


def _middle(rows: InstanceQuerySet) -> Instance | None:
    count = rows.count()
    return rows.light()[count // 2] if count else None


def is_mpeg2(instance: Instance) -> bool:
    """Is a video of the kind that no browser plays?"""
    return instance.transfer_syntax_uid.split(".")[7] in _MPEG2


def is_mp4(instance: Instance, spans: list[int]) -> bool:
    """Is a stored stream in the container that browsers take (PS3.5 8.2.7)?"""
    offset, length = spans[:2]
    front = stored_files().read(instance.file_name, offset, min(length, _FRONT))
    return front[4:8] == b"ftyp"
