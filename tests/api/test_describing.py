"""What the door says of itself."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.api.operations import TITLES
from apps.api.views.describing import METHODS, schema_document
from tests.api.conftest import Script

pytestmark = [pytest.mark.alike, pytest.mark.django_db]
OPERATIONS = [
    (path, method, item[method])
    for path, item in schema_document()["paths"].items()
    for method in METHODS
    if method in item
]


def test_the_schema_is_given_as_openapi_3_1(script_of: Script) -> None:
    script = script_of("radiologist")
    told = script.get("/api/v1/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert told.status_code == 200
    assert told.json()["openapi"] == "3.1.0"
    assert set(told.json()["paths"]) == set(schema_document()["paths"])
    assert script.get("/api/v1/schema").text.startswith("openapi: 3.1.0")
    assert Client().get("/api/v1/schema").status_code == 401


@pytest.mark.parametrize(("path", "method", "told"), OPERATIONS)
def test_every_operation_has_examples_refusals_and_its_scope(
    path: str, method: str, told: dict[str, Any]
) -> None:
    assert told["summary"]
    assert told["security"] == [{"token": [told["x-scope"]]}, {"session": []}]
    for status, answer in told["responses"].items():
        for media_type, content in answer.get("content", {}).items():
            binary = media_type in ("application/dicom", "application/pdf")
            assert binary or content["examples"], f"{status} {media_type}"
    assert {"400", "401", "403"} <= set(told["responses"])
    assert {int(status) for status in told["responses"] if status > "3"} <= set(TITLES)
    assert ("404" in told["responses"]) == ("{" in path)
    if "requestBody" in told:
        assert told["requestBody"]["content"]["application/json"]["examples"]


def test_the_reference_shows_every_operation_without_inline_script_or_style(
    as_role: Callable[[str], Client],
) -> None:
    page = as_role("front-desk").get("/account/api/")
    for path, method, told in OPERATIONS:
        assert f'id="{told["operationId"]}"' in page.text, (path, method)
    assert " style=" not in page.text
    assert "<script>" not in page.text
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
