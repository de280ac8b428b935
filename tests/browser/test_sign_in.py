"""The door as a browser meets it: in, out, and back to where one was."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from collector import credentials
from collector.relational.accounts import Accounts
from collector.words.i18n import Words
from tests.browser.conftest import Site, sign_in
from tests.browser.test_console import open_queue, row, words
from tests.signing import MEI

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
PASSWORD = "three red robots"


def accounts(site: Site) -> Accounts:
    """The site's people; Mei is known already, with a session."""
    return site.world.services.relational.accounts


def with_password(site: Site) -> None:
    """Mei gets a password, which ends her session."""
    accounts(site).set_password(MEI.id, credentials.hashed(PASSWORD), "test", site.world.now)


def enter(page: Page, t: Words, password: str = PASSWORD) -> None:
    """Fills in the door's form."""
    page.get_by_label(t("signin.name")).fill(MEI.id)
    page.get_by_label(t("signin.password")).fill(password)
    page.get_by_role("button", name=t("signin.enter")).click()


def test_in_and_out(page: Page, site: Site, language: str) -> None:
    """The page one wanted comes after the door; a wrong password is said; out is out."""
    t = words(language)
    with_password(site)
    page.goto(f"{site.url}/robots/RV-0006")
    expect(page).to_have_url(re.compile(r"/sign-in\?to="))
    enter(page, t, "three blue robots")
    expect(page.get_by_role("alert")).to_have_text(t("signin.refused"))
    enter(page, t)
    expect(page).to_have_url(f"{site.url}/robots/RV-0006")
    expect(page.locator("#live[data-state=on]")).to_be_visible()
    page.locator(".you summary").click()
    page.get_by_role("button", name=t("menu.sign_out")).click()
    expect(page.get_by_role("heading", name=t("signin.title"))).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name=t("signin.title"))).to_be_visible()


def test_a_session_that_ends_under_an_open_page(page: Page, site: Site, language: str) -> None:
    """The next press leads to the door, and from there back to the same page."""
    t = words(language)
    id_ = site.world.fires("NavigationInterrupted", 0)
    open_queue(page, site, "/?subsystem=navigation")
    with_password(site)
    row(page, id_).get_by_role("button", name=t("action.acknowledge")).click()
    expect(page.get_by_text(t("signin.back"))).to_be_visible()
    enter(page, t)
    expect(page).to_have_url(f"{site.url}/?subsystem=navigation")
    row(page, id_).get_by_role("button", name=t("action.acknowledge")).click()
    expect(row(page, id_).locator(".work")).to_contain_text(MEI.name)


def test_a_link_that_signs_in(page: Page, site: Site, language: str) -> None:
    """One press on it, and the queue is there."""
    t, now = words(language), site.world.now
    accounts(site).end_sessions(MEI.id, "test", now)
    accounts(site).add_token("link", credentials.digest("once"), MEI.id, "test", "test", now, now + 1)
    page.goto(f"{site.url}/sign-in/link/once")
    expect(page.locator("h1")).to_have_text(t("signin.link_title", name=MEI.name))
    page.get_by_role("button", name=t("signin.link_enter")).click()
    expect(page.locator("#live[data-state=on]")).to_be_visible()


def test_an_admin_lets_somebody_in(page: Page, site: Site, language: str) -> None:
    """Adds a person, hands over the link, and the person sets a password of its own."""
    t = words(language)
    open_queue(page, site)
    page.locator(".you summary").click()
    page.locator(".menu").get_by_role("link", name=t("menu.people")).click()
    page.get_by_role("link", name=t("people.add")).click()
    page.get_by_label(t("people.id")).fill("ana")
    page.get_by_label(t("people.name"), exact=True).fill("Ana Costa")
    page.get_by_label(t("people.role")).select_option("csm")
    page.get_by_role("button", name=t("people.add")).click()
    link = page.locator(".new-secret code").inner_text()
    page.locator(".you summary").click()
    page.get_by_role("button", name=t("menu.sign_out")).click()
    page.goto(link)
    page.get_by_role("button", name=t("signin.link_enter")).click()
    page.locator(".you summary").click()
    expect(page.locator(".menu").get_by_role("link", name=t("menu.people"))).to_have_count(0)
    page.locator(".menu").get_by_role("link", name=t("menu.me")).click()
    page.get_by_label(t("me.new"), exact=True).fill(PASSWORD)
    page.get_by_label(t("me.again")).fill(PASSWORD)
    page.get_by_role("button", name=t("me.change")).click()
    expect(page.get_by_text(t("me.saved.password"))).to_be_visible()
    assert credentials.matches(accounts(site).password("ana"), PASSWORD)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_about_people_fit_a_phone(
    chromium: Browser, site: Site, language: str, scheme: Literal["light", "dark"]
) -> None:
    """At the width of a phone nothing sticks out to the side, the menu neither."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    for path in ("/sign-in", "/me", "/people", "/people/new", f"/people/{MEI.id}"):
        page.goto(f"{site.url}{path}?lang={language}")
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        sign_in(context)
    page.locator(".you summary").click()
    box = page.locator(".menu").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    context.close()
