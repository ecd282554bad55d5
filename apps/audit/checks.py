"""Is the wiring of the hospital sound? Run by `manage.py check` and at every start."""

from collections.abc import Iterator
from typing import Any

from celery import Task
from django.conf import settings
from django.core.checks import CheckMessage, Error

from apps.audit.models import Kind
from apps.audit.services import subscriber


def check_subscribers(**options: Any) -> list[CheckMessage]:
    """Every key of AUDIT_SUBSCRIBERS is a kind, every path of it a Celery task."""
    return [
        problem
        for kind, paths in settings.AUDIT_SUBSCRIBERS.items()
        for problem in [*_check_kind(kind), *(one for path in paths for one in _check_path(path))]
    ]


def _check_kind(kind: str) -> Iterator[CheckMessage]:
    if kind not in Kind.values:
        yield Error(f"AUDIT_SUBSCRIBERS names {kind!r}, which never happens.", id="audit.E001")


def _check_path(path: str) -> Iterator[CheckMessage]:
    try:
        task = subscriber(path)
    except (ImportError, AttributeError, ValueError) as problem:
        yield Error(f"AUDIT_SUBSCRIBERS: no task {path}: {problem}", id="audit.E002")
        return
    if not isinstance(task, Task):
        yield Error(f"AUDIT_SUBSCRIBERS: {path} is not a task.", id="audit.E003")
