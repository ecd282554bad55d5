"""Asking for a regular series, and making it: a row per source series, one worker at a time."""

import datetime
import io
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from celery import current_app
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from apps.audit.leasing import Claim, ClaimLost
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.dicom.derived_images import Recipe, derivation, image_file, series_uid, template
from apps.dicom.grey_values import Scale, scale_of, worked_values
from apps.dicom.header import EXPLICIT_LITTLE, explicit
from apps.dicom.regularising import Plane, UnfitError, grid_for, resample
from apps.dicom.stacks import Floats, geometry_of
from apps.dicom.transcoding import MOST_BYTES, PLAIN, TranscodingError, read_data_set
from apps.dicom.workshop import Workshop
from apps.studies.models import Instance, RegularSeries, Series
from apps.studies.room import DiskFull, require_room
from apps.studies.services.outgoing import corrected_header, outgoing
from apps.studies.services.regular_claims import (
    claim_next,
    note_done,
    note_failed,
    note_progress,
    record_regular,
    take_up_left_behind,
)
from apps.studies.services.regularity import finding_of, reason_words, slices_of, version_of
from apps.studies.services.storing import Demands, Outcome, store_instances
from apps.studies.spool import default_spool

log = logging.getLogger(__name__)
TELL_SECONDS = 1.0
AT_ONCE = 50  # files that are stored together
_KEPT = (Outcome.STORED, Outcome.DUPLICATE)
_workshop = Workshop(processes=1)
_turn = threading.Lock()


class NotRegularisable(Exception):
    """This series cannot be made regular; the message says why."""


def ask_for_regular(series: Series, *, origin: Origin) -> RegularSeries:
    """Have a regular series made of this one, or say how far that is; raises NotRegularisable.

    The caller has seen to it that the person may see the series and create images.
    """
    if reason := finding_of(series)["reason"]:
        raise NotRegularisable(reason_words(str(reason)))
    version = version_of(series)
    wanted = {"version": version, "series_instance_uid": series_uid(version), "user": origin.user}
    with transaction.atomic():
        row, new = RegularSeries.objects.select_for_update().get_or_create(
            source=series, defaults=wanted
        )
        if not new and not _is_to_be_made_again(row, version):
            return row
        if not new:
            _begin_anew(row, wanted)
        record_regular(Kind.REGULAR_ASKED, row, origin)
        transaction.on_commit(_ring, robust=True)
    return row


def make_due() -> int:
    """Make the series that wait, the oldest first; returns how many were tried.

    One at a time in a process: others wait for its threads.
    """
    tried = 0
    if not _turn.acquire(blocking=False):
        return tried
    try:
        take_up_left_behind()
        while (claim := claim_next()) is not None:
            _attempt(claim)
            tried += 1
    finally:
        _turn.release()
    return tried


def _is_to_be_made_again(row: RegularSeries, version: str) -> bool:
    if row.is_under_way:
        return False
    if row.state == RegularSeries.State.FAILED or row.version != version:
        return True
    made = Series.everything.filter(series_instance_uid=row.series_instance_uid)
    if made.exists() and not Series.objects.filter(pk__in=made).exists():
        raise NotRegularisable(_("The regular series was rejected."))
    return not made.exists()


def _begin_anew(row: RegularSeries, wanted: Mapping[str, object]) -> None:
    if row.version != wanted["version"]:
        row.asked_at = timezone.now()
    for name, value in wanted.items():
        setattr(row, name, value)
    row.state, row.reason = RegularSeries.State.WAITING, ""
    row.attempts = row.done_count = row.total_count = 0
    row.save()


def _ring() -> None:
    try:
        current_app.send_task("apps.studies.tasks.make_regular_series")
    except Exception as error:  # noqa: BLE001 - brokers raise their own classes
        log.warning("No broker (%s): a series waits for the sweep", type(error).__name__)


def _attempt(claim: Claim[RegularSeries]) -> None:
    try:
        _make(claim)
    except ClaimLost:
        log.warning("Regular series %s was taken away while it was made", claim.row.pk)
    except Exception as error:
        log.warning("Regular series %s failed: %s", claim.row.pk, type(error).__name__)
        note_failed(claim, _words(error))
        if not isinstance(error, _EXPECTED):
            raise


_EXPECTED = (NotRegularisable, UnfitError, DiskFull, OSError, ValueError)


def _words(error: Exception) -> str:
    if isinstance(error, NotRegularisable):
        return str(error)
    if isinstance(error, UnfitError):
        return reason_words(error.reason)
    if isinstance(error, DiskFull):
        return _("There is no room for new images.")
    return _("An image could not be read or written.")


def _make(claim: Claim[RegularSeries]) -> None:
    source = Series.objects.select_related("study").filter(pk=claim.row.source_id).first()
    if source is None:
        raise NotRegularisable(_("The series is not here any more."))
    require_room()
    version = version_of(source)
    work = _work_on(source, version, made_at=claim.row.asked_at)
    with default_spool().staging() as stage:
        paths = [stage.keep([file]) for file in _files(work, claim)]
        _store(stage.admit(paths), source, claim)
    note_done(claim, version, len(paths))


@dataclass(frozen=True)
class _Work:
    """A source series, ready to be gone through: its images' keys in the order of the slices."""

    recipe: Recipe
    keys: Sequence[int]
    heights: Floats


def _work_on(source: Series, version: str, *, made_at: datetime.datetime) -> _Work:
    keys, slices = slices_of(source)
    geometry = geometry_of(slices)
    if not slices or geometry.heights is None:
        raise NotRegularisable(reason_words(str(finding_of(source)["reason"])))
    first = slices[geometry.order[0]]
    grid = grid_for(first, geometry)
    ordered = [keys[one] for one in geometry.order]
    headers = [_header(key) for key in ordered]
    common = template(
        headers,
        version=version,
        made_at=timezone.localtime(made_at),
        description=derivation(geometry, grid),
    )
    recipe = Recipe(headers, first, grid, scale_of(headers), common, version)
    return _Work(recipe, ordered, geometry.heights)


def _files(work: _Work, claim: Claim[RegularSeries]) -> Iterator[bytes]:
    """The new files, from the first plane on; tells how far it is. Raises ClaimLost."""
    recipe = work.recipe
    scale, total = recipe.scale, len(recipe.grid.heights)
    planes = resample(
        recipe.grid,
        work.heights,
        lambda one: _pixels(work.keys[one], scale),
        fill=scale.fill,
        padding=scale.padding,
    )
    told_at = 0.0
    for number, made in enumerate(planes, start=1):
        yield image_file(recipe, made, number)
        if time.monotonic() - told_at > TELL_SECONDS:
            note_progress(claim, number, total)
            require_room()
            told_at = time.monotonic()


def _header(key: int) -> Dataset:
    """What an image says now, corrections made."""
    row = Instance.objects.get(pk=key)
    implicit = not explicit(row.transfer_syntax_uid)
    return read_dataset(io.BytesIO(corrected_header(row)), implicit, is_little_endian=True)


def _pixels(key: int, scale: Scale) -> Plane:
    """The pixels of an image, decoded at arm's length; raises ValueError, OSError."""
    going = outgoing(Instance.objects.get(pk=key))
    if going.size > MOST_BYTES:
        raise TranscodingError("too large")
    data, syntax = b"".join(going.pieces()), going.transfer_syntax_uid
    if syntax not in PLAIN:
        data, syntax = _workshop.transcode(data, syntax, EXPLICIT_LITTLE), EXPLICIT_LITTLE
    return worked_values(read_data_set(data, syntax), scale)


def _store(paths: Sequence[Path], source: Series, claim: Claim[RegularSeries]) -> None:
    demands = Demands(study=source.study.study_instance_uid, promised=False)
    for start in range(0, len(paths), AT_ONCE):
        note_progress(claim, len(paths), len(paths))
        batch = paths[start : start + AT_ONCE]
        stored = store_instances(batch, origin=Origin(protocol="system"), demands=demands)
        # What is gone was stored by the sweep of the spool.
        if not all(one.outcome in _KEPT for one in stored):
            raise NotRegularisable(_("The new images could not be stored."))
