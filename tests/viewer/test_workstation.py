"""The 3D workstation: its page, the manifest of a series, and the way into them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from pydicom.uid import HTJ2K

from apps.audit.models import Event, Kind
from apps.studies.models import Instance, Series, Study
from apps.studies.spool import Spool
from apps.viewer.volview import MAY_EXPORT, STYLES
from tests.dicom.objects import ct_image
from tests.dicomweb.conftest import keep
from tests.factories import OrderFactory, ReferrerFactory, RequestedProcedureFactory, make_user
from tests.studies.conftest import spool

__all__ = ["keep", "spool"]

AsRole = Callable[[str], Client]
Keep = Callable[..., Instance]
STUDY, SERIES = "2.25.1", "2.25.2"
MANIFEST = f"/volview/series/{STUDY}/{SERIES}.json"


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "BUILD_DIR", tmp_path)
    (tmp_path / "volview").mkdir()
    (tmp_path / "volview" / "index.html").write_text(f"<title>VolView</title>{STYLES}")


@pytest.fixture
def images(keep: Keep, spool: Spool) -> list[Instance]:
    """Two images of one series, which came in the wrong order."""
    uids = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES}
    return [keep(ct_image(InstanceNumber=number, **uids)) for number in (2, 1)]


def test_the_largest_series_is_opened_or_the_one_that_is_named(
    as_role: AsRole, images: list[Instance], keep: Keep
) -> None:
    keep(ct_image(StudyInstanceUID=STUDY, SeriesInstanceUID="2.25.3"))
    client, address = as_role("radiologist"), reverse("volview:open", args=[STUDY])
    assert opened(client.get(address)["Location"]) == f"[{MANIFEST}]"
    named = client.get(address, {"series": "2.25.3"})["Location"]
    assert opened(named) == f"[/volview/series/{STUDY}/2.25.3.json]"
    assert client.get(address, {"series": "2.25.4"}).status_code == 404


def opened(location: str) -> str:
    path, query = urlsplit(location).path, parse_qs(urlsplit(location).query)
    assert path == "/volview/"
    return query["urls"][0]


def test_the_images_of_a_series_are_listed_in_order_and_can_be_had(
    as_role: AsRole, images: list[Instance]
) -> None:
    client = as_role("resident")  # may look, may not export
    response = client.get(MANIFEST)
    assert "no-store" in response["Cache-Control"]
    resources = response.json()["resources"]
    assert [one["name"] for one in resources] == ["1.dcm", "2.dcm"]
    for one, row in zip(resources, reversed(images), strict=True):
        file = client.get(one["url"])
        assert file["Content-Type"].startswith("application/dicom")
        assert row.sop_instance_uid.encode() in b"".join(file)


def test_what_its_decoder_does_not_read_is_asked_for_uncompressed(
    as_role: AsRole, images: list[Instance]
) -> None:
    Instance.objects.filter(pk=images[0].pk).update(transfer_syntax_uid=HTJ2K)
    resources = as_role("radiologist").get(MANIFEST).json()["resources"]
    assert ["transferSyntax=%2A" in one["url"] for one in resources] == [True, False]


def test_looking_at_a_series_is_in_the_journal(as_role: AsRole, images: list[Instance]) -> None:
    response = as_role("radiologist").get("/volview/", {"urls": f"[{MANIFEST}]"})
    assert b"<title>VolView</title>" in response.content
    event = Event.objects.get(kind=Kind.STUDY_VIEWED)
    assert (event.study_instance_uid, event.peer) == (STUDY, "radiologist")


@pytest.mark.parametrize(("role", "may"), [("radiologist", True), ("resident", False)])
def test_sessions_with_their_images_are_saved_by_who_may_export(
    as_role: AsRole, images: list[Instance], role: str, may: bool
) -> None:
    page = as_role(role).get("/volview/", {"urls": f"[{MANIFEST}]"})
    assert (MAY_EXPORT in page.text) is may


@pytest.mark.parametrize(
    "urls",
    [
        f"[/volview/series/{STUDY}/9.9.json]",
        f"[{MANIFEST},/volview/series/9.9/{SERIES}.json]",
        f"[{MANIFEST},https://example.org/volview/series/{STUDY}/{SERIES}.json]",
        "https://example.org/images.zip",
        "//example.org/images.zip",
        "/dicom-web/studies",
        "[" + ",".join([MANIFEST] * 11) + "]",
    ],
)
def test_the_page_opens_series_of_ours_and_nothing_else(
    as_role: AsRole, images: list[Instance], urls: str
) -> None:
    assert as_role("radiologist").get("/volview/", {"urls": urls}).status_code == 404


def test_a_referrer_sees_own_studies_only(client: Client, images: list[Instance]) -> None:
    user = make_user("referrer")
    client.force_login(user)
    addresses: list[tuple[str, dict[str, str]]] = [
        ("/volview/", {"urls": f"[{MANIFEST}]"}),
        (MANIFEST, {}),
        (reverse("volview:open", args=[STUDY]), {}),
    ]
    assert {client.get(*one).status_code for one in addresses} == {404}
    order = OrderFactory.create(referrer=ReferrerFactory.create(user=user))
    asked = RequestedProcedureFactory.create(order=order)
    Study.objects.get().procedures.add(asked)
    assert [client.get(*one).status_code for one in addresses] == [200, 200, 302]


@pytest.mark.parametrize("address", ["/volview/", MANIFEST, f"/volview/open/{STUDY}/"])
def test_front_desk_and_strangers_stay_outside(
    as_role: AsRole, images: list[Instance], address: str
) -> None:
    assert as_role("front-desk").get(address).status_code == 403
    response = Client().get(address)
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("accounts:login"))


def test_the_page_has_a_tight_policy_and_our_style_sheets(as_role: AsRole, db: Any) -> None:
    response = as_role("radiologist").get("/volview/")
    policy = response["Content-Security-Policy"]
    assert "no-store" in response["Cache-Control"]
    assert re.search(r"script-src 'self' 'wasm-unsafe-eval'(;|$)", policy)
    assert "connect-src 'self' blob: data:" in policy
    assert "http" not in policy
    assert "'unsafe-eval'" not in policy
    assert response.content.count(b'<link rel="stylesheet" href="/static/') == 2


def test_a_workstation_that_is_not_installed_says_so(as_role: AsRole, db: Any) -> None:
    (settings.BUILD_DIR / "volview" / "index.html").unlink()
    response = as_role("radiologist").get("/volview/")
    assert response.status_code == 503
    assert b"make install" in response.content


def test_a_series_without_images_has_an_empty_manifest(
    as_role: AsRole, images: list[Instance]
) -> None:
    Instance.objects.update(pixel_vr="")
    assert Series.objects.count() == 1
    assert as_role("radiologist").get(MANIFEST).json() == {"resources": []}
