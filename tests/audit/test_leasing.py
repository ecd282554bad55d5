"""One worker at a time: rows are taken, held, lost and taken up again."""

import datetime
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.leasing import ATTEMPTS, Claim, ClaimLost, Lease
from apps.exports.models import Export
from tests.factories import make_user

pytestmark = pytest.mark.django_db
LASTS = datetime.timedelta(seconds=40)
LEASE = Lease(Export, "status", waiting="queued", held="running", lasts=LASTS)


@pytest.fixture
def user(db: None) -> User:
    return make_user("radiologist")


@pytest.fixture
def rows(user: User) -> list[Export]:
    kept = timezone.now() + datetime.timedelta(days=1)
    return [Export.objects.create(user=user, kind="zip", expires_at=kept) for _ in range(2)]


def taken(**values: Any) -> Claim[Export]:
    claim = LEASE.take_next(Export.objects.due, **values)
    assert claim is not None
    return claim


def later() -> Any:
    return time_machine.travel(timezone.now() + LASTS + datetime.timedelta(seconds=1))


def put_back(row: Export) -> None:
    row.status = "queued"
    row.save()


def test_each_worker_gets_another_row(rows: list[Export]) -> None:
    assert [taken(done_count=0).row, taken().row] == rows
    assert LEASE.take_next(Export.objects.due) is None


def test_a_row_of_a_dead_worker_is_taken_up_and_lost_to_it(rows: list[Export]) -> None:
    dead = taken()
    LEASE.take_from_dead(put_back)  # it lives
    LEASE.renew(dead, done_count=3)
    with later():
        LEASE.take_from_dead(put_back)
        again = taken()
    assert (again.row, again.row.attempts) == (dead.row, 1)
    assert again.row.lease_until is None  # as it was found
    for step in (LEASE.renew, LEASE.locked):
        with pytest.raises(ClaimLost):
            step(dead)
    assert LEASE.locked(again).attempts == 2


def test_who_renews_keeps_it(rows: list[Export]) -> None:
    claim = taken()
    with later():
        LEASE.renew(claim)
        LEASE.take_from_dead(put_back)
        assert LEASE.locked(claim) == rows[0]


def test_what_kills_its_worker_again_and_again_is_given_up(rows: list[Export]) -> None:
    given_up = []

    def give_up(row: Export, why: str) -> None:
        given_up.append((row.pk, why))
        row.status = "failed"
        row.save()

    rows[1].delete()
    for _number in range(ATTEMPTS):
        taken()
        assert given_up == []
        Export.objects.update(lease_until=timezone.now())
        LEASE.put_back_from_dead(give_up)
    assert given_up == [(rows[0].pk, "It was cut off again and again.")]
    assert LEASE.take_next(Export.objects.due) is None
