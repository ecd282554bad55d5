"""The list of studies in a real browser: typing, keys, ticks, rows that open, what arrives."""

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.dicom.names import search_form
from apps.dimse.limits import Limits
from apps.dimse.listener import Listener
from apps.studies.models import Study
from tests.browsing import signed_in_page
from tests.dicom.objects import ct_image, part10
from tests.factories import DeviceFactory
from tests.reports.rows import make_study
from tests.studies.rows import make_instance, make_series

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
STORESCU = ("/usr/bin/storescu", "-aet", "CT1", "-aec", "OPENPACS")
ARRIVAL = 15_000  # milliseconds; the page asks every five seconds


@pytest.fixture
def page(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A PACS administrator's browser, signed in; complaints of the browser fail the test."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    yield from signed_in_page("pacs-administrator", live_server.url)


@pytest.fixture
def listener(live_server: Any) -> Iterator[Listener]:
    DeviceFactory.create(ae_title="CT1")
    made = Listener("127.0.0.1", 0, limits=Limits(linger_seconds=0.3))
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.stop()
    thread.join(timeout=20)


def named(*names: str) -> list[Study]:
    """Studies of these patients, the first one on top of the list."""
    return [
        make_study(patient_name=name, patient_search_name=search_form(name))
        for name in reversed(names)
    ][::-1]


def chosen(page: Page) -> str | None:
    return page.locator(".is-selected").get_attribute("data-row")


def rows(page: Page) -> Any:
    return page.locator("[data-row]")


def test_the_list_narrows_while_one_types(page: Page) -> None:
    named("Adams^Ann", "Baker^Bob", "Bauer^Eva")
    page.goto("/studies/")
    expect(rows(page)).to_have_count(3)
    page.keyboard.press("/")
    page.keyboard.type("ba", delay=30)
    expect(rows(page)).to_have_count(2)
    expect(page.locator("#studies-count")).to_contain_text("2 studies")
    expect(page).to_have_url(re.compile(r"/studies/\?q=ba$"))
    # The field keeps the focus, and typing goes on.
    page.keyboard.type("u")
    expect(rows(page)).to_have_count(1)
    page.get_by_role("columnheader", name="Patient").get_by_role("button").click()
    expect(page).to_have_url(re.compile(r"q=bau&sort=name$"))
    expect(page.locator("#head-name")).to_have_attribute("aria-sort", "ascending")
    page.reload()
    expect(rows(page)).to_have_count(1)
    expect(page.locator("[data-search]")).to_have_value("bau")


def test_the_list_is_walked_selected_and_opened_by_keys(page: Page) -> None:
    first, second, third = named("Adams^Ann", "Baker^Bob", "Clark^Cleo")
    make_instance(make_series(second, description="Axial thin"))
    page.goto("/studies/")
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    assert chosen(page) == str(second.pk)
    page.keyboard.press("Space")
    expect(page.locator("[data-selected]")).to_have_text("1")
    page.keyboard.press("e")
    expect(page.get_by_role("cell", name="Axial thin", exact=True)).to_be_visible()
    expect(page.locator(f"#fold-{second.pk}")).to_have_attribute("aria-expanded", "true")
    page.get_by_role("button", name="Single images").click()
    expect(page.locator(".instances li")).to_have_count(1)
    page.locator(f"#open-{second.pk}").focus()
    page.keyboard.press("e")
    expect(page.get_by_role("cell", name="Axial thin", exact=True)).to_be_hidden()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    assert chosen(page) == str(first.pk)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/studies/{first.pk}/")
    assert third.pk


def test_several_are_selected_with_shift_and_labelled(page: Page) -> None:
    studies = named("Adams^Ann", "Baker^Bob", "Clark^Cleo", "Dent^Arthur")
    page.goto("/studies/")
    expect(page.locator("[data-selection]")).to_be_hidden()
    page.locator("[data-tick]").nth(0).click()
    page.locator("[data-tick]").nth(2).click(modifiers=["Shift"])
    expect(page.locator("[data-selected]")).to_have_text("3")
    # What a search no longer shows is not selected any more.
    page.locator("[data-search]").fill("baker")
    expect(page.locator("[data-selected]")).to_have_text("1")
    page.locator("[data-search]").fill("")
    expect(rows(page)).to_have_count(4)
    page.get_by_role("checkbox", name="Select all shown studies").check()
    page.get_by_role("button", name="Label").click()
    expect(page.get_by_role("heading", name="Label 4 studies")).to_be_visible()
    page.get_by_label("Label", exact=True).fill("Teaching")
    page.get_by_role("button", name="Do it").click()
    expect(page.get_by_text("Bears the label.")).to_have_count(4)
    assert studies[0].labels.get().name == "Teaching"


def test_further_pages_come_while_one_scrolls(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.studies.services.listing.PAGE_SIZE", 30)
    named(*(f"Name{number:02}^X" for number in range(70)))
    page.goto("/studies/")
    for count in (60, 70):
        page.mouse.wheel(0, 10_000)
        expect(rows(page)).to_have_count(count)
    keys = rows(page).evaluate_all("all => all.map((row) => row.dataset.row)")
    assert len(set(keys)) == 70


@pytest.mark.peer
def test_what_a_device_sends_appears_without_reloading(
    page: Page, listener: Listener, tmp_path: Path
) -> None:
    page.goto("/studies/")
    expect(page.get_by_text("No studies yet")).to_be_visible()
    first = ct_image(PatientName="Live^One", InstanceNumber=1)
    send(listener, tmp_path, first)
    expect(page.get_by_role("link", name="Live One")).to_be_visible(timeout=ARRIVAL)
    # Once somebody does something with the list, rows change in place and new ones are told.
    page.keyboard.press("j")
    page.keyboard.press("Space")
    same = {
        "StudyInstanceUID": first.StudyInstanceUID,
        "SeriesInstanceUID": first.SeriesInstanceUID,
    }
    send(listener, tmp_path, ct_image(PatientName="Live^One", InstanceNumber=2, **same))
    send(listener, tmp_path, ct_image(PatientName="Live^Two", PatientID="P2"))
    study = Study.objects.get(study_instance_uid=first.StudyInstanceUID)
    show = page.get_by_role("link", name="1 new study: show")
    expect(show).to_be_visible(timeout=ARRIVAL)
    expect(page.locator(f"#row-{study.pk} td:nth-child(10)")).to_have_text("2")
    expect(page.locator(f"#open-{study.pk}")).to_be_focused()
    expect(rows(page)).to_have_count(1)
    show.click()
    expect(rows(page)).to_have_count(2)
    expect(show).to_have_count(0)
    expect(page.locator("[data-tick]:checked")).to_have_count(1)


def box(page: Page, selector: str) -> dict[str, float]:
    """Where the last of these is."""
    return dict(page.locator(selector).last.bounding_box() or {})  # type: ignore[arg-type]


def test_a_narrow_window_keeps_the_names_and_runs_over_nothing(page: Page) -> None:
    named("Adams^Ann")
    page.goto("/studies/")
    for width in (1024, 600, 420):
        page.set_viewport_size({"width": width, "height": 700})
        bar, last, name = (box(page, one) for one in (".bar", ".bar-nav li", ".studies-name"))
        assert last["y"] + last["height"] <= bar["y"] + bar["height"] + 1
        assert name["width"] > 100
        assert page.evaluate("document.documentElement.scrollWidth") == width


def send(listener: Listener, folder: Path, image: Any) -> None:
    path = folder / f"{image.SOPInstanceUID}.dcm"
    path.write_bytes(part10(image))
    subprocess.run(
        [*STORESCU, "127.0.0.1", str(listener.port), str(path)],
        env={**os.environ, "TCP_NODELAY": "1"},
        check=True,
        timeout=60,
    )
