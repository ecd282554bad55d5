"""The images of a series one after the other, as a viewer scrolls through them."""

from dataclasses import dataclass

from apps.studies.models import Instance, Series


@dataclass(frozen=True)
class ShownFrame:
    """One image: an object, or a frame of one; `place` counts from 1."""

    instance: Instance
    frame: int
    place: int

    @property
    def number(self) -> int:
        """What a person calls it by."""
        if self.instance.frames > 1:
            return self.frame
        return self.place if self.instance.number is None else self.instance.number


def shown_frames(series: Series, *, instance_uid: str = "") -> list[ShownFrame]:
    """All images of a series; of an object with several frames, where it is named, only those."""
    rows = series.instances.filter(rows__isnull=False)
    named = rows.filter(sop_instance_uid=instance_uid, frames__gt=1)
    wanted = named if instance_uid and named.exists() else rows
    found = wanted.light().order_by("number", "id").select_related("series__study")
    pairs = [(row, frame) for row in found for frame in range(1, row.frames + 1)]
    return [ShownFrame(row, frame, place) for place, (row, frame) in enumerate(pairs, 1)]
