"""Which corrections hold for an instance."""

import functools
import itertools
import secrets

from apps.dicom.amending import Amendment, Change
from apps.studies.models import Correction, Instance

REMEMBERED = 256  # series


def new_overlay() -> int:
    """A number for a state of corrections that no other state ever had."""
    return secrets.randbits(62) | 1


def amendments_of(instance: Instance) -> list[Amendment]:
    """What is changed in an instance on its way out, in the order in which it was decided."""
    rows = [
        row
        for row in _rows(instance.series_id, instance.overlay)
        if row.instance_id in (None, instance.pk)
    ]
    grouped = itertools.groupby(rows, key=lambda row: row.batch)
    return [_amendment(list(batch), instance.source) for _, batch in grouped]


# Asked for every image of a series. The number of the state is never used twice, so what
# is remembered under it stays right.
@functools.lru_cache(maxsize=REMEMBERED)
def _rows(series_id: int, overlay: int) -> tuple[Correction, ...]:
    return tuple(Correction.objects.within(series_id).open())


def _amendment(rows: list[Correction], source: str) -> Amendment:
    first = rows[0]
    by_person = first.source == Correction.Source.PERSON
    return Amendment(
        changes=tuple(Change(row.path, row.vr, row.new) for row in rows),
        at=first.at,
        reason="CORRECT" if by_person else "COERCE",
        source=source,
    )
