"""Work items over HTTP, as the tests ask for them."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.test import Client

from apps.dicom.json import JsonDataset
from tests.workitems.samples import (
    fresh_uid,
    planned,
)

WORK = "/dicom-web/workitems"
JSON = "application/dicom+json"


@pytest.fixture
def client(as_role: Callable[[str], Client]) -> Client:
    return as_role("technologist")


def post(client: Client, path: str, body: Any = None) -> Any:
    data = b"" if body is None else orjson.dumps(body)
    return client.post(f"{WORK}{path}", data, content_type=JSON)


def put_state(client: Client, uid: str, body: JsonDataset) -> Any:
    return client.put(f"{WORK}/{uid}/state", orjson.dumps(body), content_type=JSON)


def create(client: Client, **values: Any) -> str:
    uid = fresh_uid()
    assert post(client, f"?{uid}", planned(**values)).status_code == 201
    return uid


def labels(response: Any) -> list[str]:
    assert response["Content-Type"] == JSON
    return [row["00741204"]["Value"][0] for row in response.json()]
