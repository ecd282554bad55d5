"""A radiologist and their browser."""

import pytest
from django.test import Client

from apps.accounts.models import User
from tests.factories import make_user, signed_in


@pytest.fixture
def reader(db: None) -> User:
    return make_user("radiologist")


@pytest.fixture
def client(reader: User) -> Client:
    return signed_in(reader)
