"""The morning's summary: from the mailbox of a CSM, through the door, to the alert that it names first."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from collector import credentials
from collector.notifying.gathering import Gathering
from collector.notifying.sending import Sender
from collector.notifying.settings import Channel, DigestTime, Settings
from collector.notifying.worker import Notifier
from tests.browser.conftest import Site
from tests.browser.test_console import words
from tests.browser.world import NOW, PEOPLE, TZ
from tests.notifying.receivers import Mailbox, mailbox

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
LI = PEOPLE[0]
ADDRESS = "li@example.com"
PASSWORD = "three red robots"


def test_the_morning_begins_in_the_mailbox(page: Page, site: Site, language: str, tmp_path: Path) -> None:
    """In the reader's language; its first alert is the queue's first, and opens after the door."""
    t = words(language)
    _has_a_mailbox(site, language)
    with _notifying(site) as box:
        [mail] = [mail for mail in box.mails if ADDRESS in str(mail["To"])]
    page.context.clear_cookies()
    page.goto(_saved(mail, tmp_path))
    expect(page.locator("h2")).to_have_text(str(mail["Subject"]))
    headings = page.locator("h3")
    expect(headings.filter(has_text=t("digest.renewals"))).to_be_visible()
    expect(page.get_by_text("Riverside Museum").last).to_contain_text(t("digest.renewal_days", n=12))
    page.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(r"/sign-in\?to="))
    page.get_by_label(t("signin.name")).fill(LI.id)
    page.get_by_label(t("signin.password")).fill(PASSWORD)
    page.get_by_role("button", name=t("signin.enter")).click()
    expect(page).to_have_url(re.compile(r"/alerts/\d+$"))
    named = page.url.rpartition("/")[2]
    page.locator("a.crumb").click()
    expect(page.locator(".first-alert")).to_have_attribute("data-alert", named)


def _has_a_mailbox(site: Site, language: str) -> None:
    accounts, now = site.world.services.relational.accounts, site.world.now
    known = accounts.person(LI.id)
    assert known is not None
    accounts.change(replace(known, email=ADDRESS, language=language), "test", now)
    accounts.set_password(LI.id, credentials.hashed(PASSWORD), "test", now)


@contextmanager
def _notifying(site: Site) -> Iterator[Mailbox]:
    """It is the hour of the summary; what is to be sent, is."""
    services, conditions = site.world.services, site.world.conditions
    local = datetime.fromtimestamp(NOW / 1_000, ZoneInfo(TZ))
    digest = DigestTime(local.hour * 60 + local.minute, TZ, ("owner",))
    with mailbox() as box:
        mail = Channel("mail", f"mailto://127.0.0.1:{box.port}?from=robovitals@example.com", "en")
        settings = Settings({"mail": mail}, digest=digest, console=site.url)
        gathering = Gathering(services.relational, services.rules)
        notifier = Notifier(settings, services.relational, gathering, Sender(), conditions,
                            services.telemetry, services.clock)  # fmt: skip
        notifier.step()
        assert notifier.wait(30)
        yield box


def _saved(mail: EmailMessage, folder: Path) -> str:
    """The address of the mail's page, as a mail program shows it."""
    part = mail.get_body(("html",))
    assert part is not None
    path = folder / "mail.html"
    path.write_text(f'<meta charset="utf-8">{part.get_content()}', encoding="utf-8")
    return path.as_uri()
