"""Writing the rows of a batch: parents inserted or found, locked, counted."""

from collections.abc import Iterable
from pathlib import Path

from django.utils import timezone

from apps.audit.services import Origin
from apps.dicom.names import search_form
from apps.studies.models import Instance, Series, Study
from apps.studies.services.incoming import Incoming
from apps.studies.services.matching import match_automatically


def index_batch(fresh: list[Incoming], names: dict[Path, str], *, origin: Origin) -> None:
    """Write all rows of a batch, in the caller's transaction.

    Parents are inserted or found, then locked in the order of their UIDs.
    """
    if not fresh:
        return
    studies = _studies(fresh)
    series = _series(fresh, studies)
    stored = _instances(fresh, names, series)
    for uid, study in studies.items():
        own = [one for one in stored if one.study_instance_uid == uid]
        _count(study, own, series, origin=origin)


def _studies(fresh: list[Incoming]) -> dict[str, Study]:
    now = timezone.now()
    first = {one.study_instance_uid: one for one in reversed(fresh)}
    Study.objects.bulk_create(
        [
            Study(study_instance_uid=uid, last_instance_at=now, **first[uid].study)
            for uid in sorted(first)
        ],
        ignore_conflicts=True,
    )
    rows = Study.objects.select_for_update().filter(study_instance_uid__in=first)
    return {row.study_instance_uid: row for row in rows.order_by("study_instance_uid")}


def _series(fresh: list[Incoming], studies: dict[str, Study]) -> dict[str, Series]:
    first = {one.series_instance_uid: one for one in reversed(fresh)}
    Series.objects.bulk_create(
        [
            Series(
                series_instance_uid=uid,
                study=studies[first[uid].study_instance_uid],
                **first[uid].series,
            )
            for uid in sorted(first)
        ],
        ignore_conflicts=True,
    )
    rows = Series.objects.filter(series_instance_uid__in=first)
    return {row.series_instance_uid: row for row in rows}


def _instances(
    fresh: list[Incoming], names: dict[Path, str], series: dict[str, Series]
) -> list[Incoming]:
    """Insert instances; returns those whose row is ours."""
    studies = dict(
        Study.objects.filter(
            study_instance_uid__in={one.study_instance_uid for one in fresh}
        ).values_list("study_instance_uid", "pk")
    )
    fitting = [
        one
        for one in sorted(fresh, key=lambda one: one.sop_instance_uid)
        if series[one.series_instance_uid].study_id == studies[one.study_instance_uid]
    ]
    # Seen under the lock of their study: another worker may have stored the very same file.
    before = known_instances([one.sop_instance_uid for one in fitting])
    Instance.objects.bulk_create(
        [
            Instance(
                sop_instance_uid=one.sop_instance_uid,
                series=series[one.series_instance_uid],
                file_name=names[one.path],
                size=one.size,
                sha256=one.sha256,
                **one.instance,
            )
            for one in fitting
        ],
        ignore_conflicts=True,
    )
    after = known_instances([one.sop_instance_uid for one in fitting])
    return [
        one
        for one in fitting
        if one.sop_instance_uid not in before
        and after[one.sop_instance_uid].file_name == names[one.path]
    ]


def _count(study: Study, own: list[Incoming], series: dict[str, Series], *, origin: Origin) -> None:
    """Bring a locked study's copies and counters up to date; announce it if it is new."""
    is_new = study.revision == 0
    if not own:
        if is_new:
            study.delete()
        return
    for one in own:
        _fill_blanks(study, one)
        row = series[one.series_instance_uid]
        study.series_count += row.revision == 0
        row.revision += 1
        row.instance_count += 1
        study.size += one.size
    touched = {one.series_instance_uid: series[one.series_instance_uid] for one in own}
    Series.objects.bulk_update(touched.values(), ["revision", "instance_count"])
    study.instance_count += len(own)
    study.patient_search_name = search_form(study.patient_name)[:324]
    study.modalities = _joined([*study.modality_list, *(one.modality for one in own)])
    study.revision += 1
    study.last_instance_at = timezone.now()
    if study.status == Study.Status.AVAILABLE:
        study.status = Study.Status.RECEIVING
    study.save()
    if is_new:
        match_automatically(study, origin=origin, announce=True)


def _fill_blanks(study: Study, one: Incoming) -> None:
    """Later objects add what is missing and change nothing: a derived SR often knows less."""
    for column, value in one.study.items():
        if value and not getattr(study, column):
            setattr(study, column, value)


def _joined(modalities: Iterable[str]) -> str:
    known = sorted({one for one in modalities if one})
    return ("\\" + "\\".join(known) + "\\")[:128] if known else ""


def known_instances(uids: list[str]) -> dict[str, Instance]:
    """The rows of these SOP Instance UIDs, without their large columns."""
    rows = Instance.objects.filter(sop_instance_uid__in=uids).defer("header", "frame_table")
    return {row.sop_instance_uid: row for row in rows}
