"""The system check of AUDIT_SUBSCRIBERS."""

from typing import Any

from apps.audit.checks import check_subscribers
from apps.audit.models import Event, Kind


def test_the_wiring_of_the_hospital_is_sound() -> None:
    assert check_subscribers() == []


def test_a_kind_that_never_happens_is_found(settings: Any) -> None:
    settings.AUDIT_SUBSCRIBERS = {"report-singed": []}
    assert [error.id for error in check_subscribers()] == ["audit.E001"]


def test_a_path_to_nowhere_is_found(settings: Any) -> None:
    settings.AUDIT_SUBSCRIBERS = {"report-signed": ["apps.audit.tasks.nothing"]}
    assert [error.id for error in check_subscribers()] == ["audit.E002"]


def test_a_function_that_is_no_task_is_found(settings: Any) -> None:
    settings.AUDIT_SUBSCRIBERS = {"report-signed": ["apps.audit.services.deliver"]}
    assert [error.id for error in check_subscribers()] == ["audit.E003"]


def test_every_kind_fits_its_column() -> None:
    longest = Event._meta.get_field("kind").max_length
    assert all(len(kind) <= (longest or 0) for kind in Kind.values)
