"""Work items as XML, and bodies that are none."""

import xml.etree.ElementTree as ET

import orjson
import pytest
from django.test import Client

from apps.dicom.json import JsonDataset
from apps.dicom.native_xml import native_xml
from tests.dicomweb.workitems import JSON, WORK, client, create, labels
from tests.workitems.samples import (
    fresh_uid,
    planned,
)

__all__ = ["client"]

pytestmark = pytest.mark.django_db


def test_xml_is_answered_to_who_asks_for_it(client: Client) -> None:
    uid = create(client, PatientName={"Alphabetic": "Doe^John"})
    wanted = {"Accept": 'multipart/related; type="application/dicom+xml"'}
    response = client.get(f"{WORK}/{uid}", headers=wanted)
    assert response["Content-Type"].startswith('multipart/related; type="application/dicom+xml"')
    document = response.getvalue().split(b"\r\n\r\n")[1].rpartition(b"\r\n--")[0]
    tags = {one.get("tag") for one in ET.fromstring(document)}
    assert {"00080018", "00100010"} <= tags
    assert b"NativeDicomModel" in client.get(WORK, headers=wanted).getvalue()
    assert client.get(WORK, headers={"Accept": "text/html"}).status_code == 406


def test_xml_is_taken_bare_or_as_the_only_part(client: Client) -> None:
    document = native_xml(planned(ProcedureStepLabel="In XML"))
    bare = client.post(WORK, document, content_type="application/dicom+xml")
    assert bare.status_code == 201
    part = b"--x\r\nContent-Type: application/dicom+xml\r\n\r\n" + document + b"\r\n"
    kind = 'multipart/related; type="application/dicom+xml"; boundary=x'
    assert client.post(WORK, part + b"--x--\r\n", content_type=kind).status_code == 201
    assert client.post(WORK, part + part + b"--x--\r\n", content_type=kind).status_code == 400
    assert client.post(WORK, b"nothing", content_type=kind).status_code == 400
    assert labels(client.get(WORK)) == ["In XML", "In XML"]


@pytest.mark.parametrize(
    "document",
    [
        b"<x/>",
        b"<",
        b'<!DOCTYPE a [<!ENTITY b "c">]><NativeDicomModel/>',
        b'<NativeDicomModel><DicomAttribute tag="0" vr="LO"/></NativeDicomModel>',
    ],
)
def test_hostile_xml_is_refused(client: Client, document: bytes) -> None:
    response = client.post(WORK, document, content_type="application/dicom+xml")
    assert response.status_code == 400
    assert response.json()["error"]


def deep(levels: int) -> JsonDataset:
    found: JsonDataset = {}
    for _ in range(levels):
        found = {"00404021": {"vr": "SQ", "Value": [found]}}
    return found


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b"[1]", 400),
        (b'"text"', 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (orjson.dumps([{}, {}]), 400),
        (orjson.dumps(planned() | deep(60)), 400),
        (b'{"a":' * 900 + b"1" + b"}" * 900, 400),
        (orjson.dumps({"nonsense": {"vr": "CS"}}), 400),
        (orjson.dumps(planned() | {"00741204": {"vr": "US", "Value": [1]}}), 400),
        (orjson.dumps(planned() | {"00741204": {"vr": "LO", "Value": [{"a": 1}]}}), 400),
        (orjson.dumps(planned() | {"00741204": {"vr": "LO", "Value": "text"}}), 400),
        (orjson.dumps(planned() | {"00741204": {"Value": ["text"]}}), 400),
        (orjson.dumps(planned() | {"00741204": {"vr": "LO", "Value": ["x" * 65]}}), 400),
        (orjson.dumps(planned() | {"00741204": {"vr": "LO", "Value": ["a\0b"]}}), 400),
        (orjson.dumps(planned() | {"00404005": {"vr": "DT", "Value": ["99999999"]}}), 400),
        (orjson.dumps(planned() | {"00100010": {"vr": "PN", "Value": ["Doe"]}}), 400),
        (orjson.dumps(planned() | {"00101030": {"vr": "DS", "Value": [True]}}), 400),
        (b'{"00101030":{"vr":"DS","Value":[1e999]}}', 400),
        (orjson.dumps(planned() | {"00101030": {"vr": "DS", "Value": ["inf"]}}), 400),
        (orjson.dumps(planned() | {"0020000D": {"vr": "UI", "Value": ["x"]}}), 400),
        (orjson.dumps(planned() | {"00001000": {"vr": "UI", "Value": ["1.2"]}}), 400),
        (orjson.dumps(planned() | {"7FE00010": {"vr": "OW", "BulkDataURI": "file:///"}}), 400),
        (orjson.dumps(planned() | {"00420011": {"vr": "OB", "InlineBinary": "%%"}}), 400),
        (b'{"00741204":{"vr":"LO","Value":["\\ud800"]}}', 400),
        (b" " * 3_000_000, 413),
    ],
    ids=range(27),
)
def test_hostile_bodies_are_refused_with_a_reason(client: Client, body: bytes, status: int) -> None:
    response = client.post(f"{WORK}?{fresh_uid()}", body, content_type=JSON)
    assert response.status_code == status
    assert response.json()["error"]


def test_bodies_of_another_kind_are_refused(client: Client) -> None:
    response = client.post(WORK, b"<x/>", content_type="text/plain")
    assert response.status_code == 415
