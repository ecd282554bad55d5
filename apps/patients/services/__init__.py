"""What can be done with patients and their numbers."""

from apps.patients.services.duplicates import (
    Candidate,
    possible_duplicates,
    ranked_duplicates,
)
from apps.patients.services.numbers import (
    IdentifierDetails,
    add_identifier,
    issue_number,
    minting_issuer,
)
from apps.patients.services.refusals import (
    IdentifierTaken,
    IssuerDoesNotMint,
    NumberRefused,
    PatientInvalid,
    PatientMerged,
    PatientRefused,
)
from apps.patients.services.registration import (
    PatientDetails,
    find_patient,
    note_viewing,
    register_patient,
    update_patient,
)

__all__ = [
    "Candidate",
    "IdentifierDetails",
    "IdentifierTaken",
    "IssuerDoesNotMint",
    "NumberRefused",
    "PatientDetails",
    "PatientInvalid",
    "PatientMerged",
    "PatientRefused",
    "add_identifier",
    "find_patient",
    "issue_number",
    "minting_issuer",
    "note_viewing",
    "possible_duplicates",
    "ranked_duplicates",
    "register_patient",
    "update_patient",
]
