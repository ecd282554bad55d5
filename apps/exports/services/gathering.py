"""What goes out of chosen studies, one object after the other."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from apps.dicom.media import file_id
from apps.studies.models import Instance

AT_ONCE = 50  # rows with their headers


@dataclass(frozen=True)
class Placed:
    """An instance and its numbers on the media: study, series, object, each from 1."""

    row: Instance
    numbers: tuple[int, int, int]

    @property
    def file_id(self) -> str:
        return file_id(*self.numbers)


def instance_keys(studies: Iterable[int]) -> list[int]:
    """The instances of studies in the order in which they go out."""
    return in_order(Instance.objects.filter(series__study__in=list(studies)))


def in_order(rows: "QuerySet[Instance]") -> list[int]:
    """The keys of instances in the order in which they go out: patients stay together.

    Those of studies that were rejected are not among them.
    """
    found: Any = rows
    ordered = found.answerable().order_by(
        "series__study__patient_identifier",
        "series__study_id",
        "series__number",
        "series_id",
        "number",
        "id",
    )
    return list(ordered.values_list("pk", flat=True))


def placed(keys: Sequence[int]) -> Iterator[Placed]:
    """Instances in this order, with their places; those deleted meanwhile are passed over.

    Read some at a time: no cursor is open while a slow reader takes what is sent.
    """
    study = series = 0
    numbers = (0, 0, 0)
    for row in _rows(keys):
        if row.series.study_id != study:
            numbers = (numbers[0] + 1, 1, 1)
        elif row.series_id != series:
            numbers = (numbers[0], numbers[1] + 1, 1)
        else:
            numbers = (numbers[0], numbers[1], numbers[2] + 1)
        study, series = row.series.study_id, row.series_id
        yield Placed(row, numbers)


def _rows(keys: Sequence[int]) -> Iterator[Instance]:
    rows = Instance.objects.select_related("series__study")
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        found = rows.in_bulk(some)
        yield from (found[key] for key in some if key in found)
