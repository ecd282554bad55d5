"""Corrections and decisions beside the files, so that an index rebuilt from them has them.

One JSON document per study in the DICOM storage, written whole each time under a newer
name: `overlays/<study>/<time>.json`. Readable without us, like the files themselves.
"""

import hashlib
import json
import logging
import os
import secrets
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.files.storage import storages
from django.db import models, transaction

from apps.accounts.models import User
from apps.studies.models import Conflict, Correction, Instance, Rejection, Study
from apps.studies.services.authoring import restore_provenance, written_provenance
from apps.studies.services.correcting import spread
from apps.studies.services.labelling import written_labels
from apps.studies.services.rejecting import mark, recount
from apps.studies.spool import default_spool
from apps.studies.storage import stored_files

log = logging.getLogger(__name__)
TOP = "overlays"

_CORRECTION = ("batch", "path", "vr", "old", "new", "reason", "source", "at", "undone_at")
_REJECTION = ("number", "code", "reason", "status_before", "at", "restored_at")
_CONFLICT = (
    *("sop_instance_uid", "study_instance_uid", "file_name", "size", "sha256", "reason", "source"),
    *("received_at", "state", "decision", "stored_as", "settled_at"),
)


def write_sidecar(study_instance_uid: str) -> str:
    """Write what is laid over a study; returns the name in the storage.

    To be called after the commit: it shows what the database says now.
    """
    # An index that is being rebuilt knows less than the document that would be replaced.
    for study in Study.everything.filter(study_instance_uid=study_instance_uid):
        restore_corrections(study)
    # Taken before reading: of two writers at once the one that read last has the last word.
    name = f"{_folder(study_instance_uid)}/{time.time_ns():020d}.json"
    partial = default_spool().partial / f"{secrets.token_hex(8)}.json.part"
    try:
        _write_synced(partial, _json(study_instance_uid))
        files = stored_files()
        files.adopt(partial, name)
        files.settle([name])
    finally:
        partial.unlink(missing_ok=True)
    for older in _names(_folder(study_instance_uid)):
        if older < name:
            files.remove(older)
    return name


def read_sidecar(study_instance_uid: str) -> dict[str, Any] | None:
    """What was laid over a study when it was last written down; None where nothing was."""
    for name in reversed(_names(_folder(study_instance_uid))):
        document = _read(name)
        if document["study_instance_uid"] == study_instance_uid:
            return document
    return None


def restore_corrections(study: Study) -> int:
    """Bring back the corrections and conflicts of a rebuilt study; how many were missing.

    Safe to run twice: what is there already stays as it is.
    """
    document = read_sidecar(study.study_instance_uid)
    if document is None:
        return 0
    with transaction.atomic():
        row = Study.everything.select_for_update().get(pk=study.pk)
        _forget_made_anew(row, document["corrections"])
        others = _restore_rejections(row, document.get("rejections", []))
        others += restore_provenance(row, document.get("saved", []))
        made = Correction.objects.bulk_create(
            list(_missing_corrections(row, document["corrections"]))
        )
        found = Conflict.objects.bulk_create(list(_missing_conflicts(document["conflicts"])))
        if made:
            spread(row, [one.path for one in made], only_corrected=True)
    study.refresh_from_db()
    return len(made) + len(found) + others


def restore_stray_conflicts() -> int:
    """Bring back conflicts about studies of which nothing else is here; how many were missing.

    Such a newcomer has the UID of an object of another study, and none of its own study.
    """
    uids = Study.everything.values_list("study_instance_uid", flat=True)
    known = {_folder(uid) for uid in uids.iterator()}
    found = 0
    for name in _listed(TOP)[0]:
        folder = f"{TOP}/{name}"
        if folder not in known and (names := _names(folder)):
            entries = _read(names[-1])["conflicts"]
            found += len(Conflict.objects.bulk_create(list(_missing_conflicts(entries))))
    return found


def _restore_rejections(study: Study, entries: list[dict[str, Any]]) -> int:
    """Bring back rejections, and take out of use again what they are about."""
    made = Rejection.objects.bulk_create(list(_missing_rejections(study, entries)))
    if made:
        mark(study)
        recount(study)
    return len(made)


def _forget_made_anew(study: Study, entries: list[dict[str, Any]]) -> None:
    """Indexing the files again let orders and rules speak again: what they said before holds."""
    if study.corrections.filter(batch__in={entry["batch"] for entry in entries}).exists():
        return  # nothing was rebuilt
    said = study.corrections.filter(path__in={entry["path"] for entry in entries})
    said.exclude(source=Correction.Source.PERSON).delete()


def _folder(study_instance_uid: str) -> str:
    return f"{TOP}/{hashlib.sha256(study_instance_uid.encode()).hexdigest()[:32]}"


def _names(folder: str) -> list[str]:
    _, names = _listed(folder)
    return sorted(f"{folder}/{name}" for name in names if name.endswith(".json"))


def _listed(folder: str) -> tuple[list[str], list[str]]:
    try:
        return storages["dicom"].listdir(folder)
    except FileNotFoundError:
        return [], []


def _read(name: str) -> dict[str, Any]:
    with stored_files().open(name) as file:
        document: dict[str, Any] = json.loads(file.read())
    return document


def _json(study_instance_uid: str) -> str:
    return json.dumps(_document(study_instance_uid), default=datetime.isoformat)


def _document(study_instance_uid: str) -> dict[str, Any]:
    rows = Correction.objects.filter(study__study_instance_uid=study_instance_uid)
    corrections = rows.select_related("series", "instance", "user", "undone_by").order_by("id")
    conflicts = Conflict.objects.filter(study_instance_uid=study_instance_uid).order_by("id")
    rejections = Rejection.objects.filter(study__study_instance_uid=study_instance_uid)
    return {
        "study_instance_uid": study_instance_uid,
        "rejections": [
            _placed(one) | _plain(one, _REJECTION) | _usernames(one, "user", "restored_by")
            for one in rejections.for_list().select_related("restored_by").order_by("id")
        ],
        "labels": written_labels(study_instance_uid),
        "saved": written_provenance(study_instance_uid),
        "corrections": [
            _placed(one) | _plain(one, _CORRECTION) | _usernames(one, "user", "undone_by")
            for one in corrections
        ],
        "conflicts": [
            _plain(one, _CONFLICT) | _usernames(one, "settled_by")
            for one in conflicts.select_related("settled_by")
        ],
    }


def _plain(row: models.Model, fields: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in fields}


def _usernames(row: models.Model, *fields: str) -> dict[str, str]:
    """The user names of who did it; empty for nobody."""
    people = ((name, getattr(row, name)) for name in fields)
    return {name: person.username if person else "" for name, person in people}


def _placed(row: Correction | Rejection) -> dict[str, str]:
    """Which part of the study it is about; empty for all of it."""
    return {
        "series": row.series.series_instance_uid if row.series else "",
        "instance": row.instance.sop_instance_uid if row.instance else "",
    }


def _missing_corrections(study: Study, entries: list[dict[str, Any]]) -> Iterator[Correction]:
    """Those without a row; what was said of an object that is gone is left out."""
    series = dict(study.series(manager="everything").values_list("series_instance_uid", "pk"))
    instances = _keys(study, [entry["instance"] for entry in entries if entry["instance"]])
    known = set(study.corrections.values_list("batch", "path", "series_id", "instance_id"))
    people = _people(entries, "user", "undone_by")
    for entry in entries:
        keys = series.get(entry["series"]), instances.get(entry["instance"])
        if (entry["series"] and not keys[0]) or (entry["instance"] and not keys[1]):
            log.warning("A correction of %s is of no object here", study.study_instance_uid)
        elif (entry["batch"], entry["path"], *keys) not in known:
            yield Correction(
                study=study,
                series_id=keys[0],
                instance_id=keys[1],
                user=people.get(entry["user"]),
                undone_by=people.get(entry["undone_by"]),
                **_values(entry, _CORRECTION),
            )


def _missing_rejections(study: Study, entries: list[dict[str, Any]]) -> Iterator[Rejection]:
    """Those without a row; one of an object that is gone is left out."""
    series = dict(study.series(manager="everything").values_list("series_instance_uid", "pk"))
    instances = _keys(study, [entry["instance"] for entry in entries if entry["instance"]])
    known = set(study.rejections.values_list("number", flat=True))
    people = _people(entries, "user", "restored_by")
    for entry in entries:
        keys = series.get(entry["series"]), instances.get(entry["instance"])
        gone = (entry["series"] and not keys[0]) or (entry["instance"] and not keys[1])
        if not gone and entry["number"] not in known:
            yield Rejection(
                study=study,
                series_id=keys[0],
                instance_id=keys[1],
                user=people.get(entry["user"]),
                restored_by=people.get(entry["restored_by"]),
                **_values(entry, _REJECTION),
            )


def _keys(study: Study, uids: list[str]) -> dict[str, int]:
    rows = Instance.everything.filter(series__study=study, sop_instance_uid__in=uids)
    return dict(rows.values_list("sop_instance_uid", "pk"))


def _missing_conflicts(entries: list[dict[str, Any]]) -> Iterator[Conflict]:
    names = [entry["file_name"] for entry in entries]
    known = set(Conflict.objects.filter(file_name__in=names).values_list("file_name", flat=True))
    uids = [entry["sop_instance_uid"] for entry in entries]
    rows = Instance.everything.filter(sop_instance_uid__in=uids)
    instances = dict(rows.values_list("sop_instance_uid", "pk"))
    people = _people(entries, "settled_by")
    for entry in entries:
        if entry["file_name"] not in known:
            yield Conflict(
                instance_id=instances.get(entry["sop_instance_uid"]),
                settled_by=people.get(entry["settled_by"]),
                **_values(entry, _CONFLICT),
            )


def _people(entries: list[dict[str, Any]], *roles: str) -> dict[str, User]:
    names = {entry[role] for entry in entries for role in roles}
    return {user.username: user for user in User.objects.filter(username__in=names)}


def _values(entry: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    moments = {name: entry[name] for name in fields if name.endswith("at") and entry[name]}
    read = {name: datetime.fromisoformat(text) for name, text in moments.items()}
    return {name: entry[name] for name in fields} | read


def _write_synced(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
