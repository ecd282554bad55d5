"""Tests that commit leave to the next ones what the migrations wrote, and nothing else."""

import pytest
from django.contrib.auth.models import Group

from tests import database
from tests.factories import IssuerFactory, PatientFactory

pytestmark = pytest.mark.django_db(transaction=True)


def test_rows_of_tests_go_and_those_of_the_migrations_come_back() -> None:
    before = {one.pk: one.name for one in Group.objects.all()}
    PatientFactory.create()
    Group.objects.first().delete()  # type: ignore[union-attr]
    database.bring_back()
    assert before
    assert {one.pk: one.name for one in Group.objects.all()} == before
    assert not PatientFactory._meta.model.objects.exists()


def test_keys_are_not_given_twice() -> None:
    first = IssuerFactory.create(namespace="FIRST").pk
    database.bring_back()
    assert IssuerFactory.create(namespace="SECOND").pk > first
