"""Keeping searches of the list of studies under a name."""

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.studies.models import DefaultFilter, SavedFilter


class NameTakenError(ValueError):
    """The person has a search of this name already."""

    message = _("You have a search of this name already.")


def save_filter(owner: User, *, name: str, query: str, shared: bool, origin: Origin) -> SavedFilter:
    """Keep a search; whether its owner may share it, the door has asked. NameTakenError."""
    row = SavedFilter(owner=owner, name=name, query=query, shared=shared)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            record(Kind.FILTER_SAVED, row, origin=origin, details={"shared": shared})
    except IntegrityError as error:
        raise NameTakenError(NameTakenError.message) from error
    return row


def remove_filter(row: SavedFilter, *, origin: Origin) -> None:
    """Forget a search; those who begin with it begin with all studies again."""
    with transaction.atomic():
        record(Kind.FILTER_REMOVED, row, origin=origin, details={"shared": row.shared})
        row.delete()


def choose_filter(user: User, row: SavedFilter | None, *, origin: Origin) -> None:
    """Begin the list of a person with this search from now on, or (None) with all studies."""
    with transaction.atomic():
        if row is None:
            DefaultFilter.objects.filter(user=user).delete()
        else:
            DefaultFilter.objects.update_or_create(user=user, defaults={"filter": row})
        record(Kind.FILTER_CHOSEN, row, origin=origin)
