"""Which objects are safe here: stored whole, or durable in the spool."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from apps.studies.models import Instance
from apps.studies.spool import default_spool
from apps.studies.storage import stored_files

log = logging.getLogger(__name__)
AT_ONCE = 500


@dataclass(frozen=True)
class Kept:
    """An object that is known here; `whole` is False where its file is missing or damaged."""

    sop_class_uid: str
    study_instance_uid: str
    whole: bool = True


def kept_instances(uids: Sequence[str]) -> dict[str, Kept]:
    """Those of these SOP Instance UIDs that are known, each looked for in the storage."""
    # The spool first: a file leaves it only when its row is there. What the row says goes
    # before a copy in the spool, which will be dropped as a duplicate of it.
    return {**_spooled(uids), **_stored(uids)}


def _stored(uids: Sequence[str]) -> dict[str, Kept]:
    found: dict[str, Kept] = {}
    for start in range(0, len(uids), AT_ONCE):
        rows = Instance.objects.filter(sop_instance_uid__in=uids[start : start + AT_ONCE])
        for row in rows.light().select_related("series__study"):
            study = row.series.study.study_instance_uid
            whole = _is_whole(row.file_name, row.size)
            found[row.sop_instance_uid] = Kept(row.sop_class_uid, study, whole)
    return found


def _is_whole(name: str, size: int) -> bool:
    try:
        kept = stored_files().size(name)
    except OSError as error:
        log.error("%s is not safe: %s", name, type(error).__name__)  # noqa: TRY400 - no trace
        return False
    if kept != size:
        log.error("%s is not safe: %d bytes long instead of %d", name, kept, size)
    return kept == size


def _spooled(uids: Sequence[str]) -> dict[str, Kept]:
    wanted, found = set(uids), {}
    for path in default_spool().waiting():
        try:
            header = dcmread(path, specific_tags=["StudyInstanceUID"], stop_before_pixels=True)
        except (FileNotFoundError, InvalidDicomError):
            continue  # indexed a moment ago, or nothing that could be asked for
        uid = str(header.file_meta.get("MediaStorageSOPInstanceUID", ""))
        if uid in wanted:
            sop_class = str(header.file_meta.get("MediaStorageSOPClassUID", ""))
            found[uid] = Kept(sop_class, str(header.get("StudyInstanceUID", "")))
    return found
