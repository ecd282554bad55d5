"""Correcting what a study says of itself. The stored files stay as they came."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.dicom.amending import Change, text_of
from apps.studies.models import Correction, Instance, Series, Study
from apps.studies.services.columns import as_sent, is_column, show_corrections
from apps.studies.services.overlaying import new_overlay
from apps.studies.services.recording import record_of_study

# What makes an object itself, and what its pixels mean, is no matter of opinion.
_FIXED = frozenset({0x00020010, 0x00080005, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E})
_FIXED_GROUPS = frozenset({0x0002, 0x0028, 0x0400, 0x7FE0})
_VRS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS"}
    | {"ST", "TM", "UC", "UI", "UL", "UR", "US", "UT"}
)


class NotCorrectableError(ValueError):
    """This attribute cannot be corrected; the message says which."""

    message = _("%(path)s cannot be corrected.")


class UndoneAlreadyError(LookupError):
    """Somebody undid the correction in the meantime."""

    message = _("This correction was undone already.")


@dataclass(frozen=True)
class Scope:
    """What a change holds for: the whole study, one series or one instance."""

    series: Series | None = None
    instance: Instance | None = None


WHOLE_STUDY = Scope()


def correct_study(
    study: Study,
    *,
    changes: Sequence[Change],
    reason: str,
    source: Correction.Source,
    origin: Origin,
    scope: Scope = WHOLE_STUDY,
) -> list[Correction]:
    """Show attributes of a study otherwise than they were sent, everywhere from now on.

    Changes that change nothing are left out. Raises NotCorrectableError.
    """
    for change in changes:
        _check(change)
    with transaction.atomic():
        row = Study.everything.select_for_update().get(pk=study.pk)
        made = _make(row, changes, scope, reason=reason, source=source, origin=origin)
        if made:
            spread(row, [one.path for one in made], only_corrected=True)
            journal(Kind.STUDY_CORRECTED, row, made, origin=origin)
    study.refresh_from_db()
    return made


def undo_correction(correction: Correction, *, origin: Origin) -> None:
    """Show an attribute as it was before; raises UndoneAlreadyError."""
    with transaction.atomic():
        row = Study.everything.select_for_update().get(pk=correction.study_id)
        if not undo_open(row, Correction.objects.filter(pk=correction.pk), origin=origin):
            raise UndoneAlreadyError(UndoneAlreadyError.message)


def undo_open(study: Study, corrections: Any, *, origin: Origin) -> bool:
    """Undo those of some corrections that are open, the study being locked; were there any?"""
    undone = [one for one in corrections.open() if one.can_be_undone]
    if not undone:
        return False
    keys = [one.pk for one in undone]
    Correction.objects.filter(pk__in=keys).update(undone_at=timezone.now(), undone_by=origin.user)
    spread(study, [one.path for one in undone])
    journal(Kind.CORRECTION_UNDONE, study, undone, origin=origin)
    return True


def correctable(path: str, vr: str) -> bool:
    """May this attribute be corrected at all?"""
    tag = int(path[:8], 16)
    return tag not in _FIXED and tag >> 16 not in _FIXED_GROUPS and vr in _VRS


def _check(change: Change) -> None:
    if not correctable(change.path, change.vr):
        raise NotCorrectableError(NotCorrectableError.message % {"path": change.path})


def _make(
    study: Study,
    changes: Sequence[Change],
    scope: Scope,
    *,
    reason: str,
    source: Correction.Source,
    origin: Origin,
) -> list[Correction]:
    batch, at = secrets.token_hex(16), timezone.now()
    rows = [
        Correction(
            study=study,
            series=scope.series,
            instance=scope.instance,
            batch=batch,
            path=change.path,
            vr=change.vr,
            old=old,
            new=change.values,
            reason=reason[:200],
            source=source,
            user=origin.user,
            at=at,
        )
        for change in changes
        if not _is_same(old := shown_value(study, change, scope), change)
    ]
    return Correction.objects.bulk_create(rows)


def shown_value(study: Study, change: Change, scope: Scope = WHOLE_STUDY) -> list[Any] | None:
    """The value that is shown now: corrected before, or as the first image says."""
    rows = study.corrections.filter(path=change.path).open()
    narrow = rows.filter(series=scope.series, instance=scope.instance).last()
    before = narrow or rows.filter(series=None, instance=None).last()
    return before.new if before else as_sent(study, change, scope.series, scope.instance)


def _is_same(old: list[Any] | None, change: Change) -> bool:
    if old is None or change.values is None:
        return old == change.values
    # Of a column every series may say something else: only the study as a whole is compared.
    return text_of(old) == text_of(change.values) and is_column(change.path)


def spread(study: Study, paths: Sequence[str], *, only_corrected: bool = False) -> None:
    """Bring columns, revisions and marks of a locked study up to date.

    `only_corrected`: nothing was undone, so what is not corrected stays as it is.
    """
    rows = list(study.corrections.open())
    study.overlay = new_overlay() if rows else 0
    series = list(study.series(manager="everything").all())
    show_corrections(study, series, rows, paths, only_corrected=only_corrected)
    for one in series:
        one.revision += 1
    study.revision += 1
    study.save()
    Series.everything.bulk_update(series, [*SERIES_FIELDS, "revision"])
    mark_instances(Instance.everything.filter(series__study=study), rows, overlay=study.overlay)


def spread_to(study: Study, arrived: Sequence[str]) -> None:
    """The same for instances that have just come to a study with corrections."""
    rows = list(study.corrections.open())
    number = new_overlay()
    study.overlay = study.overlay or number
    series = list(
        study.series(manager="everything")
        .filter(instances__sop_instance_uid__in=arrived)
        .distinct()
    )
    show_corrections(study, series, rows, [one.path for one in rows], only_corrected=True)
    study.save()
    Series.everything.bulk_update(series, SERIES_FIELDS)
    mark_instances(Instance.everything.filter(sop_instance_uid__in=arrived), rows, overlay=number)


def mark_instances(instances: Any, rows: Sequence[Correction], *, overlay: int) -> None:
    """Tell instances whether anything is laid over them; others are sent byte for byte."""
    concerned = {one.series_id for one in rows}
    if None in concerned:
        instances.update(overlay=overlay)
    else:
        instances.filter(series__in=concerned).update(overlay=overlay)
        instances.exclude(series__in=concerned).exclude(overlay=0).update(overlay=0)


SERIES_FIELDS = (
    *("modality", "number", "description", "body_part", "laterality", "protocol_name"),
    *("station_name", "series_date", "series_time"),
)


def journal(kind: Kind, study: Study, rows: Sequence[Correction], *, origin: Origin) -> None:
    """The journal holds what was changed, not the values."""
    record_of_study(
        kind,
        study,
        origin=origin,
        details={
            "attributes": sorted({one.path for one in rows}),
            "corrections": [one.pk for one in rows][:100],
            "source": rows[0].source,
        },
    )
