"""Tokens open what they say, for as long as they say, and nothing keeps their secret."""

import datetime
import json
import logging
from collections.abc import Callable

import pytest
import time_machine
from django.core import serializers
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from apps.accounts.models import ApiToken, Scope, User
from apps.accounts.tokens import find_token, required_scope
from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.audit.tokens import revoke_token
from tests.api.conftest import Script, script, token_of
from tests.factories import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_cached() -> None:
    cache.clear()


READ, STUDIES = Scope.DICOMWEB_READ, "/dicom-web/studies"
QUESTIONS = [
    ("GET", "/dicom-web/studies", Scope.DICOMWEB_READ),
    ("POST", "/dicom-web/studies", Scope.DICOMWEB_WRITE),
    ("DELETE", "/dicom-web/studies/1.2", Scope.DICOMWEB_WRITE),
    ("GET", "/wado?requestType=WADO", Scope.DICOMWEB_READ),
    ("GET", "/dicom-web/workitems", Scope.WORKLIST),
    ("POST", "/dicom-web/workitems/1.2/subscribers/A", Scope.WORKLIST),
    ("GET", "/api/v1/steps", Scope.WORKLIST),
    ("GET", "/api/v1/patients", Scope.API_READ),
    ("HEAD", "/api/v1/patients", Scope.API_READ),
    ("POST", "/api/v1/studies/1.2/match", Scope.API_WRITE),
]


@pytest.mark.parametrize(("method", "path", "scope"), QUESTIONS)
def test_each_request_needs_one_scope(
    user_of: Callable[[str], User], method: str, path: str, scope: Scope
) -> None:
    assert required_scope(method, path) is scope
    user = user_of("pacs-administrator")
    others = script(token_of(user, [one for one in Scope if one is not scope]))
    refused = others.generic(method, path)
    assert refused.status_code == 403
    assert f'error="insufficient_scope", scope="{scope}"' in refused["WWW-Authenticate"]
    if method != "HEAD":
        assert scope.value in refused.text
    assert script(token_of(user, [scope])).generic(method, path).status_code not in (401, 403)


def test_a_token_has_the_rights_of_its_owner_and_no_more(script_of: Script) -> None:
    assert script_of("pacs-administrator").get(STUDIES).status_code == 200
    assert script_of("system-administrator").get(STUDIES).status_code == 403


def test_pages_are_not_opened_by_tokens(script_of: Script) -> None:
    for page in ("/", "/studies/", "/account/tokens/", "/admin/"):
        assert script_of("pacs-administrator").get(page).status_code == 302


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer opk_wrong", "Bearer x y", "bearer \x00", "Bearer ä"]
)
def test_a_wrong_token_is_told_so(header: str) -> None:
    refused = Client(headers={"Authorization": header}).get(STUDIES)
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused["WWW-Authenticate"]


def test_an_expired_token_opens_nothing(user_of: Callable[[str], User]) -> None:
    program = script(token_of(user_of("pacs-administrator"), days=1))
    assert program.get(STUDIES).status_code == 200
    with time_machine.travel(timezone.now() + datetime.timedelta(days=1, seconds=1)):
        assert program.get(STUDIES).status_code == 401


def test_a_revoked_token_opens_nothing(user_of: Callable[[str], User], origin: Origin) -> None:
    secret = token_of(user_of("pacs-administrator"))
    assert revoke_token(ApiToken.objects.get(), origin=origin)
    assert not revoke_token(ApiToken.objects.get(), origin=origin)
    assert script(secret).get(STUDIES).status_code == 401
    assert Event.objects.filter(kind=Kind.API_TOKEN_REVOKED).count() == 1


def test_tokens_of_who_may_not_sign_in_are_dead_at_once(user_of: Callable[[str], User]) -> None:
    user = user_of("pacs-administrator")
    program = script(token_of(user))
    assert program.get(STUDIES).status_code == 200
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert program.get(STUDIES).status_code == 401


def test_the_secret_is_kept_nowhere(
    user_of: Callable[[str], User], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        secret = token_of(user_of("pacs-administrator"))
        script(secret).get(STUDIES)
        script(secret + "x").get(STUDIES)
    rows = [*ApiToken.objects.all(), *Event.objects.all(), *User.objects.all()]
    kept = serializers.serialize("json", rows) + caplog.text
    assert secret not in kept
    assert secret[12:] not in kept, "nor any good part of it"
    assert ApiToken.objects.get().prefix == secret[:10]


def test_refusals_are_in_the_journal_once_a_minute(user_of: Callable[[str], User]) -> None:
    secret = token_of(user_of("pacs-administrator"), days=-1)
    for _ in range(5):
        script(secret).get(STUDIES)
    row = Event.objects.get(kind=Kind.API_TOKEN_REFUSED)
    assert row.peer == secret[:10]
    assert row.address == "127.0.0.1"
    assert row.subject_id == str(ApiToken.objects.get().pk)


def test_who_guesses_does_not_fill_the_journal() -> None:
    for number in range(30):
        script(f"opk_{number}").get(STUDIES)
    assert Event.objects.filter(kind=Kind.API_TOKEN_REFUSED).count() == 10


def test_that_it_was_used_is_written_once_a_minute(user_of: Callable[[str], User]) -> None:
    program = script(token_of(user_of("pacs-administrator")))
    with time_machine.travel(timezone.now(), tick=False) as clock:
        seen = []
        for _ in range(3):
            program.get(STUDIES)
            seen.append(ApiToken.objects.get().last_used_at)
            clock.shift(30)
    assert seen[0] == seen[1]
    assert seen[2] is not None
    assert seen[1] is not None
    assert seen[2] > seen[1]


def test_finding_a_token_is_one_query(
    user_of: Callable[[str], User], django_assert_num_queries: Callable[..., object]
) -> None:
    secret = token_of(user_of("pacs-administrator"))
    with django_assert_num_queries(1):  # type: ignore[attr-defined]
        found = find_token(secret)
        assert found
        assert found.user.is_active


def test_with_a_token_no_csrf_token_is_asked_for_and_cookies_count_for_nothing(
    script_of: Script, user_of: Callable[[str], User]
) -> None:
    program = script_of("system-administrator")
    program.force_login(
        user_of("pacs-administrator"), backend="django.contrib.auth.backends.ModelBackend"
    )
    session = program.cookies["sessionid"].value
    assert program.get(STUDIES).status_code == 403, "the cookie's owner might have looked"
    assert program.cookies["sessionid"].value == session, "and the cookie is left alone"
    writer = script_of("technologist")
    assert writer.post(STUDIES, b"", content_type="text/plain").status_code == 415


def test_with_a_cookie_the_csrf_token_is_asked_for_as_ever(user_of: Callable[[str], User]) -> None:
    browser = signed_in(user_of("technologist"), enforce_csrf_checks=True)
    assert browser.post(STUDIES, b"", content_type="text/plain").status_code == 403


def test_who_must_choose_a_password_does_so_before_scripts_run(
    user_of: Callable[[str], User],
) -> None:
    user = user_of("pacs-administrator")
    secret = token_of(user)
    User.objects.filter(pk=user.pk).update(must_change_password=True)
    assert script(secret).get(STUDIES).status_code == 403


def made_by_hand(client: Client, **fields: object) -> str:
    """The secret on the page after making a token."""
    until = timezone.localdate() + datetime.timedelta(days=30)
    form = {"name": "night job", "scopes": ["api:read"], "until": until.isoformat(), **fields}
    page = client.post("/account/tokens/", form)
    assert page.status_code == 200, page.context["form"].errors
    return str(page.context["secret"])


def test_a_new_token_is_shown_once(as_role: Callable[[str], Client]) -> None:
    client = as_role("radiologist")
    secret = made_by_hand(client)
    assert script(secret).get("/api/v1/patients").status_code != 401
    page = client.get("/account/tokens/")
    assert secret not in page.text
    assert secret[:10] in page.text
    assert "no-store" in page["Cache-Control"]
    row = Event.objects.get(kind=Kind.API_TOKEN_MADE)
    assert row.details["scopes"] == ["api:read"]
    assert secret not in json.dumps(row.details)


@pytest.mark.parametrize(
    "fields",
    [{"scopes": []}, {"scopes": ["root"]}, {"until": "2001-01-01"}, {"until": "2999-01-01"}],
)
def test_a_token_without_scope_or_end_is_not_made(
    as_role: Callable[[str], Client], fields: dict[str, object]
) -> None:
    form = {"name": "x", "scopes": ["api:read"], "until": str(timezone.localdate()), **fields}
    assert as_role("radiologist").post("/account/tokens/", form).status_code == 422
    assert not ApiToken.objects.exists()


def test_people_revoke_their_own_tokens_only(as_role: Callable[[str], Client]) -> None:
    owner, other = as_role("radiologist"), as_role("resident")
    secret = made_by_hand(owner)
    address = f"/account/tokens/{ApiToken.objects.get().pk}/revoke/"
    assert other.post(address).status_code == 404
    assert owner.post(address).status_code == 302
    assert script(secret).get("/api/v1/patients").status_code == 401
    assert "Revoked" in owner.get("/account/tokens/").text


def test_administrators_see_all_tokens_and_revoke_them(as_role: Callable[[str], Client]) -> None:
    secret = made_by_hand(as_role("radiologist"))
    admin = as_role("system-administrator")
    address, key = "/admin/accounts/apitoken/", ApiToken.objects.get().pk
    assert secret[:10] in admin.get(address).text
    assert admin.get(f"{address}{key}/change/").status_code == 200
    admin.post(address, {"action": "revoke", "_selected_action": [key]})
    assert ApiToken.objects.get().revoked_at is not None
    auditor = as_role("auditor")
    assert 'value="revoke"' not in auditor.get(address).text


def test_without_a_token_the_answer_says_what_is_wanted() -> None:
    refused = Client().get("/api/v1/patients")
    assert refused.status_code == 401
    assert refused["WWW-Authenticate"] == 'Bearer realm="openpacs"'
    assert refused["Content-Type"] == "application/problem+json"
    assert refused.json()["status"] == 401
