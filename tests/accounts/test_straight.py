"""Rows straight from the driver are those that Django's cursor gives, errors included."""

import pytest
from django.db import DatabaseError

from apps.accounts.models import User
from apps.accounts.straight import ask, ask_straight

pytestmark = [pytest.mark.django_db, pytest.mark.engines]
NAMES = "SELECT username, '100 %%' FROM accounts_user WHERE username LIKE %s ORDER BY username"


def test_both_ways_give_the_same_rows() -> None:
    for name in ("ann", "andy", "bob"):
        User.objects.create(username=name)
    assert (
        ask_straight(NAMES, ["an%"]) == ask(NAMES, ["an%"]) == [("andy", "100 %"), ("ann", "100 %")]
    )


@pytest.mark.django_db(transaction=True)
def test_an_error_is_one_of_django() -> None:
    with pytest.raises(DatabaseError):
        ask_straight("SELECT nothing FROM nowhere", [])
