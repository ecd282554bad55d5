"""Reading messages."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.utils import timezone

if TYPE_CHECKING:
    from apps.hl7.models import Message, Partner


class PartnerQuerySet(models.QuerySet["Partner"]):
    def calling(self, application: str, facility: str, address: str) -> "Partner | None":
        """The partner that calls itself so (MSH-3, MSH-4) from there; a stranger is None.

        A partner without a facility stands for every facility of its application.
        """
        found = self.filter(active=True, application=application)
        found = found.filter(facility__in={facility, ""}).order_by("-facility")
        allowed = (one for one in found if one.address in ("", address))
        return next(allowed, None)

    def receiving_results(self) -> Self:
        return self.filter(active=True, receives_results=True)


class MessageQuerySet(models.QuerySet["Message"]):
    def due(self) -> Self:
        """Messages to be sent now, oldest first.

        A message waits for those before it in its stream to the same partner, so that a
        correction never overtakes what it corrects; what was given up holds up nothing.
        While a partner is being sent something, or has just not answered, all its messages
        wait: they would fail too, one after the other, and use up their attempts.
        """
        now = timezone.now()
        of_partner = self.model._default_manager.filter(
            status="waiting", direction="out", partner=models.OuterRef("partner")
        )
        before = of_partner.filter(
            stream=models.OuterRef("stream"), pk__lt=models.OuterRef("pk")
        ).exclude(stream="")
        unanswered = of_partner.filter(
            attempts__gt=0, next_attempt_at__gt=now, acknowledgement__isnull=True
        )
        waiting = self.filter(
            status="waiting", next_attempt_at__lte=now, partner__active=True
        ).select_related("partner")
        return waiting.filter(~models.Exists(before), ~models.Exists(unanswered)).order_by("id")

    def newer_than(self, message: "Message") -> Self:
        """What was said later about the same thing, to or by the same partner."""
        same = self.filter(
            direction=message.direction, partner=message.partner, stream=message.stream
        )
        return same.filter(pk__gt=message.pk).exclude(stream="")
