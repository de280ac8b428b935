"""Customers in a real browser: found, read, opened down to a robot, and judged; wide and on a phone."""

from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from agent.catalogue import load
from collector.scores.loading import shipped
from collector.scores.scoring import Scoring
from collector.words.i18n import Words
from tests.browser.conftest import Site
from tests.browser.world import NOW

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
WIDTHS = (1440, 390)


def score(site: Site) -> None:
    """The fleet's past has its scores."""
    services = site.world.services
    settings = shipped(load())
    services.relational.start_listening(NOW - 5 * 86_400_000, NOW)
    assert Scoring(services.store, services.relational, settings).bring_up_to_date(NOW)
    site.serving.stop()
    site.world.services = replace(services, scoring=settings)
    site.serving.start(site.world.services)


def fits(page: Page) -> bool:
    """Whether nothing is cut off at the side."""
    found: bool = page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_a_customer_is_found_read_and_judged(page: Page, site: Site, language: str, width: int) -> None:
    """From the list to a customer, to the robots behind a figure, to a robot; and back to give a pulse."""
    score(site)
    t = Words("zh" if language == "zh" else "en")
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{site.url}/customers")
    expect(page.locator("h1")).to_have_text(t("customers.headline", n=6))
    assert fits(page)
    page.get_by_role("searchbox").fill("museum")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Riverside Museum").click()
    expect(page.locator("#score .big b")).not_to_be_empty()
    expect(page.locator(".funnel li")).to_have_count(4)
    assert fits(page)
    page.locator("#lost-vision a").click()
    expect(page.locator("#behind tbody tr")).to_have_count(4)
    assert fits(page)
    page.locator("#behind tbody a").first.click()
    page.locator(".crumb").click()
    expect(page.locator(".robot-head h1")).to_be_visible()
    page.locator(".robot-head .lead a").click()
    page.locator("#pulse input[value='2']").check()
    page.locator("#pulse input[name='note']").fill("No answer for two weeks")
    page.get_by_role("button", name=t("customers.pulse_save")).click()
    expect(page.locator("#timeline")).to_contain_text("No answer for two weeks")
    expect(page.locator("#pulse input[value='2']")).to_be_checked()
    assert fits(page)
