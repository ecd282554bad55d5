"""People at their browsers: signing in, filling forms by label, looking at pictures."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db import connections
from playwright.sync_api import Browser, Page, sync_playwright

from tests.chromium import brightness, open_browser
from tests.department import Department
from tests.factories import make_user, signed_in

__all__ = ["Desk", "brightness", "open_browser", "signed_in_page"]


def signed_in_page(role: str, address: str) -> Iterator[Page]:
    """A browser of somebody new with one role, at a live server; complaints of it are failures."""
    client = signed_in(make_user(role))
    session = client.cookies["sessionid"].value
    complaints: list[str] = []
    with sync_playwright() as playwright:
        for browser in open_browser(playwright):
            context = browser.new_context(base_url=address, viewport={"width": 1440, "height": 900})
            context.add_cookies([{"name": "sessionid", "value": session, "url": address}])
            page = context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            yield page
            connections.close_all()
    assert complaints == []


@dataclass
class Desk:
    """A department and the people who sign in to it, each in a browser of their own."""

    department: Department
    browser: Browser
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    passwords: dict[str, str] = field(default_factory=dict)
    _people: dict[str, Page] = field(default_factory=dict)

    def set_up(self, link: str) -> None:
        """The first user takes the one-time link."""
        page = self.new_page()
        page.goto(link)
        self.passwords["admin"] = secrets.token_urlsafe(16)
        page.get_by_label("Username").fill("admin")
        self._choose_password(page, self.passwords["admin"])
        page.get_by_role("button", name="Create my login", exact=True).click()
        page.wait_for_load_state()
        self._people["admin"] = page

    def sign_in(self, username: str) -> Page:
        """The page of somebody who has set a password by link and signed in."""
        if username not in self._people:
            page = self.new_page()
            self.passwords[username] = secrets.token_urlsafe(16)
            page.goto(self.department.manage("password_link", username).split()[-1])
            self._choose_password(page, self.passwords[username])
            page.get_by_role("button", name="Set password").click()
            page.goto(self.department.address)
            page.get_by_label("Username").fill(username)
            page.get_by_label("Password").fill(self.passwords[username])
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(lambda url: "login" not in url)
            self._people[username] = page
        return self._people[username]

    def new_page(self) -> Page:
        """A fresh browser; what goes wrong in it is kept in `complaints` and `strangers`."""
        context = self.browser.new_context(viewport={"width": 1440, "height": 900})
        context.on("request", lambda request: self._note_address(request.url))
        page = context.new_page()
        self.watch(page)
        context.on("page", self.watch)
        return page

    def watch(self, page: Page) -> None:
        page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note_address(self, url: str) -> None:
        ours = (self.department.address, "data:", "blob:", "about:")
        if not url.startswith(ours):
            self.strangers.append(url)

    @staticmethod
    def _choose_password(page: Page, password: str) -> None:
        for field_name in ("new_password1", "new_password2", "password1", "password2"):
            box = page.locator(f"input[name={field_name}]")
            if box.count():
                box.fill(password)
