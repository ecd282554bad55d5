"""Printing from the viewer: who may, what is on the sheet, what is refused."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings
from django.urls import reverse

from apps.accounts.models import User
from apps.audit.models import Event, Kind
from apps.studies.models import Study
from tests.dicom.objects import ct_image, part10
from tests.dimse.receiving import keep
from tests.factories import PatientFactory
from tests.reports.rows import make_order, make_study
from tests.reports.test_pictures import picture, pictures_in
from tests.storage import store_below

pytestmark = pytest.mark.django_db
AsRole = Callable[[str], Client]


@pytest.fixture(autouse=True)
def storage(tmp_path: Path, settings: Any) -> None:
    """A storage of its own for every test."""
    store_below(tmp_path, settings)


def entry(of: Study, **fields: Any) -> dict[str, Any]:
    given = {"study": of.study_instance_uid, "box": [0, 0, 1, 1], "caption": ["Image 7"]}
    return {**given, **fields}


def send_layout(client: Client, *plan: Any, content: bytes | None = None, **fields: Any) -> Any:
    shown = picture() if content is None else content
    files = [SimpleUploadedFile(f"{at}.jpg", shown) for at in range(len(plan))]
    given = {"paper": "a4", "orientation": "landscape", "plan": json.dumps(plan), "picture": files}
    return client.post(reverse("viewer:print-layout"), {**given, **fields})


def send_rows(client: Client, series: str, **fields: Any) -> Any:
    given = {"paper": "us-letter", "orientation": "portrait", "series": series}
    wanted = {"first": 1, "last": 999, "step": 1, "rows": 2, "columns": 2}
    return client.post(reverse("viewer:print-rows"), {**given, **wanted, **fields})


def words_in(content: bytes) -> str:
    if shutil.which("pdftotext") is None:
        pytest.fail("pdftotext is missing: install poppler-utils")
    arguments = ["pdftotext", "-layout", "-", "-"]
    return subprocess.run(arguments, input=content, capture_output=True, check=True).stdout.decode()


@pytest.mark.peer
def test_a_layout_is_printed_with_who_it_shows_and_who_printed_it(as_role: AsRole) -> None:
    order = make_order()
    study = make_study(order, study_date="2026-11-20", description="Chest #panic()")
    quarters = [[x, y, 0.5, 0.5] for y in (0, 0.5) for x in (0, 0.5)]
    plan = [entry(study, box=box, letters={"left": "RA", "top": "H"}) for box in quarters]
    with override_settings(OPENPACS_SITE_NAME="Riverside Hospital"):
        answer = send_layout(as_role("radiologist"), *plan)
    printer = User.objects.get(username="radiologist")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf")
    assert pictures_in(answer.content) == 4
    words = words_in(answer.content)
    for said in (
        order.patient.display_name,
        order.patient.identifiers.get().value,
        order.accession_number,
        "2026-11-20",
        "Chest #panic()",
        "Riverside Hospital",
        "Image 7",
        "RA",
        f"Printed by {printer}",
        "Page 1 of 1",
    ):
        assert said in words
    event = Event.objects.get(kind=Kind.IMAGES_PRINTED)
    assert (event.peer, event.details) == ("radiologist", {"pictures": 4})
    assert event.study_instance_uid == study.study_instance_uid


@pytest.mark.peer
def test_a_series_is_printed_in_rows_on_as_many_pages_as_it_takes(as_role: AsRole) -> None:
    first = ct_image(SeriesDescription="Axial #1")
    same = {name: first[name].value for name in ("StudyInstanceUID", "SeriesInstanceUID")}
    more = [ct_image(**same, InstanceNumber=number) for number in range(2, 8)]
    keep(*(part10(one) for one in (first, *more)))
    client = as_role("technologist")
    answer = send_rows(client, first.SeriesInstanceUID, first=2, center=10, width=20)
    assert answer.status_code == 200
    words = words_in(answer.content)
    for said in ("Müller Jörg", "P0000001", "Page 2 of 2", "Axial #1", "Image 7", "W 20 L 10"):
        assert said in words
    assert "Image 1 " not in words
    assert pictures_in(answer.content) == 6
    every_third = send_rows(client, first.SeriesInstanceUID, step=3)
    assert pictures_in(every_third.content) == 3


def test_only_visible_studies_are_printed(as_role: AsRole) -> None:
    image = ct_image()
    keep(part10(image))
    study = Study.objects.get()
    referrer = as_role("referrer")
    assert send_layout(referrer, entry(study)).status_code == 404
    assert send_rows(referrer, image.SeriesInstanceUID).status_code == 404
    desk = as_role("front-desk")
    assert send_layout(desk, entry(study)).status_code == 403
    assert send_rows(desk, image.SeriesInstanceUID).status_code == 403
    assert send_layout(as_role("radiologist"), entry(study, study="2.25.404")).status_code == 404


def test_two_patients_are_not_on_one_sheet(as_role: AsRole) -> None:
    mine, other = make_study(make_order()), make_study(make_order())
    plan = [entry(mine, box=[0, 0, 0.5, 1]), entry(other, box=[0.5, 0, 0.5, 1])]
    answer = send_layout(as_role("radiologist"), *plan)
    assert (answer.status_code, "two patients" in answer.content.decode()) == (422, True)
    assert not Event.objects.filter(kind=Kind.IMAGES_PRINTED).exists()


def test_a_prior_of_the_same_patient_may_be_beside_it(as_role: AsRole) -> None:
    study = make_study(make_order())
    prior = make_study(patient=study.patient, match=Study.Match.MATCHED)
    plan = [entry(study, box=[0, 0, 0.5, 1]), entry(prior, box=[0.5, 0, 0.5, 1])]
    assert send_layout(as_role("radiologist"), *plan).status_code == 200
    assert Event.objects.filter(kind=Kind.IMAGES_PRINTED).count() == 2


def test_studies_of_merged_records_are_of_one_patient(as_role: AsRole) -> None:
    study = make_study(make_order())
    former = PatientFactory.create(status="merged", merged_into=study.patient)
    prior = make_study(patient=former, match=Study.Match.MATCHED)
    plan = [entry(prior, box=[0, 0, 0.5, 1]), entry(study, box=[0.5, 0, 0.5, 1])]
    assert send_layout(as_role("radiologist"), *plan).status_code == 200


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"\xff\xd8\xff" + bytes(99), picture()[:99]])
def test_what_is_no_picture_is_refused(as_role: AsRole, content: bytes) -> None:
    plan = [entry(make_study(make_order()))]
    assert send_layout(as_role("radiologist"), *plan, content=content).status_code == 422


@pytest.mark.parametrize(
    "fields",
    [
        {"box": [0, 0, 2, 1]},
        {"box": [0, 0, 0, 1]},
        {"box": [0, 0, float("nan"), 1]},
        {"box": "everywhere"},
        {"caption": [1]},
        {"caption": {"a": 1}},
        {"letters": ["R"]},
        {"study": None},
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(as_role: AsRole, fields: dict[str, Any]) -> None:
    plan = entry(make_study(make_order()), **fields)
    assert send_layout(as_role("radiologist"), plan).status_code == 400


@pytest.mark.parametrize("plan", ["", "[", "[1]", "{}", "[]", "7", "null", "[" * 60_000])
def test_what_is_no_plan_is_refused(as_role: AsRole, plan: str) -> None:
    good = entry(make_study(make_order()))
    client = as_role("radiologist")
    assert send_layout(client, good, plan=plan).status_code == 400
    assert send_layout(client, good, plan=json.dumps([good] * 2)).status_code == 400


def test_rows_have_their_limits(as_role: AsRole) -> None:
    image = ct_image(NumberOfFrames=130, PixelData=bytes(130 * 48))
    keep(part10(image))
    client, uid = as_role("radiologist"), image.SeriesInstanceUID
    wrong: list[dict[str, Any]] = [{"rows": 0}, {"rows": 99}, {"first": "x"}, {"paper": "a9"}]
    for fields in (*wrong, {"width": -1}, {"width": "nan"}):
        assert send_rows(client, uid, **fields).status_code == 400
    assert send_rows(client, uid).status_code == 422
    assert send_rows(client, uid, first=500).status_code == 422
    assert send_rows(client, uid, last=4).status_code == 200


def test_long_and_invisible_words_of_the_browser_are_cut(as_role: AsRole) -> None:
    study = make_study(make_order())
    caption = ["x" * 5000, "a\u202eb\x00c", *["more"] * 20]
    assert send_layout(as_role("radiologist"), entry(study, caption=caption)).status_code == 200


@pytest.mark.parametrize(
    ("role", "films", "writes"),
    [
        ("radiologist", True, True),
        ("resident", False, True),
        ("technologist", False, False),
        ("referrer", False, False),
        ("pacs-administrator", True, False),
    ],
)
def test_the_viewer_offers_what_its_user_may_do(
    as_role: AsRole, role: str, films: bool, writes: bool
) -> None:
    text = as_role(role).get(reverse("viewer:config")).content.decode()
    facts = json.loads(text.splitlines()[0].removeprefix("const openpacs = ").removesuffix(";"))
    assert bool(facts["printing"]["film"]) == films
    assert bool(facts["reportPicture"]["address"]) == writes
    assert facts["printing"]["layout"] == reverse("viewer:print-layout")
