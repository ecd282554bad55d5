"""Reading orders and the catalogue."""

from typing import TYPE_CHECKING, Self

from django.db import models

from apps.accounts.models import User

if TYPE_CHECKING:
    from apps.orders.models import Order, Procedure


class ProcedureQuerySet(models.QuerySet["Procedure"]):
    def orderable(self) -> Self:
        return self.filter(active=True)


class OrderQuerySet(models.QuerySet["Order"]):
    def owned_by(self, user: User) -> Self:
        """Orders a referrer has placed."""
        return self.filter(referrer__user=user)

    def open(self) -> Self:
        """Orders that still wait for something of ours."""
        return self.exclude(status__in=["reported", "cancelled", "discontinued"])
