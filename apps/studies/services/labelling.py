"""Hanging labels on studies and taking them off."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.studies.models import Label, Study, StudyLabel
from apps.studies.services.recording import record_of_study

NAME_LENGTH = Label._meta.get_field("name").max_length or 0


class UnusableLabelError(ValueError):
    """The text is no name of a label; the message says why."""

    empty = _("A label needs a name.")
    long = _("A label has at most %(length)d characters.")
    strange = _("A label holds no slash and no control characters.")


def label_study(study: Study, *, name: str, origin: Origin) -> Label:
    """Hang a label on a study; one of that name is made if there is none.

    Nothing happens where the study bears it already. Raises UnusableLabelError.
    """
    name = label_name(name)
    with transaction.atomic():
        row = _locked(study)
        label, _made = Label.objects.get_or_create(
            name__iexact=name, defaults={"name": name, "colour": Label.usual_colour(name)}
        )
        _labelling, hung = StudyLabel.objects.get_or_create(
            study=row, label=label, defaults={"user": origin.user}
        )
        if hung:
            _journal(Kind.STUDY_LABELLED, row, label, origin=origin)
    return label


def unlabel_study(study: Study, *, name: str, origin: Origin) -> bool:
    """Take a label off a study; False where it did not bear it."""
    with transaction.atomic():
        row = _locked(study)
        found = row.labellings.filter(label__name__iexact=name.strip()).select_related("label")
        labelling = found.first()
        if labelling is None:
            return False
        labelling.delete()
        _journal(Kind.STUDY_UNLABELLED, row, labelling.label, origin=origin)
    return True


def label_name(text: str) -> str:
    """The name as it is kept: without spaces at its ends. Raises UnusableLabelError."""
    name = " ".join(text.split())
    if not name:
        raise UnusableLabelError(UnusableLabelError.empty)
    if len(name) > NAME_LENGTH:
        raise UnusableLabelError(UnusableLabelError.long % {"length": NAME_LENGTH})
    if "/" in name or not name.isprintable():
        raise UnusableLabelError(UnusableLabelError.strange)
    return name


def written_labels(study_instance_uid: str) -> list[dict[str, str]]:
    """The labels of a study as they are written down beside the files."""
    rows = StudyLabel.objects.filter(study__study_instance_uid=study_instance_uid)
    return [
        {
            "name": row.label.name,
            "colour": row.label.colour,
            "user": row.user.username if row.user else "",
            "at": row.at.isoformat(),
        }
        for row in rows.select_related("label", "user")
    ]


def restore_labels(study: Study, entries: Iterable[dict[str, str]]) -> int:
    """Hang the labels of a rebuilt study again that were written down; how many were missing."""
    restored = 0
    for entry in entries:
        with transaction.atomic():
            label, _made = Label.objects.get_or_create(
                name__iexact=entry["name"],
                defaults={"name": entry["name"], "colour": entry["colour"]},
            )
            user = User.objects.filter(username=entry["user"]).first()
            row, hung = StudyLabel.objects.get_or_create(
                study=study, label=label, defaults={"user": user}
            )
            if hung:
                at = datetime.fromisoformat(entry["at"])
                StudyLabel.objects.filter(pk=row.pk).update(at=at)
        restored += hung
    return restored


def _locked(study: Study) -> Study:
    return Study.objects.select_for_update().get(pk=study.pk)


def _journal(kind: Kind, study: Study, label: Label, *, origin: Origin) -> None:
    """By its key: people write names of patients into all sorts of words."""
    record_of_study(
        kind,
        study,
        origin=origin,
        details={"label": label.pk},
    )
