"""Objects that are made here of images: do they fit their study, and who saved them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import zstandard
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.dicom.amending import text_of
from apps.dicom.header import explicit
from apps.dicom.json import JsonDataset, to_json
from apps.dicom.sop_classes import is_derived
from apps.studies.models import Instance, Provenance, Study
from apps.studies.services.incoming import Incoming
from apps.studies.services.recording import record_of_study

_PATIENT_ID = "00100020"
_REFERENCED = "00081155"
_LOOKED_UP = 500  # referenced objects: more say nothing new about where they belong


def misfit(one: Incoming) -> str:
    """Why an object cannot be of the study that it names; empty where it can, or is an image.

    What it does not say is no reason: reports often know little of their patient.
    """
    if not is_derived(one.instance["sop_class_uid"]):
        return ""
    study = Study.everything.filter(study_instance_uid=one.study_instance_uid).first()
    patient = one.study["patient_identifier"]
    known = _numbers(study) if study and patient else set()
    if known and patient not in known:
        return "its patient is not the patient of the study"
    return "the images it is about are not of the study" if _speaks_of_others(one) else ""


def note_saved(saved: Sequence[Incoming], *, origin: Origin) -> None:
    """Keep who saved these new objects, in the caller's transaction; images are left alone."""
    uids = [one.sop_instance_uid for one in saved if is_derived(one.instance["sop_class_uid"])]
    if origin.user is None or not uids:
        return
    rows = Instance.everything.filter(sop_instance_uid__in=uids).select_related("series__study")
    for row in rows.defer("frame_table", "bulk_table", "header"):
        _note(row, origin.user, origin)


def written_provenance(study_instance_uid: str) -> list[dict[str, str]]:
    """Who saved what of a study, for the document beside its files."""
    rows = Provenance.objects.filter(instance__series__study__study_instance_uid=study_instance_uid)
    return [
        {
            "instance": row.instance.sop_instance_uid,
            "user": row.user.username if row.user else "",
            "name": row.name,
            "address": row.address,
            "at": row.at.isoformat(),
        }
        for row in rows.select_related("instance", "user").order_by("id")
    ]


def restore_provenance(study: Study, entries: Sequence[dict[str, str]]) -> int:
    """Say again of a rebuilt study who saved what; how many were missing."""
    names = {entry["instance"]: entry for entry in entries}
    rows = Instance.everything.filter(series__study=study, provenance=None)
    made = [
        _restored(key, names[uid])
        for uid, key in rows.filter(sop_instance_uid__in=names).values_list(
            "sop_instance_uid", "pk"
        )
    ]
    return len(Provenance.objects.bulk_create(made))


def _restored(instance: int, entry: dict[str, str]) -> Provenance:
    return Provenance(
        instance_id=instance,
        user=User.objects.filter(username=entry["user"]).first(),
        name=entry["name"],
        address=entry["address"],
        at=datetime.fromisoformat(entry["at"]),
    )


def _note(row: Instance, user: User, origin: Origin) -> None:
    study = row.series.study
    Provenance.objects.create(
        instance=row, user=user, name=str(user), address=origin.address, at=timezone.now()
    )
    record_of_study(
        Kind.OBJECT_SAVED,
        study,
        row,
        origin=origin,
        details={"sop_instance_uid": row.sop_instance_uid, "sop_class_uid": row.sop_class_uid},
    )


def _numbers(study: Study) -> set[str]:
    """What the patient is called by: as shown, and as before any correction."""
    rows = study.corrections.filter(path=_PATIENT_ID).values_list("old", "new")
    said = {text_of(values).strip() for both in rows for values in both}
    return {study.patient_identifier, *said} - {""}


def _speaks_of_others(one: Incoming) -> bool:
    """Are the objects that it refers to here, and none of them in its own study?"""
    header = to_json(
        zstandard.decompress(one.instance["header"]),
        explicit_vr=explicit(one.instance["transfer_syntax_uid"]),
        bulk_uri=lambda _path: "",
    )
    uids = list(dict.fromkeys(_referenced(header)))[:_LOOKED_UP]
    rows = Instance.everything.filter(sop_instance_uid__in=uids)
    studies = set(rows.values_list("series__study__study_instance_uid", flat=True))
    return bool(studies) and one.study_instance_uid not in studies


def _referenced(dataset: JsonDataset) -> Iterator[str]:
    for tag, element in dataset.items():
        values: list[Any] = element.get("Value", [])
        if tag == _REFERENCED:
            yield from map(str, values)
        elif element.get("vr") == "SQ":
            for item in values:
                yield from _referenced(item)
