"""The database itself refuses to change or delete journal rows."""

import importlib

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from apps.audit.models import Event, Kind
from apps.audit.services import Origin, record, seal

pytestmark = pytest.mark.django_db
MIGRATION = importlib.import_module("apps.audit.migrations.0002_rows_never_change")


@pytest.fixture
def event(origin: Origin) -> Event:
    return record(Kind.ORDER_PLACED, None, origin=origin, accession_number="A1")


@pytest.fixture
def undeletable() -> None:
    # tests/conftest.py takes this trigger away, so that tables can be emptied.
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(MIGRATION.SQLITE[0])


def test_a_row_is_never_deleted(event: Event, undeletable: None) -> None:
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        event.delete()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", Kind.ORDER_CANCELLED),
        ("at", timezone.now()),
        ("peer", "somebody else"),
        ("patient_id", 12),
        ("accession_number", "A2"),
        ("study_instance_uid", "1.2.3"),
        ("details", {"n": 1}),
    ],
)
def test_a_row_never_says_anything_else(event: Event, field: str, value: object) -> None:
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        Event.objects.filter(pk=event.pk).update(**{field: value})


def test_every_field_is_fixed_or_written_once() -> None:
    columns = {field.column for field in Event._meta.fields}
    assert columns == set(MIGRATION.FIXED) | set(MIGRATION.WRITTEN_ONCE)


def test_a_seal_is_set_once(event: Event) -> None:
    seal()
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        Event.objects.filter(pk=event.pk).update(position=99, digest="f" * 64)


def test_the_outbox_stamp_is_set_once(event: Event) -> None:
    assert event.delivered_at is not None
    with pytest.raises(DatabaseError, match="never changed or deleted"), transaction.atomic():
        Event.objects.filter(pk=event.pk).update(delivered_at=None)
