"""Who a session belongs to is read anew for every request: what is taken away is gone at once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from apps.accounts import sessions
from apps.accounts.models import Role, User

pytestmark = pytest.mark.django_db
ADDRESS = "/dicom-web/studies"


@pytest.fixture
def known(as_role: Callable[[str], Client]) -> Client:
    """A radiologist whose session was used before."""
    client = as_role("radiologist")
    assert client.get(ADDRESS).status_code == 200
    assert client.get(ADDRESS).status_code == 200
    return client


@pytest.fixture
def person(known: Client) -> User:
    return User.objects.get()


def test_one_statement_reads_session_user_and_roles(
    known: Client, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):  # and one is the search
        assert known.get(ADDRESS).status_code == 200


def test_a_role_taken_away_is_gone_with_the_next_request(known: Client, person: User) -> None:
    person.groups.clear()
    assert known.get(ADDRESS).status_code == 403
    person.groups.add(Group.objects.get(name=Role.PACS_ADMINISTRATOR))
    assert known.get(ADDRESS).status_code == 200


def test_several_roles_are_held_together(known: Client, person: User) -> None:
    person.groups.set(Group.objects.filter(name__in=[Role.FRONT_DESK, Role.RADIOLOGIST]))
    assert known.get(ADDRESS).status_code == 200
    assert known.get("/patients/").status_code == 200


def test_a_user_who_is_locked_out_is_a_stranger_at_once(known: Client, person: User) -> None:
    person.is_active = False
    person.save()
    assert known.get(ADDRESS).status_code == 401


def test_a_new_password_ends_other_sessions(known: Client, person: User) -> None:
    person.set_password("another one, quite long")
    person.save()
    assert known.get(ADDRESS).status_code == 401


def test_a_user_who_has_to_choose_a_password_does_that_first(known: Client, person: User) -> None:
    User.objects.update(must_change_password=True)
    assert known.get(ADDRESS).status_code == 403


def test_a_session_that_was_ended_elsewhere_is_over(known: Client, person: User) -> None:
    other = Client()
    other.cookies.load(known.cookies.output(header=""))
    assert other.get(ADDRESS).status_code == 200
    other.post("/account/logout/")
    assert known.get(ADDRESS).status_code == 401


def test_a_session_past_its_time_is_over(known: Client) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert known.get(ADDRESS).status_code == 401


def test_whoever_signs_in_after_another_is_not_taken_for_them(
    known: Client, user_of: Callable[[str], User]
) -> None:
    known.force_login(user_of("front-desk"), backend="django.contrib.auth.backends.ModelBackend")
    assert known.get(ADDRESS).status_code == 403


def test_what_a_page_keeps_in_the_session_is_there_for_the_next(known: Client) -> None:
    session = known.session
    session["kept"] = {"list": [1]}
    session.save()
    for _ in range(2):
        assert known.get(ADDRESS).status_code == 200
        assert known.session["kept"] == {"list": [1]}


def test_a_changed_session_is_no_session_of_the_user(known: Client) -> None:
    row = Session.objects.get()
    row.session_data = row.session_data[:-4] + "AAAA"
    row.save()
    assert known.get(ADDRESS).status_code == 401


def test_sessions_beyond_what_is_remembered_are_read_in_the_usual_way(
    known: Client, monkeypatch: pytest.MonkeyPatch, as_role: Callable[[str], Client]
) -> None:
    monkeypatch.setattr(sessions, "KNOWN", 1)
    other = as_role("resident")
    for client in (other, known, other, known):
        assert client.get(ADDRESS).status_code == 200


def test_the_user_read_along_is_the_user(known: Client, person: User) -> None:
    store = sessions.SessionStore(known.session.session_key)
    store.load()
    assert store.person == person
    assert store.person.roles == {Role.RADIOLOGIST}
    for field in ("username", "password", "email", "is_active", "is_superuser", "last_login"):
        assert getattr(store.person, field) == getattr(person, field)
