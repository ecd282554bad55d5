"""Addresses that name nothing are answered 404, whatever is in them."""

import re

import pytest
from django.test import Client
from django.urls import get_resolver

from tests.test_routes import walk

ROUTES = [path for path, _, _ in walk(get_resolver().url_patterns) if path.startswith("dicom-web/")]
PLACED = [path for path in ROUTES if "<" in path]


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["%00", "1%002", "%ED%A0%80", "%F4%8F%BF%BF", "%25", "1" * 300])
@pytest.mark.parametrize("path", PLACED)
def test_what_is_no_uid_is_not_found(radiologist: Client, path: str, what: str) -> None:
    answer = radiologist.get("/" + re.sub(r"<[^>]+>", what, path))
    assert answer.status_code in (400, 404, 405)
    assert answer.headers["Content-Type"].startswith("application/json") or not answer.content


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["", "/", "/patients", "/studies/", "/studies/1.2/nothing"])
def test_an_address_that_there_is_not_is_told_as_programs_are_told(
    radiologist: Client, client: Client, path: str
) -> None:
    answer = radiologist.get(f"/dicom-web{path}")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    assert "/dicom-web/capabilities" in answer.json()["error"]
    assert client.get(f"/dicom-web{path}", headers={"accept": "*/*"}).status_code in (302, 401)
