"""C-FIND on the modality worklist (PS3.4 annex K)."""

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta, timezone

from django.conf import settings
from django.db import DatabaseError
from pydicom.dataset import Dataset

from apps.dicom.keys import Key, parse_keys
from apps.dimse import identifiers, messages, status
from apps.dimse.association import Association, Request
from apps.dimse.services import note_worklist_query
from apps.worklist.datasets import Reader, answer
from apps.worklist.models import Device, ScheduledStep
from apps.worklist.services.explaining import keep_query

logger = logging.getLogger(__name__)
ANSWERS_PER_WRITE = 16
CUT = "More than %d items match: ask for a date or a modality"


@dataclass(frozen=True)
class Found:
    """What a query found: `cut` where there is more than we answer."""

    keys: list[Key]
    zone: timezone | None
    steps: list[ScheduledStep]
    cut: bool


def find_steps(request: Request) -> None:
    """Pending answers, then success; ended early by a C-CANCEL.

    Where more matches than the site's cap, what was found is followed by 0xA700, so that
    nobody takes a part of the worklist for the whole.
    """
    began = time.monotonic()
    association = request.association
    asked = identifiers.decode(request.data_set(), request.context.transfer_syntax)
    found = _matching(association.device, asked)
    try:
        _answer(request, asked, found)
    finally:  # a device that hangs up half-way has been shown patients too
        _note(association, found, round((time.monotonic() - began) * 1000))


def _answer(request: Request, asked: Dataset, found: Found) -> None:
    reader = _reader(request.association.device, found.zone)
    finished = _send(request, (answer(step, asked, reader=reader) for step in found.steps))
    if not finished:
        request.respond(status.CANCELLED)
    elif found.cut:
        request.respond(status.OUT_OF_RESOURCES, comment=CUT % settings.WORKLIST_ANSWERS)
    else:
        request.respond(status.SUCCESS)


def _matching(device: Device, asked: Dataset) -> Found:
    keys, zone, limit = parse_keys(asked), _zone(asked), settings.WORKLIST_ANSWERS
    rows = ScheduledStep.objects.shown_to(device, keys, zone=zone).with_identity()
    steps = list(rows[: limit + 1])
    if len(steps) > limit:
        logger.warning("worklist query of %s cut at %d answers", device.ae_title, limit)
    return Found(keys, zone, steps[:limit], len(steps) > limit)


def _reader(device: Device, zone: timezone | None) -> Reader:
    return Reader(
        ae_title=device.ae_title,
        character_set=device.character_set,
        name_length=device.name_length,
        zone=zone,
    )


def _note(association: Association, found: Found, milliseconds: int) -> None:
    """The device has its answer: what goes wrong here is no business of its."""
    device = association.device
    try:
        note_worklist_query(device, keys=found.keys, steps=found.steps, origin=association.origin)
        keep_query(
            device,
            keys=found.keys,
            zone=found.zone,
            shown=found.steps,
            cut=found.cut,
            milliseconds=milliseconds,
        )
    except DatabaseError as error:
        logger.warning(
            "worklist query of %s not written down: %s", device.ae_title, type(error).__name__
        )


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
