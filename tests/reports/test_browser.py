"""The reading room by keys, in a real browser."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Page, expect, sync_playwright

from apps.orders.models import Order
from apps.reports.models import Report
from tests.browsing import open_browser
from tests.factories import PASSWORD, make_user, signed_in
from tests.reports.rows import make_report, make_template

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A radiologist's browser, signed in; complaints of the browser fail the test."""
    # Playwright's loop runs in this thread; the rows of a test are still made in it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    client = signed_in(make_user("radiologist"))
    session = client.cookies["sessionid"].value
    complaints: list[str] = []
    with sync_playwright() as playwright:
        for browser in open_browser(playwright):
            context = browser.new_context(base_url=live_server.url)
            context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
            page = context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            yield page
            # Within Playwright's loop the rows above went through a connection of its own.
            connections.close_all()
    assert complaints == []


def chosen(page: Page) -> str | None:
    return page.locator(".is-selected").get_attribute("data-row")


def test_the_list_is_walked_by_keys(page: Page) -> None:
    first = make_report(priority=Order.Priority.STAT)
    second = make_report()
    page.goto("/reports/")
    page.keyboard.press("j")
    assert chosen(page) == str(first.pk)
    page.keyboard.press("j")
    assert chosen(page) == str(second.pk)
    page.keyboard.press("k")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    page.wait_for_url(f"**/reports/{first.pk}/")
    first.refresh_from_db()
    assert first.status == Report.Status.CLAIMED


def test_the_chosen_row_stays_chosen_when_the_list_reloads(page: Page) -> None:
    make_report()
    second = make_report()
    page.goto("/reports/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    added = make_report(priority=Order.Priority.STAT)
    expect(page.locator(f"[data-row='{added.pk}']")).to_be_visible(timeout=15_000)
    assert chosen(page) == str(second.pk)
    expect(page.locator(f"#open-{second.pk}")).to_be_focused()


def test_a_report_is_written_saved_and_signed_by_keys(page: Page) -> None:
    report = make_report()
    page.goto(f"/reports/{report.pk}/")
    page.get_by_label("Findings").fill("Clear lungs.")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved at")).to_be_visible()
    page.get_by_label("Impression").fill("Normal.")
    page.get_by_label("Your password").fill(PASSWORD)
    # The signature waits for the draft that is on its way.
    page.keyboard.press("Control+s")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Report signed.")).to_be_visible()
    report.refresh_from_db()
    assert (report.status, report.impression) == (Report.Status.FINAL, "Normal.")


def test_a_template_is_put_in_and_saved(page: Page) -> None:
    report = make_report()
    make_template("normal chest")
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"/reports/{report.pk}/")
    page.get_by_label("Template").select_option(label="normal chest")
    expect(page.get_by_label("Findings")).to_have_value("Text of normal chest.")
    expect(page.get_by_text("Saved at")).to_be_visible()


def test_a_draft_changed_elsewhere_is_told_beside_the_text(page: Page) -> None:
    report = make_report()
    page.goto(f"/reports/{report.pk}/")
    Report.objects.filter(pk=report.pk).update(revision=5)
    page.get_by_label("Findings").fill("Mine.")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("changed in another window")).to_be_visible()
    expect(page.get_by_label("Findings")).to_have_value("Mine.")


def test_who_was_signed_out_while_writing_loses_nothing(page: Page) -> None:
    report = make_report()
    page.goto(f"/reports/{report.pk}/")
    (session,) = (one for one in page.context.cookies() if one["name"] == "sessionid")
    page.context.clear_cookies()
    page.get_by_label("Findings").fill("An hour of work.")
    page.keyboard.press("Control+s")
    expect(page.get_by_text("you are signed out")).to_be_visible()
    page.get_by_label("Your password").fill(PASSWORD)
    with page.expect_response("**/save/"):  # refused again: nobody is signed in
        page.keyboard.press("Control+Enter")
    expect(page.get_by_label("Findings")).to_have_value("An hour of work.")
    token: Any = {**session, "name": "csrftoken", "value": "b" * 32, "httpOnly": False}
    again: Any = session
    page.context.add_cookies([again, token])
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Report signed.")).to_be_visible()
    report.refresh_from_db()
    assert report.findings == "An hour of work."
