"""Reads of kept layouts."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Case, F, IntegerField, Q, Value, When
from django.db.models.functions import Upper

from apps.accounts.models import User
from apps.studies.models import Study

if TYPE_CHECKING:
    from apps.viewer.models import HangingProtocol

# One's own before everybody's; among these the procedure before the body part before the modality.
OWN, PROCEDURE, BODY_PART, MODALITY = 1000, 100, 20, 10


def _worth(condition: Q, points: int) -> Case:
    return Case(When(condition, then=Value(points)), default=0, output_field=IntegerField())


class HangingProtocolQuerySet(models.QuerySet["HangingProtocol"]):
    def usable_by(self, user: User) -> Self:
        """One's own, and everybody's."""
        return self.filter(Q(owner=user) | Q(owner=None), active=True)

    def fitting(self, study: Study) -> Self:
        """Those for the modalities, the body parts and the procedures of a study."""
        procedures = study.procedures.values("procedure")
        parts = study.series.exclude(body_part="").values_list(Upper("body_part"), flat=True)
        return self.filter(
            Q(modality="") | Q(modality__in=study.modality_list),
            Q(procedure=None) | Q(procedure__in=procedures),
            Q(body_part="") | Q(body_part__in=list(parts)),
        )

    def best_first(self, user: User) -> Self:
        """With `weight`: how narrow a layout is, one's own always above everybody's."""
        weight = (
            _worth(Q(owner=user), OWN)
            + _worth(Q(procedure__isnull=False), PROCEDURE)
            + _worth(~Q(body_part=""), BODY_PART)
            + _worth(~Q(modality=""), MODALITY)
        )
        return self.annotate(weight=weight + Value(1)).order_by("-weight", F("name"), "id")
