"""C-FIND on the modality worklist (PS3.4 annex K)."""

import logging
from collections.abc import Iterable, Iterator
from datetime import timedelta, timezone

from django.conf import settings
from pydicom.dataset import Dataset

from apps.dicom.keys import Key, parse_keys
from apps.dimse import identifiers, messages, status
from apps.dimse.association import Request
from apps.dimse.services import note_worklist_query
from apps.worklist.datasets import answer
from apps.worklist.models import ScheduledStep

logger = logging.getLogger(__name__)
ANSWERS_PER_WRITE = 16


def find_steps(request: Request) -> None:
    """Pending answers, then success; ended early by a C-CANCEL."""
    association = request.association
    asked = identifiers.decode(request.data_set(), request.context.transfer_syntax)
    keys = parse_keys(asked)
    steps = _matching(request, asked, keys)
    character_set = association.device.character_set
    answers = (answer(step, asked, character_set=character_set) for step in steps)
    finished = _send(request, answers)
    request.respond(status.SUCCESS if finished else status.CANCELLED)
    note_worklist_query(association.device, keys=keys, steps=steps, origin=association.origin)


def _matching(request: Request, asked: Dataset, keys: list[Key]) -> list[ScheduledStep]:
    limit = request.association.wire.limits.answers
    grace = timedelta(minutes=settings.WORKLIST_STARTED_MINUTES)
    rows = ScheduledStep.objects.on_worklist(grace=grace).matching(keys, zone=_zone(asked))
    if request.association.device.only_own_steps:
        rows = rows.of_device(request.association.device)
    steps = list(rows.with_identity()[: limit + 1])
    if len(steps) > limit:
        logger.warning("worklist query of %s cut at %d answers", request.association.device, limit)
    return steps[:limit]


def _send(request: Request, answers: Iterable[Dataset]) -> bool:
    """False when the peer has cancelled."""
    association, context = request.association, request.context
    values = messages.response_to(request.command, status.PENDING, data_set=True)
    for batch in _batches(answers):
        if association.cancelled(request.command.message_id):
            return False
        pdus: list[bytes] = []
        for dataset in batch:
            encoded = identifiers.encode(dataset, context.transfer_syntax)
            pdus += association.encode(context, values, encoded)
        association.wire.send(*pdus)
    return True


def _batches(answers: Iterable[Dataset]) -> Iterator[list[Dataset]]:
    batch: list[Dataset] = []
    for dataset in answers:
        batch.append(dataset)
        if len(batch) == ANSWERS_PER_WRITE:
            yield batch
            batch = []
    if batch:
        yield batch


def _zone(asked: Dataset) -> timezone | None:
    """Timezone Offset From UTC (0008,0201), `+0200`; None where absent or unreadable."""
    text = str(asked.get("TimezoneOffsetFromUTC", ""))
    try:
        minutes = int(text[1:3]) * 60 + int(text[3:5])
        return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
    except (ValueError, IndexError):
        return None
