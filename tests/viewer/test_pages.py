"""The viewer's page, its configuration and the way into it."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.audit.models import Event, Kind
from apps.studies.models import Study

AsRole = Callable[[str], Client]
UID = "2.25.1"


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "BUILD_DIR", tmp_path)
    (tmp_path / "viewer").mkdir()
    (tmp_path / "viewer" / "index.html").write_text("<!doctype html><title>viewer</title>")


@pytest.fixture
def study(db: None) -> Study:
    return Study.objects.create(study_instance_uid=UID, last_instance_at=timezone.now())


def test_opening_a_study_leads_to_the_viewer(as_role: AsRole, study: Study) -> None:
    response = as_role("radiologist").get(reverse("viewer:open", args=[UID]))
    assert response["Location"] == f"/viewer/viewer?StudyInstanceUIDs={UID}"


def test_a_study_that_is_not_visible_cannot_be_opened(as_role: AsRole, study: Study) -> None:
    referrer = as_role("referrer")
    assert referrer.get(reverse("viewer:open", args=[UID])).status_code == 404
    both = reverse("viewer:open", args=[f"{UID},2.25.404"])
    assert as_role("radiologist").get(both).status_code == 404
    assert referrer.get("/viewer/viewer", {"StudyInstanceUIDs": UID}).status_code == 404


def test_looking_at_a_study_is_in_the_journal(as_role: AsRole, study: Study) -> None:
    as_role("radiologist").get("/viewer/viewer", {"StudyInstanceUIDs": UID})
    event = Event.objects.get(kind=Kind.STUDY_VIEWED)
    assert (event.study_instance_uid, event.peer) == (UID, "radiologist")


def test_every_study_of_a_list_must_be_visible(as_role: AsRole, study: Study) -> None:
    address = f"/viewer/viewer?StudyInstanceUIDs={UID},2.25.2"
    assert as_role("radiologist").get(address).status_code == 404


def test_front_desk_and_strangers_do_not_get_in(as_role: AsRole, study: Study) -> None:
    assert as_role("front-desk").get(reverse("viewer:open", args=[UID])).status_code == 403
    response = Client().get("/viewer/viewer")
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("accounts:login"))


@pytest.mark.parametrize("path", ["/viewer/", "/viewer/viewer", "/viewer/tmtv", "/viewer/a/b"])
def test_every_address_of_the_viewer_is_its_one_page(as_role: AsRole, path: str) -> None:
    assert b"<title>viewer</title>" in as_role("radiologist").get(path).content


@pytest.mark.parametrize("path", ["/viewer/missing.js", "/viewer/ort/model.wasm"])
def test_a_missing_file_is_a_404(as_role: AsRole, path: str) -> None:
    assert as_role("radiologist").get(path).status_code == 404


def test_the_page_is_never_kept_and_has_a_policy_of_its_own(as_role: AsRole) -> None:
    response = as_role("radiologist").get("/viewer/")
    policy = response["Content-Security-Policy"]
    assert "no-store" in response["Cache-Control"]
    assert re.search(r"script-src 'self' 'unsafe-eval'(;|$)", policy)
    assert "connect-src 'self' blob: data:" in policy
    assert "http" not in policy


def test_a_viewer_that_is_not_installed_says_so(as_role: AsRole) -> None:
    (settings.BUILD_DIR / "viewer" / "index.html").unlink()
    response = as_role("radiologist").get("/viewer/")
    assert response.status_code == 503
    assert b"make install" in response.content


def facts(client: Client) -> dict[str, dict[str, object]]:
    response = client.get("/viewer/app-config.js")
    assert response["Content-Type"] == "text/javascript; charset=utf-8"
    assert "no-store" in response["Cache-Control"]
    line = response.content.decode().partition("\n")[0]
    given: dict[str, dict[str, object]] = json.loads(
        line.removeprefix("const openpacs = ").rstrip(";")
    )
    return given


def test_the_configuration_names_no_host(as_role: AsRole) -> None:
    given = facts(as_role("radiologist"))
    assert given["site"]["dicomweb"] == "/dicom-web"
    assert given["site"]["base"] == "/viewer/"
    text = as_role("resident").get("/viewer/app-config.js").content.decode()
    assert re.findall(r"https?://[^\"'`$]+", text) == []


def test_storing_from_the_viewer_follows_the_rights_of_the_user(as_role: AsRole) -> None:
    assert facts(as_role("technologist"))["site"]["mayStore"] is True
    assert facts(as_role("resident"))["site"]["mayStore"] is True
    assert facts(as_role("referrer"))["site"]["mayStore"] is False


def test_the_token_of_the_configuration_opens_a_guarded_post(as_role: AsRole) -> None:
    client = as_role("radiologist")
    client.handler.enforce_csrf_checks = True
    token = str(facts(client)["site"]["csrfToken"])
    address = reverse("accounts:logout")
    assert client.post(address).status_code == 403
    assert client.post(address, headers={"X-CSRFToken": token}).status_code == 302


def test_several_studies_are_opened_together(as_role: AsRole, study: Study) -> None:
    other = Study.objects.create(study_instance_uid="2.25.2", last_instance_at=timezone.now())
    address = reverse("viewer:open-several")
    keys = {"study": [str(study.pk), str(other.pk), "x", "99999"]}
    response = as_role("radiologist").get(address, keys)
    assert response["Location"] == f"/viewer/viewer?StudyInstanceUIDs=2.25.2%2C{UID}"
    assert as_role("referrer").get(address, keys).status_code == 404


def test_the_page_names_beforehand_what_the_viewer_will_ask_for(as_role: AsRole) -> None:
    folder = settings.BUILD_DIR / "public" / "viewer"
    folder.mkdir(parents=True)
    (folder / "89.bundle.00ff.js").write_text("")
    (settings.BUILD_DIR / "viewer" / "index.html").write_text("<html><head></head></html>")
    page = as_role("radiologist").get("/viewer/").text
    assert '<link rel="preload" as="script" href="/viewer/89.bundle.00ff.js">' in page
    assert re.search(
        r'<link rel="modulepreload" href="/static/js/viewer/extension[.\w]*\.js">', page
    )


def test_the_page_has_the_layouts_of_its_first_study_fetched(as_role: AsRole, study: Study) -> None:
    (settings.BUILD_DIR / "viewer" / "index.html").write_text("<html><head></head></html>")
    client = as_role("radiologist")
    address = f"{reverse('viewer:layouts')}?study={UID}"
    link = f'<link rel="preload" as="fetch" crossorigin href="{address}">'
    assert link in client.get("/viewer/viewer", {"StudyInstanceUIDs": UID}).text
    assert 'as="fetch"' not in client.get("/viewer/viewer").text
