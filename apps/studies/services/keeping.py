"""Which objects are safe here: stored whole, or durable in the spool."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from apps.studies.models import Instance
from apps.studies.spool import default_spool
from apps.studies.storage import StorageAwayError, stored_files

log = logging.getLogger(__name__)
AT_ONCE = 500
CHUNK = 4 << 20  # bytes read at once
Check = Callable[[Instance], bool]


@dataclass(frozen=True)
class Kept:
    """An object that is known here; `whole` is False where its file is missing or damaged."""

    sop_class_uid: str
    study_instance_uid: str
    whole: bool = True


def is_complete(row: Instance) -> bool:
    """Is the file of an instance there, and as long as it was? Does not read it.

    Raises StorageAwayError where nobody can tell now.
    """
    try:
        kept = stored_files().size(row.file_name)
    except StorageAwayError:
        raise
    except OSError as error:
        log.error("%s is not safe: %s", row.file_name, type(error).__name__)  # noqa: TRY400 - no trace
        return False
    if kept != row.size:
        log.error("%s is not safe: %d bytes long instead of %d", row.file_name, kept, row.size)
    return kept == row.size


def is_unaltered(row: Instance) -> bool:
    """Read the whole file of an instance: has it the bytes that were stored?

    Raises StorageAwayError where nobody can tell now.
    """
    if not is_complete(row):
        return False
    digest = hashlib.sha256()
    try:
        for offset in range(0, row.size, CHUNK):
            piece = stored_files().read(row.file_name, offset, min(CHUNK, row.size - offset))
            digest.update(piece)
    except StorageAwayError:
        raise
    except OSError as error:
        log.error("%s cannot be read: %s", row.file_name, type(error).__name__)  # noqa: TRY400 - no trace
        return False
    if digest.hexdigest() != row.sha256:
        log.error("%s is not safe: its bytes have changed", row.file_name)
    return digest.hexdigest() == row.sha256


def kept_instances(uids: Sequence[str], *, check: Check = is_complete) -> dict[str, Kept]:
    """Those of these SOP Instance UIDs that are known, each with a look at its file.

    `check` is how closely to look: `is_complete`, or `is_unaltered`, which reads every byte.
    """
    found = _stored(uids, check)
    missing = [uid for uid in uids if uid not in found]
    if not missing:
        return found
    spooled = _spooled(missing)
    # A file leaves the spool when its row is there: between the two looks, for example.
    between = _stored([uid for uid in missing if uid not in spooled], check)
    return {**found, **spooled, **between}


def _stored(uids: Sequence[str], check: Check) -> dict[str, Kept]:
    found: dict[str, Kept] = {}
    for start in range(0, len(uids), AT_ONCE):
        rows = Instance.everything.filter(sop_instance_uid__in=uids[start : start + AT_ONCE])
        for row in rows.light().select_related("series__study"):
            study = row.series.study.study_instance_uid
            found[row.sop_instance_uid] = Kept(row.sop_class_uid, study, check(row))
    return found


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
