"""Who is told what happens to workitems (PS3.4 table CC.2.3-2)."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.audit.models import Kind
from apps.audit.services import Origin, record
from apps.dicom.keys import Key, make_key
from apps.workitems.models import Subscription, Workitem
from apps.workitems.services.events import tell_state
from apps.workitems.services.refusals import NotSubscribed

Scope = Subscription.Scope
MOST_TOLD = 10_000  # workitems whose state a new subscriber is told at once


def subscribe(
    workitem: Workitem, ae_title: str, *, deletion_lock: bool = False, origin: Origin
) -> Subscription:
    """Tell an AE title of one workitem, its present state first."""
    with transaction.atomic():
        row, _ = Subscription.objects.update_or_create(
            scope=Scope.ONE,
            workitem=workitem,
            ae_title=ae_title,
            defaults={"active": True, "deletion_lock": deletion_lock},
        )
        tell_state(workitem, to=[ae_title])
        _record(Kind.WORKITEM_SUBSCRIBED, row, origin)
    return row


def subscribe_to_all(ae_title: str, *, deletion_lock: bool = False, origin: Origin) -> Subscription:
    """Tell an AE title of every workitem that is or will be.

    With a deletion lock it is told the present state of all that are open (CC.2.4.3).
    """
    with transaction.atomic():
        row, _ = Subscription.objects.update_or_create(
            scope=Scope.ALL,
            ae_title=ae_title,
            defaults={"deletion_lock": deletion_lock, "suspended_at": None},
        )
        own = Subscription.objects.filter(scope=Scope.ONE, ae_title=ae_title)
        known = set(own.filter(active=True).values_list("workitem_id", flat=True))
        own.filter(active=False).delete()
        if deletion_lock:
            _tell_all(Workitem.objects.open().exclude(pk__in=known), ae_title)
        _record(Kind.WORKITEM_SUBSCRIBED, row, origin)
    return row


def subscribe_filtered(
    ae_title: str, keys: Sequence[Key], *, deletion_lock: bool = False, origin: Origin
) -> Subscription:
    """Tell an AE title of every workitem that fits, or will; raises BadKeyError.

    A workitem that has fitted once stays subscribed, whatever becomes of it.
    """
    fitting = Workitem.objects.open().matching(keys)
    said = [{"path": list(key.path), "values": list(key.values)} for key in keys]
    with transaction.atomic():
        row, _ = Subscription.objects.update_or_create(
            scope=Scope.FILTERED,
            ae_title=ae_title,
            defaults={"deletion_lock": deletion_lock, "suspended_at": None, "filter": said},
        )
        fresh = fitting.exclude(subscriptions__in=_own(ae_title))[:MOST_TOLD]
        chosen = list(fresh)
        _subscribe_to_each(chosen, row)
        if deletion_lock:
            _tell_all(chosen, ae_title)
        _record(Kind.WORKITEM_SUBSCRIBED, row, origin)
    return row


def subscribe_by_filter(workitem: Workitem) -> None:
    """A workitem was made or changed: subscribe those whose filter it fits."""
    for row in Subscription.objects.filter(scope=Scope.FILTERED, suspended_at=None):
        if Workitem.objects.filter(pk=workitem.pk).matching(filter_keys(row)).exists():
            _subscribe_to_each([workitem], row)


def unsubscribe(workitem: Workitem, ae_title: str, *, origin: Origin) -> None:
    """Tell an AE title no more of one workitem; raises NotSubscribed."""
    with transaction.atomic():
        everywhere = Subscription.objects.filter(scope=Scope.ALL, ae_title=ae_title).exists()
        row = _own(ae_title).filter(workitem=workitem, active=True).first()
        if row is None and not everywhere:
            raise NotSubscribed
        row = row or Subscription(scope=Scope.ONE, workitem=workitem, ae_title=ae_title)
        row.active, row.deletion_lock = False, False
        row.save()
        _record(Kind.WORKITEM_UNSUBSCRIBED, row, origin)


def unsubscribe_from_all(ae_title: str, *, scope: str, origin: Origin) -> None:
    """Tell an AE title nothing any more, neither of all nor of single ones."""
    with transaction.atomic():
        row = _of_worklist(ae_title, scope)
        _record(Kind.WORKITEM_UNSUBSCRIBED, row, origin)
        Subscription.objects.filter(ae_title=ae_title).delete()


def suspend(ae_title: str, *, scope: str, origin: Origin) -> None:
    """Subscribe an AE title to no new workitems; it is still told of those that there are."""
    with transaction.atomic():
        row = _of_worklist(ae_title, scope)
        row.suspended_at = row.suspended_at or timezone.now()
        row.save()
        _record(Kind.WORKITEM_UNSUBSCRIBED, row, origin)


def filter_keys(row: Subscription) -> list[Key]:
    return [make_key(one["path"], one["values"]) for one in row.filter]


def _own(ae_title: str) -> Any:
    return Subscription.objects.filter(scope=Scope.ONE, ae_title=ae_title)


def _of_worklist(ae_title: str, scope: str) -> Subscription:
    rows = Subscription.objects.select_for_update()
    row = rows.filter(scope=scope, ae_title=ae_title).first()
    if row is None:
        raise NotSubscribed
    return row


def _subscribe_to_each(workitems: Iterable[Workitem], by: Subscription) -> None:
    Subscription.objects.bulk_create(
        (
            Subscription(
                scope=Scope.ONE,
                workitem=workitem,
                ae_title=by.ae_title,
                deletion_lock=by.deletion_lock,
            )
            for workitem in workitems
        ),
        ignore_conflicts=True,
        batch_size=500,
    )


def _tell_all(workitems: Any, ae_title: str) -> None:
    for workitem in workitems[:MOST_TOLD]:
        tell_state(workitem, to=[ae_title])


def _record(kind: Kind, row: Subscription, origin: Origin) -> None:
    details = {"ae_title": row.ae_title, "scope": row.scope}
    if row.workitem is not None:
        details["workitem"] = row.workitem.sop_instance_uid
    record(kind, row, origin=origin, details=details)
