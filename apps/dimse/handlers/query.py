"""C-FIND on patients, studies, series and images (PS3.4 C.4.1)."""

import logging
import time
from contextlib import closing
from functools import partial

from django.conf import settings

from apps.dicom.keys import BadKeyError
from apps.dimse import messages, status
from apps.dimse.answers import Template
from apps.dimse.association import Request
from apps.dimse.questions import HierarchyError, Question, read_question
from apps.dimse.services.queries import note_studies_query
from apps.studies.patience import Patience, TooMuchAsked, patience
from apps.studies.services.finding import Search

logger = logging.getLogger(__name__)
BATCH_BYTES = 64 * 1024
BATCH_SECONDS = 0.1  # what is found slowly is passed on all the same


class CancelledError(Exception):
    """The peer wants no more answers."""


def find_studies(request: Request) -> None:
    """Pending answers, then success; ended early by a C-CANCEL, a limit of ours, a bad key.

    However it ends, what was asked and answered is journalled.
    """
    answers = _Answers(request)
    try:
        question = read_question(request)
    except BadKeyError as error:
        _refuse(request, error)
        return
    try:
        _answer(request, question, answers)
        request.respond(status.SUCCESS)
    except CancelledError:
        request.respond(status.CANCELLED)
    except (BadKeyError, TooMuchAsked) as error:
        answers.send()
        _refuse(request, error)
    finally:
        _journal(request, question, answers.count)


class _Answers:
    """Pending responses, gathered into writes of 64 KB; a C-CANCEL is looked for before each."""

    def __init__(self, request: Request) -> None:
        self.count = 0
        self._request = request
        self._parts: list[bytes] = []
        self._size = 0
        self._since = time.monotonic()

    def open(self, pending: int) -> None:
        values = messages.response_to(self._request.command, pending, data_set=True)
        self._command = messages.encode_command(values)

    def add(self, data_set: bytes, limit: Patience) -> None:
        request = self._request
        self._parts += messages.fragments(
            request.context.identifier,
            self._command,
            data_set,
            max_pdu=request.association.max_pdu,
        )
        self.count += 1
        self._size += len(data_set)
        if self._size > BATCH_BYTES or time.monotonic() - self._since > BATCH_SECONDS:
            self.flush()
            limit.restart()

    def flush(self) -> None:
        """Send what is gathered; raises CancelledError."""
        association, command = self._request.association, self._request.command
        if association.cancelled(command.message_id):
            raise CancelledError
        self.send()

    def send(self) -> None:
        if self._parts:
            self._request.association.wire.send(*self._parts)
        self._parts, self._size, self._since = [], 0, time.monotonic()


def _answer(request: Request, question: Question, answers: _Answers) -> None:
    search = Search(
        level=question.level,
        keys=question.keys,
        tags=[one.tag for one in question.wanted],
        terms=question.terms,
        headers=question.headers,
    )
    device, syntax = request.association.device, request.context.transfer_syntax
    template = Template(question, search.shown, device, syntax)
    answers.open(status.PENDING_OPEN if question.leaves_open else status.PENDING)
    rows, seconds = settings.OPENPACS_QUERY_ROWS, settings.OPENPACS_QUERY_SECONDS
    found = search.rows(limit=rows + 1, seconds=seconds)
    with patience(seconds) as limit, closing(found):
        for row, header in found:
            if answers.count == rows:
                raise TooMuchAsked(f"more than {rows} answers: ask for less")
            answers.add(template.fill(row, header), limit)
    answers.flush()


def _journal(request: Request, question: Question, count: int) -> None:
    """After the answer: the peer need not wait for it."""
    association = request.association
    note = partial(
        note_studies_query,
        association.device,
        level=question.level,
        keys=question.keys,
        count=count,
        origin=association.origin,
    )
    association.put_off.append(note)


def _refuse(request: Request, error: BadKeyError | TooMuchAsked) -> None:
    title = request.association.device.ae_title
    logger.warning("query of %s refused: %s", title, error)
    request.respond(
        status.refusal_of(error).composite,
        comment=str(error),
        offending=error.tag if isinstance(error, HierarchyError) else 0,
    )
