"""Why a change to a patient is refused."""

from django.utils.translation import gettext as _

from apps.patients.models import Issuer, Patient


class PatientRefused(ValueError):
    """Base of every refusal in this room; its text may be shown to a person."""


class PatientInvalid(PatientRefused):
    """The details cannot be stored; `fields` maps a field name to its messages."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self.fields = fields
        told = (f"{name}: {' '.join(messages)}" for name, messages in fields.items())
        super().__init__("; ".join(told))


class PatientMerged(PatientRefused):
    """The patient was merged; the survivor is the one to change."""

    def __init__(self, patient: Patient) -> None:
        self.patient = patient
        super().__init__(_("This patient was merged into another; change that one."))


class NumberRefused(PatientRefused):
    """A number cannot be given."""


class IdentifierTaken(NumberRefused):
    """The number belongs to another patient."""

    def __init__(self, *, value: str, namespace: str) -> None:
        self.value, self.namespace = value, namespace
        super().__init__(
            _("Number %(value)s of %(namespace)s belongs to another patient.")
            % {"value": value, "namespace": namespace}
        )


class IssuerDoesNotMint(NumberRefused):
    """Somebody else gives out the numbers of this issuer."""

    def __init__(self, issuer: Issuer) -> None:
        super().__init__(_("%(issuer)s gives out its own numbers.") % {"issuer": issuer})
