"""Which SOP classes are there to be kept (PS3.4 B.5 and GG.3)."""

from pynetdicom.presentation import (
    AllStoragePresentationContexts,
    NonPatientObjectPresentationContexts,
)

# Also hanging protocols, palettes, implant templates (PS3.4 annex GG): C-STORE all the same.
STORAGE = frozenset(
    str(context.abstract_syntax)
    for context in (*AllStoragePresentationContexts, *NonPatientObjectPresentationContexts)
)
# New and retired storage classes that the table does not know live below the same root.
STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
_STANDARD_ROOT = "1.2.840.10008."


def is_standard_storage(uid: str) -> bool:
    return uid in STORAGE or uid.startswith(STORAGE_ROOT)


def is_storable(uid: str) -> bool:
    """A storage class of the standard, or somebody's private class."""
    return is_standard_storage(uid) or not uid.startswith(_STANDARD_ROOT)
