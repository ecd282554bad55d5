"""QIDO-RS: the media types of answers, methods, and what the service says of itself."""

import csv
import io
import re
from email import message_from_bytes
from typing import Any
from xml.etree import ElementTree

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver

from apps.dicom.native_xml import NAMESPACE
from apps.dicomweb import queries
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import Keep

pytestmark = [pytest.mark.alike, pytest.mark.django_db]
STUDIES = "/dicom-web/studies"
XML = 'multipart/related; type="application/dicom+xml"'
WADL = "{http://wadl.dev.java.net/2009/02}"


@pytest.fixture(autouse=True)
def _archive(keep: Keep) -> None:
    keep(ct_image(PatientID="P1", StudyDate="20260101"))
    keep(ct_image(PatientID="=cmd|' /C calc'!A0", PatientName="@SUM^Anna", StudyDate="20260202"))


def got(client: Client, address: str, accept: str = "*/*") -> Any:
    return client.get(address, headers={"accept": accept})


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/dicom+json", "application/dicom+json"),
        ("application/json", "application/dicom+json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/dicom+json"),
        (XML, "multipart/related"),
        ("multipart/related; type=application/dicom+xml", "multipart/related"),
        (f"application/dicom+json;q=0.5, {XML}", "multipart/related"),
        (f"application/dicom+json, {XML};q=0.9", "application/dicom+json"),
        ("text/csv", "text/csv"),
        ("image/png, text/*;q=0.1", "text/csv"),
    ],
)
def test_the_best_acceptable_type_is_answered(radiologist: Client, accept: str, kind: str) -> None:
    answer = got(radiologist, STUDIES, accept)
    assert answer.status_code == 200
    assert answer["Content-Type"].split(";")[0] == kind


@pytest.mark.parametrize(
    "accept", ["image/png", "application/dicom+xml", "application/dicom+json;q=0", "text/html"]
)
def test_other_types_are_refused_with_what_there_is(radiologist: Client, accept: str) -> None:
    answer = got(radiologist, STUDIES, accept)
    assert answer.status_code == 406
    assert "application/dicom+json" in answer.json()["error"]


def test_the_address_goes_before_the_header(radiologist: Client) -> None:
    answer = got(radiologist, f"{STUDIES}?accept=text/csv", "application/dicom+json")
    assert answer["Content-Type"].startswith("text/csv")
    assert "Accept" in answer["Vary"].split(", ")
    for written in ("application/dicom%2Bjson", "application/dicom+json"):
        answer = got(radiologist, f"{STUDIES}?accept={written}", "text/csv")
        assert answer["Content-Type"] == "application/dicom+json"


def test_xml_has_a_part_for_each_answer(radiologist: Client) -> None:
    answer = got(radiologist, f"{STUDIES}?includefield=BitsStored", XML)
    head = f"Content-Type: {answer['Content-Type']}\r\n\r\n".encode()
    parts: Any = message_from_bytes(head + answer.getvalue()).get_payload()
    rows = radiologist.get(STUDIES).json()
    assert [part.get_content_type() for part in parts] == ["application/dicom+xml"] * len(rows)
    for part, row in zip(parts, rows, strict=True):
        root = ElementTree.fromstring(part.get_payload(decode=True))
        assert root.tag == f"{{{NAMESPACE}}}NativeDicomModel"
        values = {one.get("tag"): "".join(one.itertext()) for one in root}
        assert values["0020000D"] == row["0020000D"]["Value"][0]
        assert values["00280101"] == "12"


def test_no_answer_is_no_xml_at_all(radiologist: Client) -> None:
    answer = got(radiologist, f"{STUDIES}?PatientID=nobody", XML)
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_table_runs_no_formula_of_a_patient(radiologist: Client) -> None:
    answer = got(radiologist, STUDIES, "text/csv")
    second, first = csv.DictReader(io.StringIO(answer.content.decode()))
    assert first["PatientID"] == "P1"
    assert first["NumberOfStudyRelatedInstances"] == "1"
    assert second["PatientID"].startswith("'=cmd|")
    assert second["PatientName"] == "'@SUM^Anna"
    assert first["RetrieveURL"].startswith(f"{STUDIES}/")


def test_a_head_request_is_answered_without_a_body(radiologist: Client) -> None:
    answer = radiologist.head(STUDIES)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("studies", "GET, POST, HEAD, OPTIONS"),
        ("series", "GET, HEAD, OPTIONS"),
        ("studies/1.2/series/1.3/instances", "GET, HEAD, OPTIONS"),
    ],
)
def test_other_methods_are_refused_and_options_told(
    radiologist: Client, path: str, allowed: str
) -> None:
    for method in ("put", "delete", "patch"):
        refused = getattr(radiologist, method)(f"/dicom-web/{path}")
        assert refused.status_code == 405
        assert refused["Allow"] == allowed
        assert "error" in refused.json()
    told = radiologist.options(f"/dicom-web/{path}")
    assert (told.status_code, told["Allow"]) == (204, allowed)


def test_the_capabilities_name_every_route_and_its_keys(radiologist: Client) -> None:
    answer = got(radiologist, "/dicom-web/capabilities")
    assert answer["Content-Type"] == "application/vnd.sun.wadl+xml"
    root = ElementTree.fromstring(answer.content)
    found = {one.get("path"): one for one in root.iter(f"{WADL}resource")}
    services: list[Any] = list(get_resolver().url_patterns)
    (service,) = (one for one in services if getattr(one, "app_name", "") == "dicomweb")
    assert len(found) == len(service.url_patterns)
    series = found["studies/{study}/series"]
    names = {one.get("name") for one in series.iter(f"{WADL}param")}
    assert {"study", "limit", "includefield", "PatientID", "SeriesDate"} <= names
    methods = [one.get("name") for one in found["studies"].findall(f"{WADL}method")]
    assert methods == ["GET", "POST"]
    types = {one.get("mediaType") for one in series.iter(f"{WADL}representation")}
    assert {"application/dicom+json", XML} <= types


def test_the_capabilities_are_told_as_json_too(radiologist: Client) -> None:
    said = got(radiologist, "/dicom-web/capabilities", "application/json").json()
    assert said["base"] == "/dicom-web/"
    (studies,) = (one for one in said["resources"] if one["path"] == "studies")
    assert studies["methods"] == ["GET", "POST"]
    assert {"PatientName", "fuzzymatching"} <= set(studies["parameters"])
    assert got(radiologist, "/dicom-web/capabilities", "image/png").status_code == 406


def test_the_conformance_statement_names_every_key() -> None:
    text = (settings.BASE_DIR / "docs" / "conformance-web-hl7.md").read_text()
    named = set(re.findall(r"\w+", text))
    assert {*queries.SEARCHED, *queries.PARAMETERS} <= named
