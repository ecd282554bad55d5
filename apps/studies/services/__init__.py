"""The verbs of the studies room."""

from apps.studies.services.arriving import coerces, forget_rules
from apps.studies.services.coercing import COERCIBLE, follow_patient
from apps.studies.services.comparing import Compared, compared
from apps.studies.services.correcting import (
    NotCorrectableError,
    Scope,
    UndoneAlreadyError,
    correct_study,
    correctable,
    undo_correction,
)
from apps.studies.services.keeping import Kept, is_complete, is_unaltered, kept_instances
from apps.studies.services.matching import (
    correct_by_hand,
    match_automatically,
    match_study,
    unmatch_study,
)
from apps.studies.services.outgoing import (
    Outgoing,
    corrected_header,
    header_json,
    outgoing,
    outgoing_file,
)
from apps.studies.services.queueing import NotFailedError, discard_file, retry_file
from apps.studies.services.reindexing import Rebuilt, Verified, rebuild_index, verify_files
from apps.studies.services.settling import settle_study
from apps.studies.services.settling_conflicts import (
    NotStorableError,
    SettledAlreadyError,
    drop_newcomer,
    store_newcomer,
)
from apps.studies.services.sidecars import read_sidecar, restore_corrections, write_sidecar
from apps.studies.services.storing import Outcome, Stored, store_instances
from apps.studies.services.viewing import note_viewing

__all__ = [
    "COERCIBLE",
    "Compared",
    "Kept",
    "NotCorrectableError",
    "NotFailedError",
    "NotStorableError",
    "Outcome",
    "Outgoing",
    "Rebuilt",
    "Scope",
    "SettledAlreadyError",
    "Stored",
    "UndoneAlreadyError",
    "Verified",
    "coerces",
    "compared",
    "correct_by_hand",
    "correct_study",
    "correctable",
    "corrected_header",
    "discard_file",
    "drop_newcomer",
    "follow_patient",
    "forget_rules",
    "header_json",
    "is_complete",
    "is_unaltered",
    "kept_instances",
    "match_automatically",
    "match_study",
    "note_viewing",
    "outgoing",
    "outgoing_file",
    "read_sidecar",
    "rebuild_index",
    "restore_corrections",
    "retry_file",
    "settle_study",
    "store_instances",
    "store_newcomer",
    "undo_correction",
    "unmatch_study",
    "verify_files",
    "write_sidecar",
]
