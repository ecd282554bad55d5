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
from apps.studies.services.filters import NameTakenError, choose_filter, remove_filter, save_filter
from apps.studies.services.identity import Identity, identity_of, identity_of_study
from apps.studies.services.keeping import Kept, is_complete, is_unaltered, kept_instances
from apps.studies.services.labelling import (
    UnusableLabelError,
    label_name,
    label_study,
    unlabel_study,
)
from apps.studies.services.listing import Page, list_studies, new_studies, newest_study
from apps.studies.services.marking import (
    KeyImage,
    NotKeptError,
    TooManyMarksError,
    UnknownImageError,
    change_key_images,
    key_images,
)
from apps.studies.services.matching import (
    correct_by_hand,
    match_automatically,
    match_study,
    unmatch_study,
)
from apps.studies.services.narrowing import Wanted
from apps.studies.services.outgoing import (
    Outgoing,
    corrected_header,
    header_json,
    outgoing,
    outgoing_file,
)
from apps.studies.services.priors import Prior, priors_of_patient, relevant_priors, with_parts
from apps.studies.services.queueing import (
    NotFailedError,
    QueuedFile,
    discard_file,
    queued_file,
    retry_file,
)
from apps.studies.services.regularising import NotRegularisable, ask_for_regular
from apps.studies.services.regularity import finding_of, words_of
from apps.studies.services.reindexing import Rebuilt, Verified, rebuild_index, verify_files
from apps.studies.services.rejecting import (
    RejectedAlreadyError,
    RestoredAlreadyError,
    Target,
    UnknownReasonError,
    reject,
    restore,
)
from apps.studies.services.same_patient import not_of, of_patient_of
from apps.studies.services.settling import settle_study
from apps.studies.services.settling_conflicts import (
    NotStorableError,
    SettledAlreadyError,
    drop_newcomer,
    store_newcomer,
)
from apps.studies.services.sidecars import read_sidecar, restore_corrections, write_sidecar
from apps.studies.services.storing import Demands, Outcome, Stored, store_instances
from apps.studies.services.tags import Attribute, Tree, header_tree
from apps.studies.services.taking_in import take_in
from apps.studies.services.uploading import (
    BusyUploadError,
    TooMuchError,
    WrongOffsetError,
    append,
    begin_upload,
    drop_old_uploads,
    drop_upload,
)
from apps.studies.services.viewing import note_prefetching, note_taking, note_viewing

__all__ = [
    "COERCIBLE",
    "Attribute",
    "BusyUploadError",
    "Compared",
    "Demands",
    "Identity",
    "Kept",
    "KeyImage",
    "NameTakenError",
    "NotCorrectableError",
    "NotFailedError",
    "NotKeptError",
    "NotRegularisable",
    "NotStorableError",
    "Outcome",
    "Outgoing",
    "Page",
    "Prior",
    "QueuedFile",
    "Rebuilt",
    "RejectedAlreadyError",
    "RestoredAlreadyError",
    "Scope",
    "SettledAlreadyError",
    "Stored",
    "Target",
    "TooManyMarksError",
    "TooMuchError",
    "Tree",
    "UndoneAlreadyError",
    "UnknownImageError",
    "UnknownReasonError",
    "UnusableLabelError",
    "Verified",
    "Wanted",
    "WrongOffsetError",
    "append",
    "ask_for_regular",
    "begin_upload",
    "change_key_images",
    "choose_filter",
    "coerces",
    "compared",
    "correct_by_hand",
    "correct_study",
    "correctable",
    "corrected_header",
    "discard_file",
    "drop_newcomer",
    "drop_old_uploads",
    "drop_upload",
    "finding_of",
    "follow_patient",
    "forget_rules",
    "header_json",
    "header_tree",
    "identity_of",
    "identity_of_study",
    "is_complete",
    "is_unaltered",
    "kept_instances",
    "key_images",
    "label_name",
    "label_study",
    "list_studies",
    "match_automatically",
    "match_study",
    "new_studies",
    "newest_study",
    "not_of",
    "note_prefetching",
    "note_taking",
    "note_viewing",
    "of_patient_of",
    "outgoing",
    "outgoing_file",
    "priors_of_patient",
    "queued_file",
    "read_sidecar",
    "rebuild_index",
    "reject",
    "relevant_priors",
    "remove_filter",
    "restore",
    "restore_corrections",
    "retry_file",
    "save_filter",
    "settle_study",
    "store_instances",
    "store_newcomer",
    "take_in",
    "undo_correction",
    "unlabel_study",
    "unmatch_study",
    "verify_files",
    "with_parts",
    "words_of",
    "write_sidecar",
]
