"""A worker's hold on a row: taken for a time, renewed while it lives, lost when it does not."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db import IntegrityError, models, transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

TRIES = 20  # others may be faster
ATTEMPTS = 3  # what kills its worker is not tried for ever


class Leased(models.Model):
    """A row that one worker at a time works at.

    A worker that takes it writes `lease_until` and a new `token`: when the lease is over the
    worker is dead and the next may take it, and whoever comes back with an old token has
    lost it.
    """

    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    token = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True


R = TypeVar("R", bound=Leased)


def held_has_lease(*, name: str, message: Any, **held: str) -> models.CheckConstraint:
    """What is worked at is leased to a worker: `held_has_lease(status="running", ...)`."""
    return models.CheckConstraint(
        condition=~models.Q(**held) | models.Q(lease_until__isnull=False),
        name=name,
        violation_error_message=message,
    )


class ClaimLost(Exception):
    """Another worker has the row now, or a person took it out of the queue."""


@dataclass(frozen=True)
class Claim(Generic[R]):
    """A row that this worker alone works at while its lease is renewed."""

    row: R
    token: int


@dataclass(frozen=True)
class Lease(Generic[R]):
    """How rows of a model are taken: `field` is `waiting` before and `held` meanwhile.

    `lasts`: after so long without being renewed the row is of a dead worker.
    """

    model: type[R]
    field: str
    waiting: str
    held: str
    lasts: datetime.timedelta

    def take_next(self, due: Callable[[], "QuerySet[R]"], **values: Any) -> Claim[R] | None:
        """Take the first of the rows that are due, writing `values`; None where there is none."""
        for _number in range(TRIES):
            row = due().first()
            if row is None:
                return None
            if claim := self._take(row, values):
                return claim
        return None

    def renew(self, claim: Claim[R], **values: Any) -> None:
        """Say that we are alive, and `values`; raises ClaimLost where we are taken for dead."""
        if not self._held(claim).update(lease_until=self.until(), **values):
            raise ClaimLost

    def locked(self, claim: Claim[R]) -> R:
        """The row, for the caller's transaction. Raises ClaimLost."""
        row = self._held(claim).select_for_update().first()
        if row is None:
            raise ClaimLost
        return row

    def put_back_from_dead(self, give_up: Callable[[R, str], None]) -> None:
        """Put the rows of dead workers back into the queue.

        What was taken ATTEMPTS times is given up: `give_up` gets why, in words for a person.
        """

        def put_back(row: R) -> None:
            if row.attempts >= ATTEMPTS:
                give_up(row, gettext("It was cut off again and again."))
            else:
                setattr(row, self.field, self.waiting)
                row.save()

        self.take_from_dead(put_back)

    def take_from_dead(self, put_back: Callable[[R], None]) -> None:
        """Take the rows of dead workers from them; `put_back` says what becomes of each."""
        for found in self._over():
            with transaction.atomic():
                rows = self._over().filter(pk=found.pk, token=found.token)
                row = rows.select_for_update().first()
                if row is None:  # another worker was faster
                    continue
                row.token += 1
                row.lease_until = None
                put_back(row)

    def until(self) -> datetime.datetime:
        return timezone.now() + self.lasts

    def _take(self, row: R, values: dict[str, Any]) -> Claim[R] | None:
        """None where another worker was faster, with this row or with what it needs alone."""
        waiting = self._rows().filter(pk=row.pk, token=row.token, **{self.field: self.waiting})
        held = {self.field: self.held, "lease_until": self.until(), **values}
        try:
            with transaction.atomic():
                taken = waiting.update(token=F("token") + 1, attempts=F("attempts") + 1, **held)
        except IntegrityError:
            return None
        return Claim(row, row.token + 1) if taken else None

    def _held(self, claim: Claim[R]) -> "QuerySet[R]":
        held = {self.field: self.held}
        return self._rows().filter(pk=claim.row.pk, token=claim.token, **held)

    def _over(self) -> "QuerySet[R]":
        return self._rows().filter(lease_until__lte=timezone.now(), **{self.field: self.held})

    def _rows(self) -> "QuerySet[R]":
        return self.model._default_manager.all()
