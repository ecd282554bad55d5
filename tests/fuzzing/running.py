"""Cases made by schemathesis from a schema, and what became of them."""

import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import got_request_exception
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode

HARD = (
    hypothesis.HealthCheck.too_slow,
    hypothesis.HealthCheck.filter_too_much,
    hypothesis.HealthCheck.data_too_large,
    hypothesis.HealthCheck.large_base_example,
)


@dataclass
class Outcome:
    """Cases by status, and what fell over: operation and the innermost lines of it."""

    statuses: Counter[int] = field(default_factory=Counter)
    findings: dict[str, str] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        return self.statuses.total()


def fuzz(
    document: dict[str, Any],
    *,
    headers: dict[str, str],
    cases: int,
    seed: int,
    strict: bool,
    outcome: Outcome,
) -> None:
    """Send at least `cases` requests, as many to each operation.

    `strict`: the schema says what may be asked. Then half of the cases go against it, and the
    answers to the others have to be such as it describes.
    """
    schema = schemathesis.openapi.from_dict(document)
    schema.app = WSGIHandler()
    operations = [one.ok() for one in schema.get_all_operations()]
    modes = [GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if strict else [])]
    each = cases // (len(modes) * len(operations)) + 1
    for number, operation in enumerate(operations):
        for mode in modes:
            make = _sender(headers, outcome, strict and mode is GenerationMode.POSITIVE)
            strategy = operation.as_strategy(generation_mode=mode)
            _run(make, strategy, each, seed + number)


def _run(send: Callable[[Any], None], strategy: Any, count: int, seed: int) -> None:
    limits = hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=HARD,
    )
    try:
        hypothesis.seed(seed)(limits(hypothesis.given(case=strategy)(send)))()
    except hypothesis.errors.Unsatisfiable:
        return  # an operation without parameters cannot be asked wrongly


def _sender(headers: dict[str, str], outcome: Outcome, checked: bool) -> Callable[..., None]:
    def send(case: Any) -> None:
        name = f"{case.method} {case.path}"
        with _watched() as raised:
            try:
                response = case.call(headers=headers)
            except Exception as error:  # noqa: BLE001 - whatever a stream falls over with
                raised.append(error)
                outcome.statuses[599] += 1
            else:
                outcome.statuses[response.status_code] += 1
                if response.status_code >= 500 and not raised:
                    outcome.findings.setdefault(name, f"{response.status_code}")
                elif checked and not raised:
                    _check(case, response, name, outcome)
        for fallen in raised:
            outcome.findings.setdefault(name, _told(fallen, case))

    return send


def _check(case: Any, response: Any, name: str, outcome: Outcome) -> None:
    try:
        case.validate_response(response, checks=CHECKS)
    except FailureGroup as error:
        outcome.findings.setdefault(name, str(error))


def _checks() -> list[Any]:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    return [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]


CHECKS = _checks()


@contextmanager
def _watched() -> Iterator[list[BaseException]]:
    """Exceptions that no view has caught."""
    raised: list[BaseException] = []

    def note(**signal: Any) -> None:
        error = sys.exc_info()[1]
        if error is not None:
            raised.append(error)

    got_request_exception.connect(note, weak=False)
    try:
        yield raised
    finally:
        got_request_exception.disconnect(note)


def _told(error: BaseException, case: Any) -> str:
    where = "".join(traceback.format_tb(error.__traceback__)[-2:])
    asked = f"{case.method} {case.formatted_path} {case.query} {case.body!r:.200}"
    return f"{where}{type(error).__name__}: {error}\n  {asked}"
