"""Key images from the viewer: the doors for marks, and the panel on other pages."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pydicom.dataset import Dataset

from apps.audit.services import Origin
from apps.studies.models import Instance, Study
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from tests.dicom.objects import ct_image, part10
from tests.reports.rows import make_order, make_report
from tests.studies.conftest import spool
from tests.studies.test_provenance import report, stow

__all__ = ["spool"]
pytestmark = pytest.mark.django_db
AsRole = Callable[[str], Client]


@pytest.fixture
def image(spool: Spool, origin: Origin) -> Dataset:
    made = ct_image()
    store_instances([spool.write([part10(made)])], origin=origin)
    return made


def marks_of(client: Client, image: Dataset) -> list[dict[str, Any]]:
    answer = client.get(reverse("viewer:key-marks", args=[image.StudyInstanceUID]))
    found: list[dict[str, Any]] = answer.json()["images"]
    return found


def change(client: Client, image: Dataset, said: Any) -> Any:
    address = reverse("viewer:key-marks-change", args=[image.StudyInstanceUID])
    content = said if isinstance(said, bytes) else json.dumps(said)
    return client.post(address, content, content_type="application/json")


def test_a_press_marks_and_another_takes_the_mark_away(as_role: AsRole, image: Dataset) -> None:
    radiologist = as_role("radiologist")
    answer = change(radiologist, image, {"marked": [[image.SOPInstanceUID, 0]]})
    assert answer.status_code == 200
    (mark,) = answer.json()["images"]
    assert mark["image"] == image.SOPInstanceUID
    assert (mark["author"], mark["own"], mark["words"]) == ("Ada Radiologist", True, "Of interest")
    assert marks_of(radiologist, image) == [mark]
    (found,) = radiologist.get("/dicom-web/series", {"Modality": "KO"}).json()
    assert found["0020000D"]["Value"] == [image.StudyInstanceUID]
    change(radiologist, image, {"unmarked": [[image.SOPInstanceUID, 0]]})
    assert marks_of(radiologist, image) == []


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", 400),
        (b"[]", 400),
        ({"title": "113001"}, 400),
        ({"title": ["x"]}, 400),
        ({"marked": "x"}, 400),
        ({"marked": [["2.25.1"]]}, 400),
        ({"marked": [["2.25.1", True]]}, 400),
        ({"marked": [[1, 1]]}, 400),
        ({"marked": [["2.25.1", 0]]}, 404),
        (b"{" + b" " * 200_000 + b"}", 400),
    ],
)
def test_what_is_no_change_is_refused_with_words(
    as_role: AsRole, image: Dataset, said: Any, code: int
) -> None:
    answer = change(as_role("radiologist"), image, said)
    assert answer.status_code == code
    assert answer.json()["error"]
    assert Instance.objects.count() == 1


def test_only_who_may_store_may_mark(as_role: AsRole, image: Dataset) -> None:
    said = {"marked": [[image.SOPInstanceUID, 0]]}
    for role in ("referrer", "auditor", "front-desk"):
        assert change(as_role(role), image, said).status_code == 403
    assert change(as_role("resident"), image, said).status_code == 200
    address = reverse("viewer:key-marks-change", args=[image.StudyInstanceUID])
    assert as_role("radiologist").get(address).status_code == 405


def test_marks_of_a_study_that_is_not_visible_are_not_told(as_role: AsRole, image: Dataset) -> None:
    referrer, front_desk = as_role("referrer"), as_role("front-desk")
    radiologist = as_role("radiologist")
    for name in ("key-marks", "key-images"):
        address = reverse(f"viewer:{name}", args=[image.StudyInstanceUID])
        assert referrer.get(address).status_code == 404
        assert front_desk.get(address).status_code == 403
        assert radiologist.get(reverse(f"viewer:{name}", args=["2.25.404"])).status_code == 404


def test_a_change_needs_the_token(as_role: AsRole, image: Dataset) -> None:
    radiologist = as_role("radiologist")
    radiologist.handler.enforce_csrf_checks = True
    assert change(radiologist, image, {}).status_code == 403


def test_the_panel_leads_to_the_image_and_to_what_was_saved(
    as_role: AsRole, image: Dataset
) -> None:
    radiologist = as_role("radiologist")
    address = reverse("viewer:key-images", args=[image.StudyInstanceUID])
    assert radiologist.get(address).content.strip() == b""
    change(radiologist, image, {"marked": [[image.SOPInstanceUID, 0]], "title": "113004"})
    made = report(image, SeriesDescription="<b>Measurements</b>")
    stow(radiologist, made)
    text = radiologist.get(address).content.decode()
    assert f"initialSOPInstanceUID={image.SOPInstanceUID}" in text
    assert f"initialSeriesInstanceUID={image.SeriesInstanceUID}" in text
    assert "For teaching, Ada Radiologist" in text
    assert f"/instances/{made.SOPInstanceUID}/rendered" in text
    assert "saved here by Ada Radiologist" in text
    assert "&lt;b&gt;Measurements" in text


def test_the_pages_of_study_and_report_load_the_panel(as_role: AsRole, image: Dataset) -> None:
    radiologist = as_role("radiologist")
    study = Study.objects.get()
    panel = reverse("viewer:key-images", args=[image.StudyInstanceUID])
    assert panel in radiologist.get(reverse("studies:detail", args=[study.pk])).content.decode()
    order = make_order()
    study.procedures.set(order.procedures.all())
    written = make_report(order=order)
    page = radiologist.get(reverse("reports:edit", args=[written.pk])).content.decode()
    assert panel in page


def test_the_viewer_is_told_whether_its_user_may_mark(as_role: AsRole) -> None:
    for role, may in (("radiologist", True), ("referrer", False)):
        line = as_role(role).get("/viewer/app-config.js").content.decode().partition("\n")[0]
        facts = json.loads(line.removeprefix("const openpacs = ").rstrip(";"))
        assert facts["keyImages"]["mayMark"] is may
        assert facts["keyImages"]["titles"][0] == ["113000", "Of interest"]
