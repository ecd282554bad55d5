"""The first user and one-time password links: no default password, no second use."""

import datetime
import re
from collections.abc import Callable

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.site.models import SetupLink
from apps.site.services import (
    AlreadySetUp,
    LinkNotValid,
    NewPerson,
    create_first_user,
    one_time_password,
    open_setup_link,
    password_link,
    setup_link,
)

pytestmark = pytest.mark.django_db

CHOSEN = {
    "username": "ada",
    "title": "Dr",
    "first_name": "Ada",
    "last_name": "Byron",
    "password1": "Zebra-42-violin",
    "password2": "Zebra-42-violin",
    "roles": ["pacs-administrator", "radiologist"],
}


def path_of(link: str) -> str:
    return re.sub(r"^http://localhost:\d+", "", link)


def test_a_fresh_installation_has_no_user_and_no_link() -> None:
    assert not User.objects.exists()
    assert not SetupLink.objects.exists()


def test_the_link_shows_a_page_to_choose_name_and_password(client: Client) -> None:
    page = client.get(path_of(setup_link()))
    assert page.status_code == 200
    assert page["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    text = page.text
    assert text.count("<h1") == 1
    assert 'name="password1"' in text
    assert "style=" not in text
    assert "&lt;ul" not in text


def test_the_first_user_is_a_system_administrator_with_the_roles_chosen(client: Client) -> None:
    answer = client.post(path_of(setup_link()), CHOSEN)
    assert answer.status_code == 302
    user = User.objects.get()
    assert user.roles == {"system-administrator", "pacs-administrator", "radiologist"}
    assert (user.title, user.last_name) == ("Dr", "Byron")
    assert user.check_password("Zebra-42-violin")
    assert not user.is_superuser
    assert client.session["_auth_user_id"] == str(user.pk)
    event = Event.objects.get(kind=Kind.USER_CREATED)
    assert event.address == "127.0.0.1"


def test_the_link_dies_when_it_is_used(client: Client) -> None:
    path = path_of(setup_link())
    client.post(path, CHOSEN)
    for stranger in (client, Client()):
        assert stranger.get(path).status_code == 404
        assert stranger.post(path, {**CHOSEN, "username": "eve"}).status_code == 404
    assert User.objects.count() == 1


def test_a_refused_password_does_not_use_the_link_up(client: Client) -> None:
    path = path_of(setup_link())
    page = client.post(path, {**CHOSEN, "password1": "short", "password2": "short"})
    assert page.status_code == 200
    assert "too short" in page.text
    assert client.post(path, CHOSEN).status_code == 302


def test_an_unknown_token_is_not_found(client: Client) -> None:
    setup_link()
    assert client.get("/setup/guess/").status_code == 404


def test_a_link_dies_after_a_day_and_when_a_newer_one_is_made(client: Client) -> None:
    first = path_of(setup_link())
    second = path_of(setup_link())
    assert client.get(first).status_code == 404
    with time_machine.travel(timezone.now() + datetime.timedelta(hours=25)):
        assert client.get(second).status_code == 404


def test_the_token_is_long_and_only_its_hash_is_stored() -> None:
    token = path_of(setup_link()).split("/")[2]
    assert len(token) >= 32
    assert token not in str(SetupLink.objects.values())
    assert path_of(setup_link()).split("/")[2] != token


def test_there_is_no_link_where_there_are_users() -> None:
    link = setup_link()
    User.objects.create_user("somebody")
    with pytest.raises(AlreadySetUp):
        setup_link()
    with pytest.raises(LinkNotValid):
        open_setup_link(path_of(link).split("/")[2])
    with pytest.raises(CommandError, match="users already"):
        call_command("setup_link")


def test_of_two_people_with_the_link_one_becomes_the_first_user(origin: Origin) -> None:
    link = open_setup_link(path_of(setup_link()).split("/")[2])
    person = NewPerson(username="ada", password="Zebra-42-violin")
    create_first_user(link, person=person, roles=[], origin=origin)
    with pytest.raises(LinkNotValid):
        create_first_user(link, person=person, roles=[], origin=origin)


def test_the_command_prints_the_link(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("setup_link")
    assert client.get(path_of(capsys.readouterr().out.strip())).status_code == 200


def test_a_password_link_sets_a_password_once(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    user = User.objects.create_user("bob")
    call_command("password_link", "bob")
    path = path_of(capsys.readouterr().out.strip())
    page = client.get(path, follow=True)
    assert page.status_code == 200
    form = page.redirect_chain[-1][0]
    client.post(form, {"new_password1": "Zebra-42-violin", "new_password2": "Zebra-42-violin"})
    user.refresh_from_db()
    assert user.check_password("Zebra-42-violin")
    assert Event.objects.get(kind=Kind.PASSWORD_CHANGED).subject_id == str(user.pk)
    assert "not valid any more" in Client().get(path, follow=True).text


def test_a_password_link_dies_after_three_days(client: Client, origin: Origin) -> None:
    path = path_of(password_link(User.objects.create_user("bob"), origin=origin))
    with time_machine.travel(timezone.now() + datetime.timedelta(days=4)):
        assert "not valid any more" in client.get(path, follow=True).text


def test_a_password_link_is_for_users_that_exist_and_may_sign_in() -> None:
    User.objects.create_user("gone", is_active=False)
    for name in ("gone", "nobody"):
        with pytest.raises(CommandError, match="no active user"):
            call_command("password_link", name)


def test_the_back_office_makes_password_links_and_the_journal_says_for_whom(
    as_role: Callable[[str], Client],
) -> None:
    administrator = as_role("system-administrator")
    user = User.objects.create_user("bob", last_name="Tester")
    gone = User.objects.create_user("gone", is_active=False)
    asked = {"action": "give_password_link", "_selected_action": [user.pk, gone.pk]}
    page = administrator.post("/admin/accounts/user/", asked)
    assert page.text.count("<h1") == 1
    (link,) = re.findall(r"<code>(http://localhost:\d+/set-password/[^<]+)</code>", page.text)
    assert "gone is not active" in page.text
    assert "no-store" in page["Cache-Control"]
    assert Client().get(path_of(link), follow=True).context["validlink"]
    made = Event.objects.get(kind=Kind.PASSWORD_LINK_MADE)
    assert (made.subject_id, made.peer) == (str(user.pk), "system-administrator")
    assert made.details == {}
    assert link not in administrator.get("/admin/accounts/user/").text


def test_who_may_not_change_users_makes_no_links(as_role: Callable[[str], Client]) -> None:
    user = User.objects.create_user("bob")
    asked = {"action": "give_password_link", "_selected_action": [user.pk]}
    for role in ("pacs-administrator", "auditor", "radiologist"):
        assert "set-password" not in as_role(role).post("/admin/accounts/user/", asked).text
    assert not Event.objects.filter(kind=Kind.PASSWORD_LINK_MADE).exists()


def test_a_one_time_password_is_random_and_must_be_changed(origin: Origin) -> None:
    user = User.objects.create_user("bob")
    first, second = (one_time_password(user, origin=origin) for _count in range(2))
    assert first != second
    assert user.check_password(second)
    assert user.must_change_password
