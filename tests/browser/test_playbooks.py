"""Playbooks in a browser: found, read, and their words copied."""

import pytest
from playwright.sync_api import Page, expect

from collector.words.i18n import Words
from rules import playbooks
from tests.browser.conftest import Site

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def test_a_playbook_is_found_and_its_words_copied(page: Page, site: Site, language: str) -> None:
    """From the list to one of them; what is copied is the words for the customer, and the button says so."""
    t = Words("zh" if language == "zh" else "en")
    sheet = playbooks.shipped()["lidar-failing"][t.language]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{site.url}/playbooks")
    page.get_by_role("link", name=sheet.title).click()
    expect(page.locator("h1")).to_have_text(sheet.title)
    expect(page.locator(".step")).to_have_count(len(sheet.steps))
    page.get_by_role("button", name=t("playbook.copy")).click()
    expect(page.get_by_role("button", name=t("playbook.copied"))).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert " ".join(str(copied).split()) == " ".join(sheet.customer.split())


def test_a_playbook_fits_a_phone(page: Page, site: Site) -> None:
    """Nothing is wider than the screen."""
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/playbooks", "/playbooks/customer-usage-dropping"):
        page.goto(f"{site.url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
