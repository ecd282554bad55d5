"""What this door writes down about images that were fetched from us."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from apps.audit.models import Kind
from apps.audit.services import Origin
from apps.studies.models import Study
from apps.studies.services.recording import record_of_study

MOST_FAILED = 100


@dataclass
class Retrieved:
    """What one request took of one study: how many instances, and which could not be sent."""

    completed: int = 0
    failed: list[str] = field(default_factory=list)


def note_retrieval(retrieved: Mapping[int, Retrieved], *, destination: str, origin: Origin) -> None:
    """Journal one row for each study of a request; `retrieved` by primary key."""
    with transaction.atomic():
        for study in Study.objects.filter(pk__in=retrieved):
            record_of_study(
                Kind.STUDIES_RETRIEVED,
                study,
                origin=origin,
                details=_details(retrieved[study.pk], destination),
            )


def _details(retrieved: Retrieved, destination: str) -> dict[str, str | int | Sequence[str]]:
    return {
        "destination": destination,
        "completed": retrieved.completed,
        "failed": retrieved.failed[:MOST_FAILED],
    }
