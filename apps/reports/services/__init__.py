"""Verbs of reports: preparing, claiming, writing, pictures, signing."""

from apps.reports.services.claims import claim_report, release_report, take_over_report
from apps.reports.services.earlier import Earlier, earlier_of
from apps.reports.services.pictures import (
    ShownImage,
    add_picture,
    describe_picture,
    move_picture_up,
    open_report_for,
    remove_picture,
)
from apps.reports.services.preparing import (
    orders_to_read,
    prepare_report,
    template_text,
)
from apps.reports.services.refusals import (
    AlreadyFinal,
    ClaimedByAnother,
    EmptyReport,
    ForeignImage,
    NotAllowed,
    NotFinal,
    NothingToRead,
    OtherPatientShown,
    ReportRefused,
    StaleRevision,
    TooManyPictures,
)
from apps.reports.services.showing import check_shown
from apps.reports.services.signing import (
    add_addendum,
    note_viewing,
    patient_header,
    save_draft,
    sign_report,
)
from apps.reports.services.texts import ReportText, text_of

__all__ = [
    "AlreadyFinal",
    "ClaimedByAnother",
    "Earlier",
    "EmptyReport",
    "ForeignImage",
    "NotAllowed",
    "NotFinal",
    "NothingToRead",
    "OtherPatientShown",
    "ReportRefused",
    "ReportText",
    "ShownImage",
    "StaleRevision",
    "TooManyPictures",
    "add_addendum",
    "add_picture",
    "check_shown",
    "claim_report",
    "describe_picture",
    "earlier_of",
    "move_picture_up",
    "note_viewing",
    "open_report_for",
    "orders_to_read",
    "patient_header",
    "prepare_report",
    "release_report",
    "remove_picture",
    "save_draft",
    "sign_report",
    "take_over_report",
    "template_text",
    "text_of",
]
