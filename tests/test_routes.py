"""Every route says who may take it, and means it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import translation
from django.views.defaults import server_error

from apps.accounts.admin import PolicyAdmin
from apps.accounts.models import Role, User
from apps.accounts.navigation import ENTRIES, FIRST_PAGES
from apps.accounts.policy import Action, Noun, can, noun_of
from tests.factories import make_user

pytestmark = pytest.mark.alike

PROGRAMS = ("dicom-web/", "wado", "api/")


def walk(
    patterns: list[Any], *, path: str = "", inside: tuple[str, ...] = ()
) -> Iterator[tuple[str, str, URLPattern]]:
    """(path, name with its namespaces, pattern) of every view of the site."""
    for pattern in patterns:
        here = path + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            names = (*inside, pattern.namespace) if pattern.namespace else inside
            yield from walk(pattern.url_patterns, path=here, inside=names)
        else:
            yield here, ":".join([*inside, pattern.name or ""]), pattern


ROUTES = list(walk(get_resolver().url_patterns))
OURS = [(path, name, view) for path, name, view in ROUTES if not path.startswith("admin/")]
PLAIN = [(path, name, view) for path, name, view in OURS if "<" not in path and "(" not in path]


def access(pattern: URLPattern) -> str:
    return getattr(pattern.callback, "access", "")


def ids(routes: list[Any]) -> list[str]:
    return [name or path for path, name, _ in routes]


@pytest.mark.parametrize(("path", "name", "pattern"), OURS, ids=ids(OURS))
def test_every_route_says_who_may_take_it(path: str, name: str, pattern: URLPattern) -> None:
    assert access(pattern), f"{path} is wrapped in none of public, signed_in, allows"


def test_only_few_routes_are_open_to_anyone() -> None:
    open_to_anyone = {name or path for path, name, view in OURS if access(view) == "public"}
    assert open_to_anyone <= {
        "accounts:login",
        "accounts:logout",
        "site:setup",
        "site:set-password",
        "health",
        "health/",
    }


def test_every_model_of_the_back_office_is_under_the_policy() -> None:
    assert admin.site._registry
    for model, model_admin in admin.site._registry.items():
        assert isinstance(model_admin, PolicyAdmin), model
        assert model_admin.noun or noun_of(model), model


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "name", "pattern"), PLAIN, ids=ids(PLAIN))
def test_a_stranger_gets_no_further_than_the_door(
    client: Client, path: str, name: str, pattern: URLPattern
) -> None:
    response = client.get(f"/{path}")
    if access(pattern) == "public":
        assert response.status_code in (200, 404, 405)
    elif path.startswith(PROGRAMS):
        assert response.status_code == 401
    else:
        assert response.status_code == 302
        assert response.headers["Location"].startswith(reverse("accounts:login"))


@pytest.mark.django_db
def test_a_stranger_is_sent_from_every_list_of_the_back_office_to_the_login(
    client: Client,
) -> None:
    for model in admin.site._registry:
        page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        response = client.get(page)
        assert response.status_code == 302
        assert response.headers["Location"].startswith(reverse("accounts:login"))


@pytest.mark.django_db
@pytest.mark.parametrize("role", Role.values)
def test_a_role_opens_what_the_table_allows_and_nothing_else(
    as_role: Callable[[str], Client], role: str
) -> None:
    client = as_role(role)
    user = User.objects.get(username=role)
    guarded = [(path, access(view)) for path, _, view in PLAIN if " " in access(view)]
    for path, word in guarded:
        if word == "signed in":
            continue
        action, noun = word.split(" ")
        allowed = can(user, Action(action), Noun(noun))
        status = client.get(f"/{path}").status_code
        assert (status != 403) == allowed, f"{role} {path}: {status}"
        assert status < 500, path


@pytest.mark.django_db
@pytest.mark.parametrize("role", Role.values)
def test_the_navigation_shows_no_closed_doors(as_role: Callable[[str], Client], role: str) -> None:
    client = as_role(role)
    shown = client.get(reverse("accounts:password_change")).context["navigation"]
    for entry in shown:
        assert client.get(entry["url"], follow=True).status_code == 200, entry
    assert shown, "every role has somewhere to go"


@pytest.mark.django_db
@pytest.mark.parametrize("role", Role.values)
def test_every_role_starts_on_a_page_it_may_open(
    as_role: Callable[[str], Client], role: str
) -> None:
    response = as_role(role).get("/", follow=True)
    assert response.status_code == 200
    assert response.redirect_chain, "the home page is only for those without a role"


@pytest.mark.django_db
def test_somebody_without_a_role_is_told_whom_to_ask(client: Client) -> None:
    client.force_login(make_user(), backend="django.contrib.auth.backends.ModelBackend")
    assert "Your account has no role yet" in client.get("/").text


def test_the_navigation_names_routes_that_exist() -> None:
    for route in [entry.route for entry in ENTRIES] + list(FIRST_PAGES.values()):
        assert reverse(route)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/account/login/", "/account/password/", "/admin/"])
def test_pages_hold_no_inline_script_or_style(as_role: Callable[[str], Client], path: str) -> None:
    client = Client() if "login" in path else as_role("pacs-administrator")
    page = client.get(path)
    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert " style=" not in page.text
    assert "<style" not in page.text
    assert "<script>" not in page.text
    assert " onclick=" not in page.text


def test_a_fault_of_ours_has_a_page_in_words_of_the_site(rf: RequestFactory) -> None:
    with translation.override("de"):
        page = server_error(rf.get("/"))
    assert page.status_code == 500
    assert b'<html lang="de"' in page.content
    assert b"nothing was half-saved" in page.content
