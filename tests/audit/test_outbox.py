"""The journal as outbox: a row starts its subscribers, once, whatever happens to the nudge."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from apps.audit import services, tasks
from apps.audit.models import Event, Kind
from apps.audit.services import Origin, record
from tests.audit import recording

pytestmark = pytest.mark.django_db
SUBSCRIBED = {"report-signed": ["tests.audit.recording.remember"]}


@pytest.fixture(autouse=True)
def remembered() -> list[int]:
    recording.remembered.clear()
    return recording.remembered


@pytest.fixture
def signed(origin: Origin, settings: Any) -> Event:
    settings.AUDIT_SUBSCRIBERS = SUBSCRIBED
    return record(Kind.REPORT_SIGNED, None, origin=origin)


def test_a_row_nobody_listens_to_needs_no_delivery(origin: Origin) -> None:
    with override_settings(AUDIT_SUBSCRIBERS={}):
        assert record(Kind.REPORT_SIGNED, None, origin=origin).delivered_at is not None


def test_a_row_with_subscribers_waits(signed: Event) -> None:
    assert signed.delivered_at is None


def test_delivering_starts_the_subscribers_with_the_key_of_the_row(
    signed: Event, remembered: list[int]
) -> None:
    services.deliver(signed.pk)
    assert remembered == [signed.pk]
    signed.refresh_from_db()
    assert signed.delivered_at is not None


def test_delivering_twice_starts_the_subscribers_once(signed: Event, remembered: list[int]) -> None:
    services.deliver(signed.pk)
    services.deliver(signed.pk)
    assert remembered == [signed.pk]


def test_the_worker_is_nudged_after_commit(
    origin: Origin, settings: Any, monkeypatch: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.AUDIT_SUBSCRIBERS = SUBSCRIBED
    rung: list[int] = []
    monkeypatch.setattr(services, "ring", rung.append)
    with django_capture_on_commit_callbacks(execute=True):
        event = record(Kind.REPORT_SIGNED, None, origin=origin)
        assert rung == []
    assert rung == [event.pk]


def test_a_broker_outage_does_not_undo_the_business(
    origin: Origin, settings: Any, monkeypatch: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.AUDIT_SUBSCRIBERS = SUBSCRIBED

    def fail(event_id: int) -> None:
        raise ConnectionError

    monkeypatch.setattr(services, "ring", fail)
    with django_capture_on_commit_callbacks(execute=True):
        event = record(Kind.REPORT_SIGNED, None, origin=origin)
    assert Event.objects.filter(pk=event.pk, delivered_at=None).exists()


def test_a_row_whose_nudge_was_lost_is_found_later(
    signed: Event, remembered: list[int], monkeypatch: Any
) -> None:
    tasks.deliver_waiting()
    assert remembered == []  # not overdue yet
    monkeypatch.setattr(tasks, "OVERDUE", timedelta(seconds=-1))
    tasks.deliver_waiting()
    assert remembered == [signed.pk]


def test_a_delivered_row_is_left_alone_later(
    signed: Event, remembered: list[int], monkeypatch: Any
) -> None:
    Event.objects.filter(pk=signed.pk).update(delivered_at=timezone.now())
    monkeypatch.setattr(tasks, "OVERDUE", timedelta(seconds=-1))
    tasks.deliver_waiting()
    assert remembered == []
