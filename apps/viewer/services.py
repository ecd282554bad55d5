"""Keeping layouts and habits of the viewer."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.policy import Action, Noun, can
from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.orders.models import Procedure
from apps.viewer.models import HangingProtocol, ViewerPreference

ATTEMPTS = 3  # at keeping a layout while others keep theirs


def may_share(user: Any) -> bool:
    """May this person keep and remove layouts for everybody?"""
    return can(user, Action.DELETE, Noun.TEMPLATE)


def may_change(user: User, row: HangingProtocol) -> bool:
    """One's own; everybody's by those who look after them; nobody else's."""
    return row.owner_id == user.pk or (row.owner_id is None and may_share(user))


def save_layout(
    owner: User | None,
    *,
    name: str,
    layout: dict[str, Any],
    modality: str = "",
    body_part: str = "",
    procedure: Procedure | None = None,
    is_default: bool = True,
    origin: Origin,
) -> HangingProtocol:
    """Keep a layout of one person, or (None) everybody's; whether one may, the door has asked.

    A layout of the same owner and name is replaced. As the default of its kind it takes the
    place of the former one, which stays in the list. Raises ValidationError where others keep
    defaults of this kind again and again at the same moment.
    """
    kind = {"modality": modality, "body_part": body_part.upper(), "procedure": procedure}
    wanted = {**kind, "layout": layout, "is_default": is_default, "active": True}
    for _attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                if is_default:
                    _set_aside(owner, but=name, **kind)
                row, _made = HangingProtocol.objects.update_or_create(
                    owner=owner, name=name, defaults=wanted
                )
                details = {"everybody": owner is None}
                record(Kind.LAYOUT_SAVED, row, origin=origin, details=details)
        except IntegrityError:
            continue  # somebody was faster: what was kept meanwhile is set aside now
        return row
    raise ValidationError(_("Somebody else keeps such a layout right now. Please try again."))


def _set_aside(owner: User | None, *, but: str, **kind: Any) -> None:
    """Let the layout that such studies open with make room for that of another name."""
    former = HangingProtocol.objects.filter(owner=owner, is_default=True, **kind)
    former.exclude(name=but).update(is_default=False)


def remove_layout(row: HangingProtocol, *, origin: Origin) -> None:
    """Forget a layout; whether one may, the door has asked."""
    with transaction.atomic():
        everybody = row.owner_id is None
        record(Kind.LAYOUT_REMOVED, row, origin=origin, details={"everybody": everybody})
        row.delete()


def keep_preferences(user: User, changes: dict[str, Any], *, origin: Origin) -> ViewerPreference:
    """Keep the parts of a person's habits that are given; the others stay as they are."""
    with transaction.atomic():
        row, _made = ViewerPreference.objects.select_for_update().get_or_create(user=user)
        row.habits = {**row.habits, **changes}
        row.save(update_fields=["habits", "updated_at"])
        record(Kind.PREFERENCES_KEPT, row, origin=origin, details={"parts": sorted(changes)})
    return row


def habits_of(user: Any) -> dict[str, Any]:
    """The habits of a person; of somebody new, none."""
    row = ViewerPreference.objects.filter(user=user).first()
    kept = row.habits if row else {}
    return {"stored": kept.get("stored", {}), "windows": kept.get("windows", [])}
