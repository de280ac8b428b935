"""One browser for all tests; each gets a collector of its own, and a page that must stay free of errors."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from collector.changes import Changes
from collector.http.signed import COOKIE
from tests.browser import world
from tests.browser.serving import Serving
from tests.signing import session_of

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 30_000
SECRET = "a-session-that-every-site-knows"
expect.set_options(timeout=PATIENCE_MS)
_SHOWN = (  # what the page itself shows, or heals, is nothing to complain about
    "Failed to load resource: the server responded with a status of",
    "Failed to load resource: net::ERR_CONNECTION_REFUSED",
    "Failed to load resource: net::ERR_INCOMPLETE_CHUNKED_ENCODING",
)


@dataclass
class Site:
    """A collector being served, and what happens in it."""

    world: world.World
    serving: Serving

    @property
    def url(self) -> str:
        """The address of the start page, without a slash at the end."""
        return self.serving.url

    def returns(self) -> None:
        """The collector that was stopped is there again, with nobody connected to it yet."""
        self.world.services = replace(self.world.services, changes=Changes())
        self.serving.start(self.world.services)


@dataclass
class Complaints:
    """What the browser complained about."""

    found: list[str] = field(default_factory=list)

    def heard(self, message: ConsoleMessage) -> None:
        """A message of the browser's console."""
        if message.type in ("error", "warning") and not message.text.startswith(_SHOWN):
            self.found.append(message.text)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Headless Chromium, as installed on this machine."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("chromium is not installed; apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a fleet and its past, to be copied."""
    folder = tmp_path_factory.mktemp("seeded")
    world.seed(folder)
    return folder


@pytest.fixture
def site(seeded: Path, tmp_path: Path) -> Iterator[Site]:
    """A fleet with a past, served."""
    shutil.copytree(seeded, tmp_path, dirs_exist_ok=True)
    yield from _served(tmp_path)


@pytest.fixture
def empty_site(tmp_path: Path) -> Iterator[Site]:
    """A collector that has heard nobody yet, served."""
    yield from _served(tmp_path)


def _served(folder: Path) -> Iterator[Site]:
    built = world.opened(folder, first_group=1_000)
    session_of(built.services, secret=SECRET)
    with Serving(built.services) as serving:
        yield Site(built, serving)
    world.close(built)


def sign_in(context: BrowserContext) -> None:
    """The browser has the session of `MEI` that every site has."""
    context.add_cookies([{"name": COOKIE, "value": SECRET, "domain": "127.0.0.1", "path": "/"}])


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> str:
    """Every test that asks for it runs in both languages."""
    return str(request.param)


@pytest.fixture
def page(chromium: Browser, language: str) -> Iterator[Page]:
    """A tab of a reader of that language; at its end, nothing may stand in the browser's console."""
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    context = chromium.new_context(locale=locale, viewport={"width": 1440, "height": 1000})
    sign_in(context)
    tab, complaints = context.new_page(), Complaints()
    tab.on("console", complaints.heard)
    tab.on("pageerror", lambda error: complaints.found.append(str(error)))
    tab.set_default_timeout(PATIENCE_MS)
    yield tab
    context.close()
    assert complaints.found == []
