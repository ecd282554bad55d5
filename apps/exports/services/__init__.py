"""The verbs of the exports room."""

from apps.exports.services.asking import (
    ask_for_export,
    decide,
    delete_export,
    expire_exports,
    make_profile,
    note_archive,
    note_codes_seen,
    note_download,
    release_export,
)
from apps.exports.services.refusals import ExportRefused, NoRoom

__all__ = [
    "ExportRefused",
    "NoRoom",
    "ask_for_export",
    "decide",
    "delete_export",
    "expire_exports",
    "make_profile",
    "note_archive",
    "note_codes_seen",
    "note_download",
    "release_export",
]
