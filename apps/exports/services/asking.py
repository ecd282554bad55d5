"""Asking for an export, deciding on what was held, taking it back, letting it expire."""

import datetime
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.exports.models import Export, HeldObject, Profile
from apps.exports.services.refusals import ExportRefused
from apps.exports.services.room import require_export_room
from apps.studies.models import Study
from apps.studies.services.recording import record_of_study

log = logging.getLogger(__name__)
MOST_STUDIES = 200


def ask_for_export(
    studies: Sequence[Study],
    *,
    kind: str,
    options: Mapping[str, Any],
    profile: Profile | None = None,
    origin: Origin,
) -> Export:
    """Queue an export; one journal row for each study. Raises ExportRefused.

    The caller has seen to it that the person may export these studies.
    """
    if origin.user is None:
        raise ExportRefused(_("Only a person can ask for an export."))
    if not studies or len(studies) > MOST_STUDIES:
        raise ExportRefused(_("Choose between 1 and %(most)d studies.") % {"most": MOST_STUDIES})
    keys = [study.pk for study in studies]
    wanted = Study.objects.filter(pk__in=keys).aggregate(total=Sum("size"))["total"] or 0
    require_export_room(wanted)
    with transaction.atomic():
        export = Export.objects.create(
            user=origin.user,
            kind=kind,
            options=dict(options),
            profile=profile,
            total_count=sum(study.instance_count for study in studies),
            expires_at=timezone.now() + datetime.timedelta(days=settings.OPENPACS_EXPORT_DAYS),
        )
        export.studies.set(studies)
        for study in studies:
            _record_study(export, study, origin)
        ring()
    return export


def release_export(export: Export, *, origin: Origin) -> None:
    """Somebody has looked at what will be written: make it. Raises ExportRefused."""
    with transaction.atomic():
        row = _locked(export)
        if row.status != Export.Status.HELD:
            raise ExportRefused(_("This export does not wait for a decision."))
        if row.held.undecided().exists():
            raise ExportRefused(_("Decide on every held image first."))
        row.status, row.released_at = Export.Status.QUEUED, timezone.now()
        row.save(update_fields=["status", "released_at"])
        left_out = row.held.filter(decision=HeldObject.Decision.LEFT_OUT).count()
        record_export(Kind.EXPORT_RELEASED, row, origin=origin, left_out=left_out)
        ring()


def decide(
    export: Export,
    decisions: Mapping[int, str],
    regions: Mapping[int, list[list[int]]],
    *,
    origin: Origin,
) -> None:
    """Take held objects along or leave them out, by their keys. Raises ExportRefused."""
    with transaction.atomic():
        row = _locked(export)
        if row.status != Export.Status.HELD:
            raise ExportRefused(_("This export does not wait for a decision."))
        rows = list(HeldObject.objects.filter(export=row, pk__in=decisions))
        for held in rows:
            held.decision = decisions[held.pk]
            held.regions = regions.get(held.pk, [])
        HeldObject.objects.bulk_update(rows, ["decision", "regions"], batch_size=200)
        taken = sum(one.decision == HeldObject.Decision.TAKEN for one in rows)
        record_export(
            Kind.EXPORT_DECIDED, row, origin=origin, taken=taken, left_out=len(rows) - taken
        )


def note_archive(study: Study, *, origin: Origin, level: str) -> None:
    """Somebody takes a study, or part of it, as an archive without asking for an export."""
    with transaction.atomic():
        record_of_study(
            Kind.STUDY_EXPORTED,
            study,
            origin=origin,
            details={"kind": Export.Kind.ZIP, "level": level},
        )


def note_download(export: Export, *, origin: Origin) -> None:
    """Somebody takes the file."""
    record_export(Kind.EXPORT_DOWNLOADED, export, origin=origin, size=export.size)


def note_codes_seen(export: Export, *, origin: Origin) -> None:
    """Somebody looks at which code stands for whom."""
    record_export(Kind.CODES_VIEWED, export, origin=origin)


def delete_export(export: Export, *, origin: Origin) -> None:
    """Delete its file before its time, or stop making it; the row stays."""
    with transaction.atomic():
        row = _locked(export)
        if row.status == Export.Status.EXPIRED:
            raise ExportRefused(_("This export was deleted already."))
        _expire(row, origin)


def expire_exports(*, origin: Origin) -> int:
    """Delete the files of exports whose time is over; returns how many."""
    count = 0
    for found in Export.objects.over().exclude(status=Export.Status.EXPIRED):
        with transaction.atomic():
            _expire(_locked(found), origin)
            count += 1
    return count


def make_profile(*, name: str, options: Iterable[str], origin: Origin) -> Profile:
    """A new profile of anonymised exports."""
    with transaction.atomic():
        profile = Profile.objects.create(name=name, options=sorted(options), made_by=origin.user)
        record(
            Kind.EXPORT_PROFILE_MADE, profile, origin=origin, details={"options": profile.options}
        )
    return profile


def record_export(kind: Kind, export: Export, *, origin: Origin, **details: Any) -> None:
    """One journal row about an export: what it is, and of how many studies."""
    told = {"kind": export.kind, "studies": export.studies.count(), **details}
    record(kind, export, origin=origin, details=told)


def ring() -> None:
    """Nudge the worker after commit. The row is the queue: a lost nudge is found by the sweep."""
    transaction.on_commit(_ring, robust=True)


def _ring() -> None:
    try:
        current_app.send_task("apps.exports.tasks.make_waiting")
    except Exception as error:  # noqa: BLE001 - brokers raise their own classes
        log.warning("No broker (%s): exports wait for the sweep", type(error).__name__)


def _record_study(export: Export, study: Study, origin: Origin) -> None:
    record_of_study(
        Kind.STUDY_EXPORTED,
        study,
        origin=origin,
        details={"export": export.pk, "kind": export.kind},
    )


def _locked(export: Export) -> Export:
    return Export.objects.select_for_update().get(pk=export.pk)


def _expire(row: Export, origin: Origin) -> None:
    """The worker that is at it finds its token gone; its unfinished file goes with it."""
    path = row.path if row.file_name else None
    row.status, row.lease_until, row.file_name = Export.Status.EXPIRED, None, ""
    row.token += 1
    row.save(update_fields=["status", "lease_until", "file_name", "token"])
    row.pseudonyms.all().delete()
    record_export(Kind.EXPORT_DELETED, row, origin=origin)
    if path:
        transaction.on_commit(lambda: path.unlink(missing_ok=True), robust=True)
