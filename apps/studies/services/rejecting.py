"""Taking images out of use, for a reason that is kept, and bringing them back (IHE IOCM).

The bytes stay where they are. Every image concerned points to its rejection, so that no query
has to look up more than its own row; counters and copies of its study are brought up to date.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Count, Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.studies.models import Instance, Rejection, Series, Study
from apps.studies.services.coercing import follow_patient
from apps.studies.services.recording import record_of_study

NOTED = 100  # UIDs in a row of the journal


class RejectedAlreadyError(LookupError):
    """Somebody rejected it in the meantime."""

    message = _("This was rejected already.")


class RestoredAlreadyError(LookupError):
    """Somebody brought it back in the meantime."""

    message = _("This was restored already.")


class UnknownReasonError(ValueError):
    """A rejection needs one of the reasons there are, and words of its own."""

    message = _("Say why, and choose a kind of reason.")


@dataclass(frozen=True)
class Target:
    """What is rejected: a whole study, one series or one image of it."""

    study: Study
    series: Series | None = None
    instance: Instance | None = None

    def images(self) -> Any:
        """All its images, rejected or not."""
        if self.instance is not None:
            return Instance.everything.filter(pk=self.instance.pk)
        if self.series is not None:
            return Instance.everything.filter(series=self.series)
        return Instance.everything.filter(series__study=self.study)


def reject(target: Target, *, code: str, reason: str, origin: Origin) -> Rejection:
    """Show something to nobody any more, from now on.

    Raises UnknownReasonError, RejectedAlreadyError.
    """
    reason = " ".join(reason.split())[:200]
    if not reason or code not in Rejection.Code.values:
        raise UnknownReasonError(str(UnknownReasonError.message))
    with transaction.atomic():
        study = Study.everything.select_for_update().get(pk=target.study.pk)
        images = target.images().filter(rejection=None)
        if not images.exists():
            raise RejectedAlreadyError(str(RejectedAlreadyError.message))
        made = Rejection.objects.create(
            number=secrets.token_hex(16),
            study=study,
            series=target.series,
            instance=target.instance,
            code=code,
            reason=reason,
            status_before=study.status,
            user=origin.user,
        )
        uids = list(images.values_list("sop_instance_uid", flat=True))
        images.update(rejection=made)
        recount(study)
        _journal(Kind.OBJECTS_REJECTED, made, uids, origin=origin)
    return made


def restore(rejection: Rejection, *, origin: Origin) -> Rejection:
    """Show again what was rejected; raises RestoredAlreadyError.

    What one of its images is rejected for besides stays in force.
    """
    with transaction.atomic():
        study = Study.everything.select_for_update().get(pk=rejection.study_id)
        row = Rejection.objects.get(pk=rejection.pk)
        if row.restored_at is not None:
            raise RestoredAlreadyError(str(RestoredAlreadyError.message))
        row.restored_at, row.restored_by = timezone.now(), origin.user
        row.save(update_fields=["restored_at", "restored_by"])
        images = Instance.everything.filter(rejection=row)
        uids = list(images.values_list("sop_instance_uid", flat=True))
        images.update(rejection=None)
        Series.everything.filter(rejection=row).update(rejection=None)
        mark(study)
        recount(study)
        _journal(Kind.OBJECTS_RESTORED, row, uids, origin=origin)
        if study.status != Study.Status.REJECTED:
            # The record of its patient may have changed while nobody saw it.
            follow_patient(study, origin=origin)
    return row


def note_again(rejections: Mapping[str, int | None], *, origin: Origin) -> None:
    """Journal which images came that are rejected: they stay so, and their sender is content.

    `rejections`: the key of the rejection in force by SOP Instance UID, None where there is none.
    """
    keys = {key for key in rejections.values() if key is not None}
    if not keys:
        return
    with transaction.atomic():
        for row in Rejection.objects.for_list().filter(pk__in=keys):
            uids = [uid for uid, key in rejections.items() if key == row.pk]
            _journal(Kind.REJECTED_AGAIN, row, uids, origin=origin)


def mark(study: Study) -> None:
    """Point the images of a locked study to the rejections in force, widest first.

    What points to one already keeps it.
    """
    for row in sorted(study.rejections.in_force(), key=_narrowness):
        target = Target(study, row.series, row.instance)
        target.images().filter(rejection=None).update(rejection=row)


def wide_rejections(studies: Iterable[Study], series: Iterable[Series]) -> dict[int, int]:
    """Rejections that hold for what comes anew: keys by series, of those series alone.

    Asked of the database only where something is rejected at all.
    """
    several = list(series)
    gone = {one.pk for one in studies if one.status == Study.Status.REJECTED}
    gone |= {one.study_id for one in several if one.rejection_id}
    if not gone:
        return {}
    of_study: dict[int, int] = {}
    of_series: dict[int, int] = {}
    for row in Rejection.objects.wide().filter(study__in=gone):
        if row.series_id is None:
            of_study[row.study_id] = row.pk
        else:
            of_series[row.series_id] = row.pk
    found = {one.pk: of_study.get(one.study_id) or of_series.get(one.pk) for one in several}
    return {key: rejection for key, rejection in found.items() if rejection}


def recount(study: Study) -> None:
    """Bring marks of series, counters and copies of a locked study up to date, and save it.

    A series all of whose images are rejected is so itself, and a study without any left.
    """
    counts = _counts(study)
    for one in Series.everything.filter(study=study):
        count, _size = counts.get(one.pk, (0, 0))
        rejection = None if count else _why(one)
        if (one.instance_count, one.rejection_id) != (count, rejection):
            one.instance_count, one.rejection_id = count, rejection
            one.revision += 1
            one.save(update_fields=["instance_count", "rejection", "revision"])
    _copy(study, list(counts.values()))


def _copy(study: Study, counts: Sequence[tuple[int, int]]) -> None:
    study.series_count = len(counts)
    study.instance_count = sum(count for count, _size in counts)
    study.size = sum(size for _count, size in counts)
    found = study.series.order_by("modality").values_list("modality", flat=True).distinct()
    known = [one for one in found if one]
    study.modalities = ("\\" + "\\".join(known) + "\\")[:128] if known else ""
    study.status = _status(study)
    study.revision += 1
    study.save()


def _counts(study: Study) -> dict[int, tuple[int, int]]:
    """Images and bytes of each series that has any to be shown."""
    rows = Instance.objects.filter(series__study=study).order_by()
    summed = rows.values_list("series_id").annotate(Count("pk"), Sum("size"))
    return {key: (count, size) for key, count, size in summed}


def _why(series: Series) -> int | None:
    """The rejection of a series without an image to be shown."""
    wide = Instance.everything.filter(series=series, rejection__instance=None)
    any_image = wide.first() or Instance.everything.filter(series=series).first()
    return any_image.rejection_id if any_image else None


def _status(study: Study) -> str:
    if not study.instance_count:
        return Study.Status.REJECTED
    if study.status != Study.Status.REJECTED:
        return study.status
    last = study.rejections.exclude(status_before=Study.Status.REJECTED).first()
    return last.status_before if last else Study.Status.AVAILABLE


def _narrowness(row: Rejection) -> tuple[bool, bool, int]:
    return row.instance_id is not None, row.series_id is not None, row.pk


def _journal(kind: Kind, row: Rejection, uids: Sequence[str], *, origin: Origin) -> None:
    study = row.study
    record_of_study(
        kind,
        study,
        row,
        origin=origin,
        details={
            "code": row.code,
            "series": row.series.series_instance_uid if row.series else "",
            "instances": len(uids),
            "uids": list(uids[:NOTED]),
        },
    )
