"""The console in a real browser: what a CSM sees and does."""

import re
from dataclasses import replace
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect
from sqlalchemy.exc import OperationalError

from collector.changes import Changes
from collector.queue import Acknowledge, Close, Reason
from collector.words.i18n import Words, zone
from tests.browser.conftest import Site, sign_in
from tests.browser.world import DAY, HOUR, MINUTE, SILENT, TZ
from tests.http.away import AwayStore
from tests.signing import MEI

# One worker runs them all: while the browser is there, its event loop is, and other tests have their own.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
PAGES = (
    "/",
    "/?whose=all&group=1",
    "/?whose=mine",
    "/silences",
    "/silences/new",
    "/playbooks",
    "/?view=snoozed",
    "/?view=closed",
    "/fleet",
    "/robots/RV-0006",
    "/robots/RV-0007",
    "/robots/RV-9917",
    "/alerts/1",
)


def words(language: str) -> Words:
    """The texts of the page's language."""
    return Words("zh" if language == "zh" else "en")


def open_queue(page: Page, site: Site, path: str = "/") -> None:
    """Opens a page and waits until it follows the collector."""
    page.goto(site.url + path)
    expect(page.locator("#live[data-state=on]")).to_be_visible()


def row(page: Page, id_: int) -> Locator:
    """An alert's row in the queue."""
    return page.locator(f"#alert-{id_}")


def test_an_alert_appears_without_reload(page: Page, site: Site, language: str) -> None:
    """A rule that begins to fire puts its row into the open page, in the right place."""
    t = words(language)
    open_queue(page, site)
    page.evaluate("window.untouched = true")
    id_ = site.world.fires("NavigationInterrupted", 0)
    expect(row(page, id_)).to_be_visible()
    expect(row(page, id_)).to_contain_text(
        t.both(site.world.services.rules.by_name["NavigationInterrupted"].about)
    )
    expect(page.locator("h1")).to_have_text(t("todo.all", n=10))
    expect(page).to_have_title(re.compile(r"^\(10\) "))
    assert page.evaluate("window.untouched") is True


def test_an_alert_is_acknowledged_in_the_queue(page: Page, site: Site, language: str) -> None:
    """One press on its button, and the row says who has it."""
    t = words(language)
    id_ = site.world.fires("NavigationInterrupted", 0)
    open_queue(page, site)
    row(page, id_).get_by_role("button", name=t("action.acknowledge")).click()
    expect(row(page, id_).locator(".work")).to_contain_text(t("work.acknowledged"))
    expect(page.locator(".toast")).to_contain_text(t("done.acknowledge", what=""))
    alert = site.world.services.relational.alert(id_)
    assert alert is not None
    assert (alert.work, alert.acknowledged_by) == ("acknowledged", MEI.id)


def test_an_alert_is_snoozed_with_a_reason(page: Page, site: Site, language: str) -> None:
    """The window asks until when and why; then the alert waits in its own view."""
    t = words(language)
    id_ = site.world.fires("NavigationInterrupted", 0)
    open_queue(page, site)
    row(page, id_).get_by_role("button", name=t("action.snooze")).click()
    window = page.get_by_role("dialog")
    window.get_by_label(t("action.for_4h"), exact=True).check()
    window.get_by_label(t("action.snooze_reason")).fill("spare part comes / 备件周四到货")
    window.get_by_role("button", name=t("action.snooze")).click()
    expect(window).to_be_hidden()
    expect(row(page, id_)).to_have_count(0)
    page.get_by_role("link", name=t("queue.views.snoozed")).click()
    expect(row(page, id_).locator(".work")).to_contain_text(t("work.snoozed"))
    alert = site.world.services.relational.alert(id_)
    assert alert is not None
    assert alert.snoozed_until == site.world.now + 4 * HOUR
    assert alert.snooze_reason == "spare part comes / 备件周四到货"


def test_an_alert_is_closed_with_a_reason(page: Page, site: Site, language: str) -> None:
    """The window asks how it ended; the alert leaves the queue and is found among the closed ones."""
    t = words(language)
    id_ = site.world.fires("NavigationInterrupted", 0)
    open_queue(page, site)
    row(page, id_).get_by_role("button", name=t("action.close")).click()
    window = page.get_by_role("dialog")
    window.get_by_label(t("reason.other"), exact=True).check()
    window.get_by_role("button", name=t("action.close"), exact=True).click()
    expect(window.get_by_role("alert")).to_have_text(t("problem.note_needed"))
    window.get_by_label(t("action.note_optional")).fill("the customer moved a shelf / 客户移动了货架")
    window.get_by_role("button", name=t("action.close"), exact=True).click()
    expect(window).to_be_hidden()
    expect(row(page, id_)).to_have_count(0)
    page.get_by_role("link", name=t("queue.views.closed")).click()
    row(page, id_).locator(".what > a").click()
    expect(page.locator(".banner")).to_contain_text("the customer moved a shelf / 客户移动了货架")
    expect(page.locator(".history")).to_contain_text(t("alert.history_closed", reason=t("reason.other")))


def test_what_somebody_else_did_is_said(page: Page, site: Site, language: str) -> None:
    """An action that comes too late is refused in the window where it was asked, by name."""
    t = words(language)
    id_ = site.world.fires("NavigationInterrupted", 0)
    open_queue(page, site)
    row(page, id_).get_by_role("button", name=t("action.close")).click()
    window = page.get_by_role("dialog")
    window.get_by_label(t("reason.expected"), exact=True).check()
    close = Close(Reason.FALSE_ALARM)
    site.world.services.relational.queue.act(id_, close, "csm-costa", site.world.now)
    window.get_by_role("button", name=t("action.close"), exact=True).click()
    who, reason = "Ana Costa", t("reason.false_alarm")
    refusal = t("stale.closed", who=who, ago=t("time.now"), reason=reason)
    expect(window.get_by_role("alert")).to_have_text(f"{refusal} {t('stale.look')}")


def test_the_row_says_when_another_was_faster(page: Page, site: Site, language: str) -> None:
    """Acknowledging what somebody already has tells who that is, in the row."""
    t = words(language)
    id_ = site.world.fires("NavigationInterrupted", 0)
    open_queue(page, site)
    site.world.services.relational.queue.act(id_, Acknowledge(), "csm-costa", site.world.now)
    row(page, id_).get_by_role("button", name=t("action.acknowledge")).click()
    expect(row(page, id_).get_by_role("alert")).to_contain_text("Ana Costa")


def test_a_resolved_alert_leaves_by_itself(page: Page, site: Site) -> None:
    """What nobody took and what is over is gone from the queue without reload."""
    id_ = site.world.fires("NavigationInterrupted", 0)
    open_queue(page, site)
    expect(row(page, id_)).to_be_visible()
    site.world.resolves("NavigationInterrupted", 0)
    expect(row(page, id_)).to_have_count(0)


def test_the_queue_is_worked_by_keys(page: Page, site: Site, language: str) -> None:
    """j and k move, a acknowledges, s opens the window for a snooze, / searches."""
    t = words(language)
    open_queue(page, site)
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator("main [data-alert]").nth(1)
    expect(second.locator(".what a").first).to_be_focused()
    page.keyboard.press("a")
    expect(second.locator(".work")).to_contain_text(t("work.acknowledged"))
    second.locator(".what a").first.focus()
    page.keyboard.press("s")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()


def test_the_queue_is_searched_while_typing(page: Page, site: Site) -> None:
    """Letters typed narrow the rows; live changes later keep the search."""
    open_queue(page, site)
    page.locator("#q").press_sequentially("RV-0011")
    expect(page.locator("main [data-alert]")).to_have_count(2)
    expect(page).to_have_url(re.compile("q=RV-0011"))
    id_ = site.world.fires("NavigationInterrupted", 10)
    expect(row(page, id_)).to_be_visible()
    expect(page.locator("main [data-alert]")).to_have_count(3)
    expect(page.locator("#q")).to_have_value("RV-0011")


def test_severities_and_subsystems_filter(page: Page, site: Site) -> None:
    """One severity alone; the subsystem narrows it further; both are cleared at once."""
    open_queue(page, site)
    page.locator("select[name=severity]").select_option("high")
    expect(page.locator("main [data-alert]")).to_have_count(3)
    page.locator("select[name=subsystem]").select_option("tts")
    expect(page.locator("main [data-alert]")).to_have_count(1)
    page.locator(".finders a.quiet").click()
    expect(page.locator("main [data-alert]")).to_have_count(12)


def test_an_alert_page_draws_what_was_measured(page: Page, site: Site, language: str) -> None:
    """Value and limit, the plot of the measure, the counters behind it, the next step, and the trail."""
    t = words(language)
    rule = site.world.services.rules.by_name["RelocalizationFailing"]
    [alert] = [a for a in site.world.services.relational.alerts().items if a.rule == rule.name]
    open_queue(page, site, f"/alerts/{alert.id}")
    expect(page.locator("h1")).to_have_text(t.both(rule.about))
    expect(page.locator("figure[data-drawn] canvas")).to_have_count(2)
    assert rule.call_to_action.next_step is not None
    expect(page.locator(".next-step")).to_contain_text(t.both(rule.call_to_action.next_step))
    expect(page.locator(".evidence .figures b")).to_have_text(t.quantity(alert.value, alert.unit))
    page.get_by_role("button", name=t("action.acknowledge")).click()
    expect(page.locator(".history li")).to_have_count(2)


def test_the_fleet_shows_presence_and_subsystems(page: Page, site: Site, language: str) -> None:
    """Every robot with its presence in words and a state for each module; troubled ones first."""
    t = words(language)
    open_queue(page, site, "/fleet")
    expect(page.locator("table.fleet tbody tr")).to_have_count(21)
    silent = page.locator(f"#robot-{site.world.robots[SILENT]}")
    expect(silent).to_contain_text(t("presence.lost"))
    expect(page.locator("#robot-RV-0003 td.cell .state.down")).to_have_count(1)
    expect(page.locator("#robot-RV-0006 td.cell .state.alert")).to_have_count(1)
    page.locator("select[name=customer]").select_option("星夜 KTV")
    expect(page.locator("table.fleet tbody tr")).to_have_count(4)
    site.world.fires("LidarFailing", 7)
    expect(page.locator("#robot-RV-0008 td.count")).to_have_text("2")


def test_a_robot_shows_its_subsystems_and_plots(page: Page, site: Site, language: str) -> None:
    """A card for each module, a plot for each, in the range that was chosen; open and past alerts."""
    t = words(language)
    open_queue(page, site, "/robots/RV-0006")
    expect(page.locator(".part")).to_have_count(8)
    expect(page.locator("figure.plot")).to_have_count(12)
    expect(page.locator("figure[data-drawn] canvas")).to_have_count(12)
    expect(page.locator("#part-navigation")).to_contain_text(t("severity.medium"))
    page.get_by_role("link", name=t("robot.ranges.7d")).click()
    expect(page).to_have_url(re.compile("range=7d"))
    expect(page.locator("figure[data-drawn] canvas")).to_have_count(12)
    page.locator(".brief").first.locator("a").first.click()
    expect(page).to_have_url(re.compile(r"/alerts/\d+"))


def test_a_robot_shows_how_its_samples_came(page: Page, site: Site, language: str) -> None:
    """What was lost, late, corrected and held back, in words; each loss in a table; without reload."""
    t = words(language)
    open_queue(page, site, "/robots/RV-0007")
    told = page.locator("#delivery .told li")
    expect(page.locator("#delivery h2")).to_have_text(t("delivery.title"))
    expect(told.nth(0)).to_have_text(t("delivery.some", n=577, lost=231))
    expect(told).to_have_count(6)
    tz = zone(TZ)
    when = t.span(site.world.now - 3 * DAY, site.world.now - 26 * HOUR, tz)
    expect(told.nth(1)).to_have_text(t("delivery.dropped", n=230, when=when))
    expect(told.nth(3)).to_have_text(t("delivery.late", n=53, delay=t.duration(530 * MINUTE)))
    rows = page.locator("#delivery .losses tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(1).locator("td")).to_have_text(
        [
            t.moment(site.world.now - 26 * HOUR, tz),
            "212",
            t("delivery.why.dropped"),
            t("delivery.among", numbers="130–400"),
        ]
    )
    site.world.services.fleet.holding("RV-0007", 40, site.world.now)
    site.world.services.changes.publish("robots", ["RV-0007"])
    expect(told.nth(5)).to_have_text(t("delivery.held", n=40, when=t.moment(site.world.now, tz)))


def test_robots_with_trouble_in_delivery_are_found(page: Page, site: Site, language: str) -> None:
    """The fleet's page marks them, and shows them alone."""
    t = words(language)
    open_queue(page, site, "/fleet")
    expect(page.locator("#robot-RV-0007 .flag")).to_have_text(
        [t("fleet.flag.lost", n=230), t("fleet.flag.held", n=380)]
    )
    page.locator("select[name=delivery]").select_option("clash")
    expect(page.locator("table.fleet tbody tr")).to_have_count(1)
    page.locator("table.fleet tbody tr a").click()
    expect(page.locator("#delivery .told li").first).to_contain_text(
        t("delivery.clash", since="\0").split("\0")[0]
    )


def test_every_page_says_that_data_cannot_be_stored(page: Page, site: Site, language: str) -> None:
    """The banner comes and goes by itself, in words, and does not disturb what the page shows."""
    t = words(language)
    open_queue(page, site)
    expect(page.locator("#notices .banner")).to_have_count(0)
    page.locator("#q").fill("RV-0011")
    site.world.conditions.ill("store", "cannot be written: no space left on device")
    expect(page.locator("#notices .banner.bad")).to_contain_text(t("notice.store"))
    expect(page.locator("#notices .banner.bad")).to_contain_text("no space left on device")
    expect(page.locator("#q")).to_have_value("RV-0011")
    site.world.conditions.well("store", "up to date")
    site.world.conditions.ill("ingest", "behind: 12,400 messages wait, oldest 14 s")
    expect(page.locator("#notices .banner")).to_have_count(1)
    expect(page.locator("#notices .banner.note")).to_contain_text(t("notice.ingest"))
    site.world.conditions.well("ingest", "up to date")
    expect(page.locator("#notices .banner")).to_have_count(0)


def test_a_page_without_its_store(page: Page, site: Site, language: str) -> None:
    """While the store is away, a robot's page shows what else it knows, and says what cannot be read."""
    t = words(language)
    site.serving.stop()
    away = replace(site.world.services, store=AwayStore(), changes=Changes())  # type: ignore[arg-type]
    site.serving.start(away)
    open_queue(page, site, "/robots/RV-0006")
    expect(page.locator("#delivery .told li").first).to_have_text(t("delivery.unreadable"))
    expect(page.locator(".part")).to_have_count(8)
    expect(page.locator("#part-vision")).to_contain_text(t("robot.unread"))
    expect(page.locator("#plots")).to_contain_text(t("plot.failed"))
    expect(page.locator(".brief").first).to_be_visible()


def test_languages_are_switched_and_remembered(page: Page, site: Site, language: str) -> None:
    """The browser's language comes first; the switch changes it for good."""
    other = "zh" if language == "en" else "en"
    open_queue(page, site)
    expect(page.locator("html")).to_have_attribute("lang", re.compile(language))
    page.locator(f".switch a[hreflang={other}]").click()
    expect(page.locator("h1")).to_have_text(words(other)("todo.all", n=9))
    page.goto(site.url + "/fleet")
    expect(page.locator("html")).to_have_attribute("lang", re.compile(other))


def test_who_is_signed_in_signs_every_action(page: Page, site: Site, language: str) -> None:
    """Its name stands in the bar, and in the row afterwards."""
    t = words(language)
    id_ = site.world.fires("NavigationInterrupted", 0)
    open_queue(page, site)
    expect(page.locator(".you summary")).to_contain_text(MEI.name)
    row(page, id_).get_by_role("button", name=t("action.acknowledge")).click()
    expect(row(page, id_).locator(".work")).to_contain_text(MEI.name)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone(
    chromium: Browser, site: Site, language: str, scheme: Literal["light", "dark"]
) -> None:
    """At the width of a phone nothing sticks out to the side."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    sign_in(context)
    page = context.new_page()
    for path in PAGES:
        page.goto(f"{site.url}{path}{'&' if '?' in path else '?'}lang={language}")
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    context.close()


@pytest.mark.parametrize("width", [390, 320])
def test_the_navigation_fits_a_phone(chromium: Browser, site: Site, language: str, width: int) -> None:
    """Every entry is whole, also far down a page, and by keys alone one gets to each, and sees it."""
    context = chromium.new_context(viewport={"width": width, "height": 700}, locale=language)
    sign_in(context)
    page = context.new_page()
    open_queue(page, site)
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    entries = page.locator(".nav a").all()
    for entry in entries:
        expect(entry).to_be_in_viewport(ratio=1)
    page.locator(".brand").focus()
    for control in (*entries, page.locator(".you summary"), *page.locator(".switch a").all()):
        page.keyboard.press("Tab")
        expect(control).to_be_focused()
        expect(control).to_be_in_viewport(ratio=1)
    page.locator(".you summary").click()
    for entry in page.locator(".menu a, .menu button").all():
        expect(entry).to_be_in_viewport(ratio=1)
    page.locator(".you summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    entries[-1].click()
    expect(page.locator("h1")).to_have_text(words(language)("registry.title"))
    context.close()


def test_an_empty_collector_invites(page: Page, empty_site: Site, language: str) -> None:
    """Without robots and alerts, the pages say what to do and that all is quiet."""
    t = words(language)
    open_queue(page, empty_site)
    expect(page.locator("main")).to_contain_text(t("queue.empty_title"))
    page.goto(empty_site.url + "/fleet")
    expect(page.locator("main")).to_contain_text(t("fleet.empty_text"))


def test_what_does_not_exist_is_said_kindly(page: Page, site: Site, language: str) -> None:
    """A wrong address gets a page in the console's own look, with the way back."""
    t = words(language)
    for path, text in (("/alerts/4711", t("error.404_alert", id="4711")), ("/nowhere", t("error.404_text"))):
        answer = page.goto(site.url + path)
        assert answer is not None
        assert answer.status == 404
        expect(page.locator("main")).to_contain_text(text)
    page.get_by_role("link", name=t("error.home")).click()
    expect(page.locator("h1")).to_have_text(t("todo.all", n=9))


def _refuse(route: Route) -> None:
    route.fulfill(status=503, content_type="text/html", body="<p>busy</p>")


def test_a_refused_refresh_leaves_the_page_as_it_is(page: Page, site: Site) -> None:
    """While the collector cannot answer, the page keeps what it shows; then it catches up."""
    open_queue(page, site)
    page.route(f"{site.url}/?*", _refuse)
    with page.expect_response(lambda response: response.status == 503):
        first = site.world.fires("NavigationInterrupted", 0)
    expect(page.locator("main [data-alert]")).to_have_count(12)
    page.unroute(f"{site.url}/?*")
    second = site.world.fires("LidarFailing", 0)
    expect(row(page, first)).to_be_visible()
    expect(row(page, second)).to_be_visible()


def test_a_fault_during_an_action_is_said_in_its_place(
    page: Page, site: Site, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader learns that nothing was done, in the row; the page stays whole."""
    t = words(language)
    open_queue(page, site)

    def fail(*_: object, **__: object) -> None:
        raise OperationalError("update", {}, Exception("database or disk is full"))

    monkeypatch.setattr(site.world.services.relational.queue, "act", fail)
    waiting = page.locator("[data-work=new]").first
    waiting.get_by_role("button", name=t("action.acknowledge")).click()
    expect(waiting.get_by_role("alert")).to_have_text(t("error.503_text"))
    expect(page.locator("main [data-alert]")).to_have_count(12)


def test_pages_catch_up_after_the_collector_was_away(page: Page, site: Site) -> None:
    """The bar says that the connection is lost; when the collector is back, so is the page."""
    open_queue(page, site)
    site.serving.stop()
    expect(page.locator("#live[data-state=off]")).to_be_visible()
    id_ = site.world.fires("NavigationInterrupted", 0)
    site.returns()
    expect(page.locator("#live[data-state=on]")).to_be_visible()
    expect(row(page, id_)).to_be_visible()
