"""Who may do what: the only place where rights are decided.

`can(user, action, thing)` answers for one object, a model or a noun; `visible(user, Model)`
gives the rows of a model a user may see. A model joins by naming its noun (`policy_noun`)
and, where a role sees only its own rows, by a queryset method `owned_by(user)`. Who came in
with a token for one study sees that one (`of_study(uid)`) and may do nothing else.
"""

from typing import Any, TypeVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Role, User

M = TypeVar("M", bound=models.Model)


class Action(models.TextChoices):
    VIEW = "view", _("View")
    CREATE = "create", _("Create")
    CHANGE = "change", _("Change")
    SIGN = "sign", _("Sign")
    EXPORT = "export", _("Export")
    DELETE = "delete", _("Delete")


class Noun(models.TextChoices):
    PATIENT = "patient", _("Patient")
    ORDER = "order", _("Order")
    APPOINTMENT = "appointment", _("Appointment")
    STEP = "step", _("Procedure step")
    WORKITEM = "workitem", _("Work item")
    STUDY = "study", _("Study")
    STUDY_FILTER = "study-filter", _("Shared search of studies")
    REPORT = "report", _("Report")
    TEMPLATE = "template", _("Report template")
    JOURNAL = "journal", _("Journal")
    DEVICE = "device", _("Device")
    CATALOGUE = "catalogue", _("Procedure catalogue")
    PARTNER = "partner", _("HL7 partner")
    INGEST = "ingest", _("Ingest queue")
    TRANSFER = "transfer", _("Transfer")
    EXPORT = "export", _("Export")
    USER = "user", _("User")


# Rows of the clinical record: made and changed by services only, deleted by nobody.
CLINICAL = frozenset(
    {
        Noun.PATIENT,
        Noun.ORDER,
        Noun.APPOINTMENT,
        Noun.STEP,
        Noun.WORKITEM,
        Noun.STUDY,
        Noun.REPORT,
        Noun.JOURNAL,
    }
)

# One letter per action: View Create changE Sign eXport Delete; "o" first: own rows only.
_LETTERS = {
    "V": Action.VIEW,
    "C": Action.CREATE,
    "E": Action.CHANGE,
    "S": Action.SIGN,
    "X": Action.EXPORT,
    "D": Action.DELETE,
}
_TABLE: dict[Role, dict[Noun, str]] = {
    Role.FRONT_DESK: {
        Noun.PATIENT: "VCE",
        Noun.ORDER: "VCE",
        Noun.APPOINTMENT: "VCED",
        Noun.STEP: "V",
        Noun.WORKITEM: "V",
        Noun.CATALOGUE: "V",
    },
    Role.TECHNOLOGIST: {
        Noun.PATIENT: "VE",
        Noun.ORDER: "VE",
        Noun.APPOINTMENT: "VE",  # in a small clinic the technologist receives the patient
        Noun.STEP: "VCE",
        Noun.WORKITEM: "VCE",
        Noun.STUDY: "VCE",
        Noun.CATALOGUE: "V",
        Noun.TRANSFER: "V",
    },
    Role.RADIOLOGIST: {
        Noun.PATIENT: "V",
        Noun.ORDER: "VE",
        Noun.APPOINTMENT: "V",
        Noun.STEP: "V",
        Noun.WORKITEM: "VCE",
        Noun.STUDY: "VCX",  # measurements and segmentations made while reading
        Noun.REPORT: "VCES",
        Noun.TEMPLATE: "VCE",
        Noun.CATALOGUE: "V",
        Noun.TRANSFER: "V",
        Noun.EXPORT: "oVCED",
    },
    Role.RESIDENT: {
        Noun.PATIENT: "V",
        Noun.ORDER: "V",
        Noun.APPOINTMENT: "V",
        Noun.STEP: "V",
        Noun.WORKITEM: "VCE",
        Noun.STUDY: "VC",
        Noun.REPORT: "VCE",
        Noun.TEMPLATE: "VCE",
        Noun.CATALOGUE: "V",
    },
    Role.REFERRER: {
        Noun.PATIENT: "oV",
        Noun.ORDER: "oVC",
        Noun.APPOINTMENT: "oV",
        Noun.STUDY: "oV",
        Noun.REPORT: "oV",
    },
    Role.PACS_ADMINISTRATOR: {
        Noun.PATIENT: "VE",
        Noun.ORDER: "VE",
        Noun.APPOINTMENT: "V",
        Noun.STEP: "VE",
        Noun.WORKITEM: "VCE",
        Noun.STUDY: "VCEXD",
        Noun.STUDY_FILTER: "VCED",
        Noun.REPORT: "V",
        Noun.TEMPLATE: "VCED",
        Noun.JOURNAL: "V",
        Noun.DEVICE: "VCED",
        Noun.CATALOGUE: "VCED",
        Noun.PARTNER: "VCED",
        Noun.INGEST: "VED",
        Noun.TRANSFER: "VCED",
        Noun.EXPORT: "VCEXD",  # X: which code stands for whom in an anonymised export
    },
    Role.SYSTEM_ADMINISTRATOR: {
        Noun.TEMPLATE: "VCED",
        Noun.JOURNAL: "V",
        Noun.DEVICE: "VCED",
        Noun.CATALOGUE: "VCED",
        Noun.PARTNER: "VCED",
        Noun.INGEST: "VED",
        Noun.TRANSFER: "V",
        Noun.USER: "VCED",
    },
    Role.AUDITOR: {
        Noun.PATIENT: "V",
        Noun.ORDER: "V",
        Noun.APPOINTMENT: "V",
        Noun.STEP: "V",
        Noun.WORKITEM: "V",
        Noun.TEMPLATE: "V",
        Noun.JOURNAL: "VX",
        Noun.DEVICE: "V",
        Noun.CATALOGUE: "V",
        Noun.PARTNER: "V",
        Noun.INGEST: "V",
        Noun.TRANSFER: "V",
        Noun.USER: "V",
    },
}


def noun_of(thing: Any) -> Noun:
    """The noun of a model class, an instance or a noun; raises where none is declared."""
    return thing if isinstance(thing, Noun) else Noun(thing.policy_noun)


def can(user: Any, action: Action, thing: Any) -> bool:
    """May `user` do `action` to `thing` (a noun, a model class or one object)?

    For one object of a role that sees only its own, the object must be among
    `visible(user, type(thing))`.
    """
    scopes = _scopes(user, action, noun_of(thing))
    if scopes and user.only_study:
        return not isinstance(thing, models.Model) or _is_visible(user, thing)
    if "all" in scopes:
        return True
    if "own" not in scopes:
        return False
    if not isinstance(thing, models.Model):
        return True
    return bool(_owned(type(thing), user).filter(pk=thing.pk).exists())


def sees_all(user: Any, thing: Any) -> bool:
    """Are all rows of a model visible to `user`?"""
    scopes = _scopes(user, Action.VIEW, noun_of(thing))
    return "all" in scopes and not user.only_study


def visible(user: Any, model: type[M]) -> models.QuerySet[M]:
    """The rows of `model` that `user` may see."""
    return visible_of(user, model._default_manager.all())


def visible_of(user: Any, rows: models.QuerySet[M]) -> models.QuerySet[M]:
    """Those of some rows that `user` may see."""
    if getattr(user, "only_study", ""):
        return _narrowed(user, rows)
    return _visible_by_role(user, rows)


def _narrowed(user: User, rows: models.QuerySet[M]) -> models.QuerySet[M]:
    """For who came in with a token for one study: no more than that, nor than their roles show."""
    of_study: Any = getattr(_visible_by_role(user, rows), "of_study", None)
    narrowed: models.QuerySet[M] = of_study(user.only_study) if of_study else rows.none()
    return narrowed


def _is_visible(user: User, row: models.Model) -> bool:
    return visible(user, type(row)).filter(pk=row.pk).exists()


def _visible_by_role(user: Any, rows: models.QuerySet[M]) -> models.QuerySet[M]:
    if "all" in _scopes(user, Action.VIEW, noun_of(rows.model)):
        return rows
    owned_by: Any = getattr(rows, "owned_by", None)
    if owned_by and "own" in _scopes(user, Action.VIEW, noun_of(rows.model)):
        owned: models.QuerySet[M] = owned_by(user)
        return owned
    return rows.none()


def rights_of(role: Role) -> list[str]:
    """What a role may do, a line per noun: `Patient: view, change`; for showing, not deciding."""
    lines = []
    for noun, entry in _TABLE[role].items():
        words = ", ".join(str(act.label).lower() for act in _granted(entry))
        own = _(" (own only)") if entry.startswith("o") else ""
        lines.append(f"{noun.label}: {words}{own}")
    return lines


def _granted(entry: str) -> list[Action]:
    return [action for letter, action in _LETTERS.items() if letter in entry]


def _owned(model: type[models.Model], user: User) -> Any:
    owned_by = getattr(model._default_manager.all(), "owned_by", None)
    return owned_by(user) if owned_by else model._default_manager.none()


def _scopes(user: Any, action: Action, noun: Noun) -> set[str]:
    if not isinstance(user, User) or not user.is_active:
        return set()
    if user.only_study and (action, noun) != (Action.VIEW, Noun.STUDY):
        return set()
    letters = [_TABLE[role].get(noun, "") for role in user.roles]
    wanted = next(letter for letter, act in _LETTERS.items() if act is action)
    return {"own" if entry.startswith("o") else "all" for entry in letters if wanted in entry}
