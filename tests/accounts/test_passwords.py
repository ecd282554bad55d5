"""The own password: changing it, and having to."""

from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.audit.models import Event, Kind
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
PAGE = "/account/password/"
NEW = "a quiet lamp in the corridor"


@pytest.fixture
def client(as_role: Callable[[str], Client]) -> Client:
    return as_role("radiologist")


@pytest.fixture
def given(client: Client) -> Client:
    """A browser of somebody whose password somebody else has set."""
    User.objects.update(must_change_password=True)
    return client


def change(client: Client, new: str = NEW, old: str = PASSWORD) -> int:
    fields = {"old_password": old, "new_password1": new, "new_password2": new}
    return client.post(PAGE, fields).status_code


def test_a_password_is_changed_and_noted(client: Client) -> None:
    assert change(client) == 302
    assert User.objects.get().check_password(NEW)
    assert Event.objects.filter(kind=Kind.PASSWORD_CHANGED).count() == 1


def test_the_session_goes_on_after_the_change(client: Client) -> None:
    change(client)
    assert client.get(PAGE).status_code == 200


def test_the_old_password_is_wanted(client: Client) -> None:
    assert change(client, old="guess") == 200
    assert not Event.objects.filter(kind=Kind.PASSWORD_CHANGED).exists()


@pytest.mark.parametrize("weak", ["short one", "password1234", "radiologist1"])
def test_a_weak_password_is_refused(client: Client, weak: str) -> None:
    assert change(client, new=weak) == 200


def test_errors_are_bound_to_their_field(client: Client) -> None:
    fields = {"old_password": "guess", "new_password1": NEW, "new_password2": NEW}
    page = client.post(PAGE, fields).text
    assert 'aria-describedby="id_old_password_error"' in page
    assert 'id="id_old_password_error"' in page


def test_a_given_password_is_changed_before_anything_else(given: Client) -> None:
    response = given.get("/")
    assert (response.status_code, response.headers["Location"]) == (302, PAGE)
    assert given.get("/admin/").headers["Location"] == PAGE


def test_the_page_for_it_has_no_ways_elsewhere_and_no_fragments(given: Client) -> None:
    page = given.get(PAGE).content.decode()
    assert "bar-nav" in page
    assert "hx-get" not in page
    assert 'href="/studies/"' not in page


def test_a_fragment_does_not_bring_that_page_into_another(given: Client) -> None:
    response = given.get("/studies/", headers={"HX-Request": "true"})
    assert response.headers["HX-Redirect"] == PAGE
    assert not response.content


def test_a_program_with_a_given_password_is_told_so(given: Client) -> None:
    assert given.get("/dicom-web/studies").status_code == 403


def test_somebody_with_a_given_password_may_leave(given: Client) -> None:
    assert given.post("/account/logout/").status_code == 302


def test_after_the_change_the_way_is_free(given: Client) -> None:
    assert change(given) == 302
    assert not User.objects.get().must_change_password
    assert given.get("/").headers.get("Location") != PAGE


def test_the_first_password_of_an_account_is_no_change(db: None) -> None:
    assert not Event.objects.filter(kind=Kind.PASSWORD_CHANGED).exists()
