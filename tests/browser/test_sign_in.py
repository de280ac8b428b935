"""The door as a browser meets it: in, out, and back to where one was."""

import re

import pytest
from playwright.sync_api import Page, expect

from collector import credentials
from collector.http.i18n import Words
from collector.relational.accounts import Accounts
from tests.browser.conftest import Site
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
