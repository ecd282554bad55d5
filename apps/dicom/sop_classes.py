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


# Made of other objects by people and programs: reports, key objects, presentation states,
# registrations, segmentations, real world values, structure sets, parametric maps.
_DERIVED = tuple(
    f"{STORAGE_ROOT}{end}" for end in ("11.", "30", "66.", "67", "88.", "90.", "481.3")
)
# What they call themselves.
DERIVED_MODALITIES = frozenset(
    {"ASMT", "FID", "KO", "M3D", "PLAN", "PR", "REG", "RTSTRUCT", "RWV", "SEG", "SR"}
)


def is_derived(uid: str) -> bool:
    """Does an object of this class speak of other objects, rather than show a patient?"""
    return uid.startswith(_DERIVED)
