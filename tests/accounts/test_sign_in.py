"""Signing in, out and failing to; locks; the journal of it."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.audit.models import Event, Kind
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
LOGIN = "/account/login/"


@pytest.fixture
def user() -> User:
    return make_user("front-desk", username="ada")


def sign_in(client: Client, password: str = PASSWORD, **more: str) -> Any:
    return client.post(LOGIN, {"username": "ada", "password": password, **more})


def kinds() -> list[str]:
    return list(Event.objects.order_by("id").values_list("kind", flat=True))


def test_the_login_page_is_open_to_anyone(client: Client) -> None:
    page = client.get(LOGIN)
    assert page.status_code == 200
    assert "autofocus" in page.text


def test_signing_in_leads_to_the_first_page(client: Client, user: User) -> None:
    response = sign_in(client)
    assert response.status_code == 302
    assert response.url == reverse("home")


def test_signing_in_is_noted_with_who_and_from_where(client: Client, user: User) -> None:
    sign_in(client)
    event = Event.objects.get(kind=Kind.USER_SIGNED_IN)
    assert (event.user, event.address, event.protocol) == (user, "127.0.0.1", "web")


def test_a_wrong_password_is_refused_and_noted_without_it(client: Client, user: User) -> None:
    response = sign_in(client, "wrong password")
    assert response.status_code == 200
    assert 'class="errorlist nonfield"' in response.text
    event = Event.objects.get(kind=Kind.SIGN_IN_FAILED)
    assert event.peer == "ada"
    assert "wrong password" not in str(event.__dict__)


def test_signing_out_wants_a_post_and_is_noted(client: Client, user: User) -> None:
    sign_in(client)
    assert client.get("/account/logout/").status_code == 405
    assert client.post("/account/logout/").status_code == 302
    assert kinds() == [Kind.USER_SIGNED_IN, Kind.USER_SIGNED_OUT]
    assert client.get("/").status_code == 302


def test_five_failures_lock_the_name_for_that_address_only(client: Client, user: User) -> None:
    answers = [sign_in(client, "wrong password") for _ in range(5)]
    assert answers[-1].status_code == 429
    assert "Locked for a while" in answers[-1].text
    assert sign_in(client).status_code == 429, "the right password no longer helps"
    elsewhere = Client(REMOTE_ADDR="10.0.0.7")
    assert sign_in(elsewhere).status_code == 302, "nobody can lock the user out from afar"


def test_another_site_cannot_be_the_way_on(client: Client, user: User) -> None:
    assert sign_in(client, next="https://elsewhere.example/").url == reverse("home")


def test_an_account_that_is_switched_off_does_not_open(client: Client, user: User) -> None:
    User.objects.update(is_active=False)
    assert sign_in(client).status_code == 200
    assert kinds() == [Kind.SIGN_IN_FAILED]


def test_a_login_form_needs_its_token(user: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert sign_in(strict).status_code == 403


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(
    client: Client, user: User
) -> None:
    cookie = sign_in(client).cookies["sessionid"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not cookie["max-age"], "it ends with the browser"
