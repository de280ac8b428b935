"""A CSM's day in a browser: what comes first, until it is closed, comes back, and is silenced."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from collector import credentials
from collector.http.signed import COOKIE
from collector.queue import Acknowledge
from collector.silences import Draft, Matcher, SilenceKind
from collector.words.i18n import Words
from tests.browser.conftest import PATIENCE_MS, Site
from tests.browser.test_console import open_queue, row, words
from tests.browser.world import HOUR, MINUTE, PEOPLE
from tests.signing import session_of

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
LI, COSTA = PEOPLE
PASSWORD = "three red robots"
SITE_OF_PIXEL = "East wing"


def become(page: Page, site: Site, person: object = LI) -> None:
    """The tab is signed in as that person."""
    secret = session_of(site.world.services, person)  # type: ignore[arg-type]
    page.context.clear_cookies()
    page.context.add_cookies([{"name": COOKIE, "value": secret, "domain": "127.0.0.1", "path": "/"}])


def another(chromium: Browser, site: Site, page: Page) -> Page:
    """Ana Costa's browser, in the language of the first."""
    language = page.locator("html").get_attribute("lang") or "en"
    other = chromium.new_context(locale=language, viewport={"width": 1440, "height": 1000}).new_page()
    other.set_default_timeout(PATIENCE_MS)
    become(other, site, COSTA)
    return other


def later(site: Site, ms: int) -> None:
    """So much time passes in the queue."""
    world = site.world
    world.services.changes.publish("alerts", world.services.relational.queue.advance(world.now + ms))


def test_from_the_door_to_a_silence(page: Page, site: Site, language: str) -> None:
    """In; the first alert; taken, worked by its playbook, noted, put off, closed; back; its site silenced."""
    t = words(language)
    site.world.services.relational.accounts.set_password(
        LI.id, credentials.hashed(PASSWORD), "test", site.world.now
    )
    page.context.clear_cookies()
    page.goto(site.url)
    page.get_by_label(t("signin.name")).fill(LI.id)
    page.get_by_label(t("signin.password")).fill(PASSWORD)
    page.get_by_role("button", name=t("signin.enter")).click()
    id_ = _reads_the_first(page, t)
    _works_on_it(page, t)
    _puts_it_off(page, site, t)
    _closes_it(page, t)
    _sees_it_again(page, site, t, id_)
    _silences_its_site(page, t)


def _reads_the_first(page: Page, t: Words) -> int:
    """Why it comes first, by when it wants an answer, and what to do; then its page."""
    expect(page.locator("h1")).to_have_text(t("todo.mine", n=7))
    first = page.locator(".first-alert")
    expect(first).to_contain_text(t("first.kicker"))
    for reason in (t("why.renewal", n=12), t("why.share", n=4, affected=2, of=4)):
        expect(first.locator(".whys")).to_contain_text(reason)
    expect(first.locator(".owner")).to_have_text(LI.name)
    expect(first.locator(".due")).to_be_visible()
    expect(first.locator(".advice")).to_be_visible()
    id_ = int(first.get_attribute("data-alert") or 0)
    first.locator("h2 a").click()
    expect(page).to_have_url(re.compile(rf"/alerts/{id_}$"))
    expect(page.locator("#live[data-state=on]")).to_be_visible()
    expect(page.locator("figure[data-drawn] canvas")).to_have_count(2)
    return id_


def _works_on_it(page: Page, t: Words) -> None:
    page.get_by_role("button", name=t("action.acknowledge"), exact=True).click()
    expect(page.locator(".chips")).to_contain_text(t("work.acknowledged"))
    page.get_by_role("checkbox").first.click()
    expect(page.locator("#playbook .step.done")).to_have_count(1)
    expect(page.locator(".history .checked")).to_have_count(1)
    page.get_by_label(t("alert.note_label")).fill("called the museum / 已致电展馆")
    page.get_by_role("button", name=t("alert.note_keep")).click()
    expect(page.locator(".history .noted")).to_contain_text("called the museum / 已致电展馆")
    expect(page.locator(".history .noted")).to_contain_text(LI.name)
    expect(page.locator("#note")).to_have_value("")


def _puts_it_off(page: Page, site: Site, t: Words) -> None:
    page.get_by_role("button", name=t("action.snooze"), exact=True).click()
    window = page.get_by_role("dialog")
    window.get_by_label(t("action.for_4h"), exact=True).check()
    window.get_by_label(t("action.snooze_reason")).fill("guard comes at noon / 中午有人到场")
    window.get_by_role("button", name=t("action.snooze")).click()
    expect(page.locator(".chips")).to_contain_text(t("work.snoozed"))
    expect(page.locator(".next-step")).to_contain_text(t("due.paused"))
    later(site, 4 * HOUR)
    expect(page.locator(".chips")).to_contain_text(t("work.acknowledged"))
    expect(page.locator(".history .woke")).to_have_count(1)


def _closes_it(page: Page, t: Words) -> None:
    page.get_by_role("button", name=t("action.close"), exact=True).click()
    window = page.get_by_role("dialog")
    window.get_by_label(t("reason.fixed_remotely"), exact=True).check()
    window.get_by_role("button", name=t("action.close"), exact=True).click()
    expect(page.locator(".banner")).to_contain_text(t("reason.fixed_remotely"))
    page.locator("a.crumb").click()
    expect(page.locator("h1")).to_have_text(t("todo.mine", n=6))


def _sees_it_again(page: Page, site: Site, t: Words, id_: int) -> None:
    rule, robot = "RelocalizationFailing", 5
    site.world.resolves(rule, robot)
    again = site.world.fires(rule, robot)
    expect(row(page, again)).to_contain_text(t("why.relapse", n=1))
    row(page, again).locator(".what a").first.click()
    expect(page.locator(".banner.bad")).to_contain_text(t("alert.relapse_banner", n=1))
    expect(page.locator(f'.banner a[href="/alerts/{id_}"]')).to_be_visible()


def _silences_its_site(page: Page, t: Words) -> None:
    page.get_by_role("link", name=t("alert.silence_site"), exact=True).click()
    expect(page.locator("#preview")).to_contain_text(SITE_OF_PIXEL)
    expect(page.locator("#preview li")).to_have_count(2)
    page.locator("select[name=name_1]").select_option("severity")
    page.locator("input[name=values_1]").fill("medium")
    expect(page.locator("#preview .words")).to_contain_text(t("severity.medium"))
    page.get_by_label(t("silence.comment")).fill("rebuilt until Friday / 装修至周五")
    page.get_by_role("button", name=t("silence.keep"), exact=True).click()
    expect(page.locator("#active li")).to_contain_text("rebuilt until Friday / 装修至周五")
    page.get_by_role("link", name=t("silences.hidden", n=2)).click()
    expect(page.locator("main [data-alert]")).to_have_count(2)
    page.goto(page.url.split("/?")[0])
    expect(page.locator("h1")).to_have_text(t("todo.mine", n=5))


def test_a_silence_is_changed(page: Page, site: Site, chromium: Browser, language: str) -> None:
    """From the list, with a preview as one types; the second of two is told by whom, and may have it so."""
    t = words(language)
    become(page, site)
    silences, now = site.world.services.relational.silences, site.world.now
    wing = Matcher("site", "=", (SITE_OF_PIXEL,))
    made = silences.add(Draft(SilenceKind.SILENCE, (wing,), now, now + HOUR, "rebuilt"), LI.id, now).silence
    page.goto(f"{site.url}/silences")
    page.locator("#active").get_by_role("link", name=t("silences.edit"), exact=True).click()
    expect(page.locator("h1")).to_have_text(t("silences.edit_silence"))
    page.locator("select[name=name_1]").select_option("severity")
    page.locator("input[name=values_1]").fill("medium")
    expect(page.locator("#preview .words")).to_contain_text(t("severity.medium"))
    other = another(chromium, site, page)
    other.goto(f"{site.url}/silences/{made.id}/edit")
    other.get_by_label(t("silence.comment")).fill("moved")
    other.get_by_role("button", name=t("app.save"), exact=True).click()
    expect(other.locator("#active li")).to_contain_text("moved")
    other.context.close()
    page.get_by_role("button", name=t("app.save"), exact=True).click()
    told = t("registry.late_changed", who=COSTA.name, ago=t("time.now"))
    expect(page.get_by_role("alert")).to_have_text(told)
    expect(page.locator(".as-now")).to_contain_text("moved")
    page.get_by_role("button", name=t("app.save"), exact=True).click()
    expect(page.locator("#active li")).to_contain_text("rebuilt")
    expect(page.locator("#active li .words")).to_contain_text(t("severity.medium"))
    expect(page.locator("#active li")).to_contain_text(
        t("silence.changed_by", who=LI.name, ago=t("time.now"))
    )


def test_several_at_once(page: Page, site: Site, language: str) -> None:
    """Selected by box and key, acknowledged together; what somebody was faster with is told by name."""
    t = words(language)
    become(page, site)
    open_queue(page, site)
    expect(page.locator("#bulk")).to_be_hidden()
    rows = page.locator("main li[data-work=new]")
    for at in range(2):
        rows.nth(at).locator("input[name=alert]").check()
    taken = int(rows.first.get_attribute("data-alert") or 0)
    expect(page.locator("#bulk .count")).to_have_text(t("bulk.count", n=2))
    page.route("**/events", lambda route: route.abort())  # this page does not hear of it
    site.world.services.relational.queue.act(taken, Acknowledge(), COSTA.id, site.world.now)
    page.locator("#bulk [data-bulk=acknowledge]").click()
    window = page.get_by_role("dialog")
    expect(window.locator("h2")).to_have_text(t("bulk.done_acknowledge", n=1))
    expect(window.locator(".refused")).to_contain_text(
        t("stale.acknowledged", who=COSTA.name, ago=t("time.now"))
    )
    page.get_by_role("link", name=t("bulk.back")).click()
    expect(window).to_be_hidden()


def test_the_selection_outlives_what_happens_meanwhile(page: Page, site: Site, language: str) -> None:
    """Rows that come and go by themselves leave it as it is; an action on all of it ends it."""
    t = words(language)
    become(page, site)
    open_queue(page, site)
    chosen = page.locator("main li[data-work=new]").first
    id_ = int(chosen.get_attribute("data-alert") or 0)
    row(page, id_).locator("input[name=alert]").check()
    new = site.world.fires("LidarFailing", 0)
    expect(row(page, new)).to_be_visible()
    expect(row(page, id_).locator("input[name=alert]")).to_be_checked()
    page.locator("#bulk [data-bulk=snooze]").click()
    window = page.get_by_role("dialog")
    window.get_by_label(t("action.snooze_reason")).fill("mopping")
    window.get_by_role("button", name=t("action.snooze")).click()
    expect(page.locator(".toast")).to_have_text(t("bulk.done_snooze", n=1))
    expect(row(page, id_)).to_have_count(0)
    expect(page.locator("#bulk")).to_be_hidden()


def test_the_queue_by_keys_alone(page: Page, site: Site, language: str) -> None:
    """Move, select, act on what is selected, help, search; and nothing while somebody types."""
    t = words(language)
    become(page, site)
    open_queue(page, site)
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    expect(page.locator(".is-selected")).to_have_count(2)
    page.keyboard.press("a")
    expect(page.locator(".toast")).to_have_text(t("bulk.done_acknowledge", n=2))
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("axsc?")
    expect(page.locator("#q")).to_have_value("axsc?")
    expect(page.locator("#keys")).to_be_hidden()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.locator("#q").fill("")
    page.keyboard.press("Escape")
    expect(page.locator("main [data-alert]").first).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/alerts/\d+$"))


def test_two_people_on_one_alert(page: Page, site: Site, chromium: Browser, language: str) -> None:
    """The second is told who did what, and nothing is done on what it was before."""
    t = words(language)
    become(page, site)
    id_ = site.world.fires("NavigationInterrupted", 0)
    open_queue(page, site, f"/alerts/{id_}")
    page.get_by_role("button", name=t("action.close"), exact=True).click()
    window = page.get_by_role("dialog")
    window.get_by_label(t("reason.expected"), exact=True).check()
    other = another(chromium, site, page)
    open_queue(other, site, f"/alerts/{id_}")
    other.get_by_label(t("alert.note_label")).fill("router is being exchanged")
    other.get_by_role("button", name=t("alert.note_keep")).click()
    expect(page.locator(".history .noted")).to_contain_text("router is being exchanged")
    window.get_by_role("button", name=t("action.close"), exact=True).click()
    told = t("stale.noted", who=COSTA.name, ago=t("time.now"))
    expect(window.get_by_role("alert")).to_have_text(f"{told} {t('stale.look')}")
    alert = site.world.services.relational.alert(id_)
    assert alert is not None
    assert alert.is_open
    other.context.close()


def test_groups_unfold_and_stay_so(page: Page, site: Site, language: str) -> None:
    """A customer's alerts by site under its fold; new ones come in without folding it."""
    t = words(language)
    become(page, site)
    open_queue(page, site, "/?whose=all")
    page.get_by_role("button", name=t("find.group")).click()
    group = page.locator(".group", has_text="Riverside Museum")
    expect(group).to_contain_text(t("group.alerts", n=2))
    group.locator("summary").click()
    expect(group.locator("h3")).to_contain_text(SITE_OF_PIXEL)
    expect(group.locator("[data-alert]")).to_have_count(2)
    id_ = site.world.fires("NavigationInterrupted", 4)
    expect(group).to_contain_text(t("group.alerts", n=3))
    expect(row(page, id_)).to_be_visible()


def test_a_view_is_kept(page: Page, site: Site, language: str) -> None:
    """Filters under a name, opened again by it, first of all if so chosen, and removed."""
    t = words(language)
    become(page, site)
    open_queue(page, site, "/?whose=all&severity=high")
    saved = page.locator(".saved")
    saved.locator("summary").click()
    saved.get_by_label(t("saved.name")).fill("urgent / 紧急")
    saved.get_by_role("button", name=t("saved.keep"), exact=True).click()
    expect(saved.locator("summary")).to_have_text("urgent / 紧急")
    saved.locator("summary").click()
    saved.get_by_role("button", name=t("saved.choose_named", name="urgent / 紧急")).click()
    open_queue(page, site)
    expect(page.locator("main [data-alert]")).to_have_count(3)
    saved.locator("summary").click()
    saved.get_by_role("button", name=t("saved.remove_named", name="urgent / 紧急")).click()
    expect(saved.locator("summary")).to_have_text(t("saved.title"))


def test_a_deadline_passes(page: Page, site: Site, language: str) -> None:
    """What is late says so in its row, and stands under its own tab."""
    t = words(language)
    become(page, site)
    open_queue(page, site, "/?whose=overdue")
    [late] = page.locator("main [data-alert]").all()
    expect(late.locator(".due.late")).to_be_visible()
    expect(page.locator("h1")).to_have_text(t("todo.overdue", n=1))
    id_ = site.world.fires("RobotSilent", 0, ago=5 * HOUR + MINUTE)
    expect(row(page, id_)).to_be_visible()
    expect(page.locator("h1")).to_have_text(t("todo.overdue", n=2))
