"""Finding what an address names among what the user may see; anything else is a 404.

What is rejected is 410 for those who could see it else.
"""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import models
from django.http import Http404, HttpRequest
from django.urls import reverse

from apps.accounts.policy import sees_all, visible, visible_of
from apps.audit.services import origin_of
from apps.audit.throttle import Throttle
from apps.dicomweb.exceptions import GoneError
from apps.dicomweb.prepared import ItemOf, one_frame, one_instance, one_series
from apps.studies.models import Instance, Series, Study
from apps.studies.services import note_prefetching, note_viewing
from apps.studies.services.viewing import ONCE_IN

_looked_at = Throttle(seconds=ONCE_IN.total_seconds(), per_hour=sys.maxsize, keys=4096)

M = TypeVar("M", bound=models.Model)


def root() -> str:
    """The path of the service: addresses in answers are path-absolute, whatever the host."""
    return reverse("dicomweb:studies").removesuffix("/studies")


def find_study(request: HttpRequest, study: str) -> Study:
    return _one(request, visible(request.user, Study), study_instance_uid=study)


def find_series(request: HttpRequest, study: str, series: str) -> Series:
    if sees_all(request.user, Series) and (row := one_series(study, series)):
        return row
    rows = visible(request.user, Series).select_related("study")
    return _one(request, rows, series_instance_uid=series, study__study_instance_uid=study)


def find_instance(
    request: HttpRequest, study: str, series: str, instance: str, *, light: bool = False
) -> Instance:
    """`light`: without the columns that are as large as headers are."""
    if not light and sees_all(request.user, Instance):
        row = one_instance(study, series, instance)
        if row is not None:
            return row
    rows: Any = visible(request.user, Instance).select_related("series__study")
    found: Instance = _one(
        request, rows.light() if light else rows, **_within(study, series, instance)
    )
    return found


def find_frames(
    request: HttpRequest, study: str, series: str, instance: str, numbers: list[int]
) -> tuple[Instance, list[list[int] | None]]:
    """An instance without its large columns, and where frames of it are in the file.

    A frame that does not exist, or has to be cut by decoding, is nowhere (None).
    """
    if len(numbers) == 1 and sees_all(request.user, Instance):
        found = one_frame(study, series, instance, numbers[0])
        if found is not None:
            return found[0], [found[1]]
    rows: Any = visible(request.user, Instance)
    few = numbers if len(numbers) <= FEW else []
    places = {f"place_{one}": _place(one) for one in few}
    rows = rows.only(*_FRAME_COLUMNS, *([] if few else ["frame_table"])).annotate(**places)
    row: Instance = _one(request, rows, **_within(study, series, instance))
    if few:
        return row, [getattr(row, f"place_{one}") for one in numbers]
    table = dict(enumerate(row.frame_table or [], start=1))
    return row, [table.get(one) for one in numbers]


FEW = 16  # frames that are taken out of the table by the database, one by one
_FRAME_COLUMNS = (
    *("sop_class_uid", "sop_instance_uid", "transfer_syntax_uid", "rows", "frames", "pixel_vr"),
    *("file_name", "sha256"),
)


def _place(number: int) -> ItemOf:
    return ItemOf("frame_table", models.Value(str(max(number - 1, 0))))


def _within(study: str, series: str, instance: str) -> dict[str, str]:
    return {
        "sop_instance_uid": instance,
        "series__series_instance_uid": series,
        "series__study__study_instance_uid": study,
    }


def _one(request: HttpRequest, rows: models.QuerySet[M], **keys: str) -> M:
    """The one row with these keys; raises Http404, or GoneError for a rejected one."""
    for row in rows.filter(**keys).order_by()[:1]:
        return row
    kept: Any = rows.model
    if visible_of(request.user, kept.everything.filter(**keys)).exists():
        raise GoneError
    raise Http404


def note(request: HttpRequest, study: Study) -> None:
    """Journal that the user opened a study."""
    _note_once(request, study.study_instance_uid, lambda: study, ahead=False)


def note_unless_ahead(request: HttpRequest, study: Study) -> None:
    """The same, but for a fetch that says nobody has opened the study yet (X-Background).

    That is journalled, too, under its own name: no images are read unseen.
    """
    _note_once(request, study.study_instance_uid, lambda: study, ahead=_is_ahead(request))


def note_named(request: HttpRequest, study: str) -> None:
    """The same for a study of which only the UID is known.

    The study is looked up once in a while, not for each part of it; raises Http404, GoneError.
    """
    _note_once(request, study, lambda: find_study(request, study), ahead=_is_ahead(request))


def _is_ahead(request: HttpRequest) -> bool:
    return "X-Background" in request.headers


def _note_once(request: HttpRequest, uid: str, find: Callable[[], Study], *, ahead: bool) -> None:
    """What this process remembers only saves asking the journal, which holds for all of them."""
    note_it = note_prefetching if ahead else note_viewing
    _looked_at.once(
        (request.user.pk, uid, ahead), lambda: note_it(find(), origin=origin_of(request))
    )
