"""Alerts of sites, customers and storms, of every measure, and what hides them: as pages show them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fastapi.testclient import TestClient

from agent.catalogue import load as load_catalogue
from collector.http import app
from collector.http.views.evidence import name
from collector.http.views.plots import daily, earlier
from collector.http.views.sources import series
from collector.relational import RobotRecord
from collector.stores import Commit, Rows, StoredSample, Watermark
from collector.subjects import Subject, of_robot, subject
from collector.words.i18n import Words
from rules.evaluation import By, Entity, Evaluation, Event, Evidence, Suppression
from rules.lifecycle import State
from rules.load import load
from rules.rule import Compare, Leaf, Silent, leaves
from rules.storm import MEASURE, NAME
from tests.browser import world
from tests.browser.world import DAY, HOUR, NOW, World
from tests.signing import sign_in

HTML = {"Accept": "text/html"}
RULES = """
schema: robovitals-rules/1
defaults: {missing_data: keep_last_state}
groups:
- name: use
  interval: 1h
  rules:
  - alert: SiteQuiet
    for_each: site
    when: {increase: engagement.visitors, over: 6h, is: below 5}
    labels: {severity: high, subsystem: engagement}
    about: {en: The site is quiet, zh: 地点冷清}
    summary: {en: "{site} of {customer} is quiet", zh: "{customer} 的 {site} 冷清"}
  - alert: BehindPeers
    measure: {ratio: {of: engagement.interactions, to: engagement.visitors, over: 6h}}
    when:
      all:
      - peers: {same: [industry], min_peers: 3, robust_z: below -2}
      - peers: {same: [industry], min_peers: 3, percentile: below 10%}
      - own_past: {weeks: 2, change: below -20%}
    labels: {severity: low, subsystem: engagement}
    about: {en: Behind its peers, zh: 落后于同类}
    summary: {en: "{robot} is behind", zh: "{robot} 落后"}
  - alert: RarelyUsed
    when:
      any:
      - active_days: {of: engagement.visitors, at_least: 10, over: 7d}
        is: below 3
      - {fluctuation: {of: engagement.visitors, per: day, over: 14d}, is: above 80%}
    labels: {severity: low, subsystem: engagement}
    about: {en: Rarely used, zh: 使用少}
    summary: {en: "{robot} is rarely used", zh: "{robot} 使用少"}
  - alert: SiteHot
    for_each: site
    when:
      share_of_robots:
        when: {gauge: system.temperature_c, reduce: max, over: 1h, is: above 70}
        is: above 50%
    labels: {severity: high, subsystem: system}
    about: {en: The site is hot, zh: 地点过热}
    summary: {en: "{site} is hot", zh: "{site} 过热"}
"""
SITE = Entity("site", "East wing")
R1 = Entity("robot", "r1")


@pytest.fixture
def built(tmp_path: Path) -> Iterator[World]:
    """Three robots of one site with two days of visitors: one an hour, two, and three."""
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    empty = world.opened(tmp_path)
    rules = load([tmp_path / "rules.yaml"], load_catalogue())
    made = replace(empty, services=replace(empty.services, rules=rules))
    own = RobotRecord("r", customer="Riverside", site=SITE.id, tz="Asia/Shanghai")
    made.services.relational.import_robots([replace(own, id=f"r{number}") for number in (1, 2, 3)])
    for number in (1, 2, 3):
        samples = [visited(f"r{number}", hour, number * hour) for hour in range(1, 49)]
        rows = Rows.of(samples, made.services.catalogue)
        made.services.store.append(Commit(NOW + number, rows, (), {(f"r{number}", "e"): Watermark(48)}))
    yield made
    world.close(made)


@pytest.fixture
def client(built: World) -> Iterator[TestClient]:
    """A browser without scripts."""
    with TestClient(app.create(built.services)) as opened:
        yield sign_in(opened, built.services)


def visited(robot: str, hour: int, visitors: int) -> StoredSample:
    """A sample at the end of an hour, counted from two days ago."""
    at = NOW - 48 * HOUR + hour * HOUR - 1
    counters = {"engagement.visitors": visitors, "engagement.interactions": visitors // 2}
    gauges = {"system.temperature_c": 40.0 + visitors}
    return StoredSample(robot, "e", hour, at, at, at, hour, "b", True, False, counters, gauges)


def fire(built: World, rule: str, entity: Entity, *, by: By | None = None, ago: int = 0) -> int:
    """An alert of that entity; answers its id."""
    at = NOW - ago
    event = Event(at, rule, entity, State.INACTIVE, State.FIRING, at, 3.0, 5.0, shown(built, rule))
    hidden = () if by is None else (Suppression(at, rule, entity, by),)
    found = Evaluation(at, f"{rule} {entity.id}", (event,), (), (), hidden)
    [id_] = built.services.relational.commit(found, built.services.rules)
    return id_


def shown(built: World, rule: str) -> tuple[Evidence, ...]:
    """What an event of the rule carries."""
    if rule == NAME:
        return (Evidence(MEASURE, (), 0.5, "at least", (0.3,), HOUR, "ratio", True),)
    found = []
    for leaf in leaves(built.services.rules.by_name[rule].when):
        assert not isinstance(leaf, Silent)
        measure = leaf.measure if isinstance(leaf, Compare) else leaf
        held = leaf.comparison
        parts = str(measure), measure.metrics, 3.0, held.operator, held.thresholds, measure.over_ms
        found.append(Evidence(*parts, measure.unit, True))
    return tuple(found)


def leaf(built: World, rule: str, number: int) -> Leaf:
    """A part of a rule's condition."""
    return list(leaves(built.services.rules.by_name[rule].when))[number]


@pytest.mark.parametrize(
    ("rule", "number", "en", "zh"),
    [
        ("SiteQuiet", 0, "Visitors", "客流"),
        (
            "BehindPeers",
            0,
            "Interactions / Visitors: distance from comparable ones (robust z)",
            "与同类的差距",
        ),
        ("BehindPeers", 1, "Interactions / Visitors: place among comparable ones", "在同类中的位置"),
        ("BehindPeers", 2, "Interactions / Visitors: change against the past 2 weeks", "与过去 2 周相比"),
        ("RarelyUsed", 0, "Days with Visitors of at least 10", "客流不少于 10 的天数"),
        ("RarelyUsed", 1, "Fluctuation of Visitors from day to day", "客流的日波动"),
        ("SiteHot", 0, "Share of robots: Temperature", "机器人占比"),
    ],
)
def test_what_people_call_a_measure(built: World, rule: str, number: int, en: str, zh: str) -> None:
    """Every part of a condition has a name in both languages."""
    found, part = shown(built, rule)[number], leaf(built, rule, number)
    assert name(built.services, found, part, Words("en")) == en
    assert zh in name(built.services, found, part, Words("zh"))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("rule", "entity"),
    [
        ("SiteQuiet", SITE),
        ("SiteHot", SITE),
        ("SiteQuiet", Entity("customer", "Riverside")),
        ("BehindPeers", R1),
        ("RarelyUsed", R1),
        (NAME, Entity("rule", "RarelyUsed")),
    ],
)
def test_every_kind_has_its_pages(
    client: TestClient, built: World, rule: str, entity: Entity, language: str
) -> None:
    """Queue, alert and fleet show it; whatever plot a page names is there."""
    id_ = fire(built, rule, entity)
    page = client.get(f"/alerts/{id_}?lang={language}", headers=HTML)
    assert page.status_code == 200
    where = {"RarelyUsed": {"en": "Rarely used", "zh": "使用少"}[language]}.get(entity.id, entity.id)
    assert where in client.get(f"/?lang={language}", headers=HTML).text
    assert client.get("/fleet", headers=HTML).status_code == 200
    for part in page.text.split('data-plot="')[1:]:
        plot = client.get(part.partition('"')[0].replace("&amp;", "&"))
        assert plot.status_code == 200
        assert all(len(line["values"]) == len(plot.json()["times"]) for line in plot.json()["series"])
    assert ("counters.json" in page.text) == (entity.kind != "rule")


def test_where_an_alert_of_a_site_is(client: TestClient, built: World) -> None:
    """Its page leads to the robots of the site, and counts what all of them counted."""
    page = client.get(f"/alerts/{fire(built, 'SiteQuiet', SITE)}?lang=en", headers=HTML).text
    assert 'href="/fleet?site=East+wing"' in page
    assert "East wing of Riverside is quiet" in page
    assert "all 3 robots together" in page
    assert "This site has no other alerts of its own." in page


def test_a_week_before_stands_beside_a_change(client: TestClient, built: World) -> None:
    """What is held against its own past is drawn with it; peers are no line, and no limit."""
    id_ = fire(built, "BehindPeers", R1)
    lines = client.get(f"/alerts/{id_}/measure.json?item=2").json()
    assert [len(lines["series"]), lines["limits"]] == [2, []]
    assert [len(client.get(f"/alerts/{id_}/measure.json?item=0").json()["series"])] == [1]


def test_days_are_bars_with_what_makes_one_active(client: TestClient, built: World) -> None:
    """A bar a local day; fluctuation has no such limit."""
    id_ = fire(built, "RarelyUsed", R1)
    plot = client.get(f"/alerts/{id_}/measure.json?item=0").json()
    assert (plot["limits"], plot["series"][0]["kind"]) == ([10.0], "bars")
    assert sum(value or 0 for value in plot["series"][0]["values"]) == 47
    assert client.get(f"/alerts/{id_}/measure.json?item=1").json()["limits"] == []


def test_a_suppressed_alert_is_out_of_the_queue(client: TestClient, built: World) -> None:
    """It stands under its own tab; its page leads to what hides it, and that one's page back to it."""
    hiding = fire(built, "SiteQuiet", SITE, ago=1)
    hidden = fire(built, "RarelyUsed", R1, by=By("inhibited", "SiteQuiet", SITE))
    queue = client.get("/?lang=en", headers=HTML).text
    assert (f'id="alert-{hiding}"' in queue, f'id="alert-{hidden}"' in queue) == (True, False)
    tab = client.get("/?view=suppressed", headers=HTML).text
    assert (f'id="alert-{hiding}"' in tab, f'id="alert-{hidden}"' in tab) == (False, True)
    assert "The site is quiet · East wing" in tab
    page = client.get(f"/alerts/{hidden}", headers=HTML).text
    assert "Not in the queue: The site is quiet · East wing" in page
    assert f'href="/alerts/{hiding}"' in page
    assert "Taken out of the queue · The site is quiet · East wing" in page
    other = client.get(f"/alerts/{hiding}", headers=HTML).text
    assert "One alert is held back because of this one" in other
    assert f'href="/?whose=all&amp;view=suppressed&amp;by={hiding}"' in other
    assert f'id="alert-{hidden}"' in client.get(f"/?view=suppressed&by={hiding}", headers=HTML).text
    nothing = client.get(f"/?view=suppressed&by={hidden}", headers=HTML).text
    assert f'id="alert-{hidden}"' not in nothing


def test_storms_and_flapping_say_so(client: TestClient, built: World) -> None:
    """A storm hides the alerts of its rule; what flaps hides itself."""
    storm = fire(built, NAME, Entity("rule", "RarelyUsed"), ago=1)
    fire(built, "RarelyUsed", R1, by=By("storm", NAME, Entity("rule", "RarelyUsed")))
    flaps = fire(built, "BehindPeers", R1, by=By("flapping", "BehindPeers", R1))
    tab = client.get("/?view=suppressed&lang=en", headers=HTML).text
    assert "storm: Rarely used" in tab
    assert "it comes and goes too often" in tab
    page = client.get(f"/alerts/{storm}", headers=HTML).text
    assert "One alert is held back" in page
    assert "Share that began to fire within an hour" in page
    assert "held back" not in client.get(f"/alerts/{flaps}", headers=HTML).text


def test_a_site_is_the_sum_of_its_robots(built: World) -> None:
    """Counters are summed, gauges averaged; a robot is itself."""
    site = subject(built.services.relational, SITE)
    metrics = ("engagement.visitors", "system.temperature_c")
    found = series(built.services, site, metrics, NOW - 2 * HOUR, NOW, HOUR)
    alone = series(built.services, replace(site, robots=("r2",)), metrics, NOW - 2 * HOUR, NOW, HOUR)
    assert found.times == alone.times
    assert set(found.values["engagement.visitors"]) == {6.0}
    assert found.values["system.temperature_c"] == alone.values["system.temperature_c"]
    assert series(built.services, replace(site, robots=()), metrics, 0, HOUR, HOUR).times == ()


def test_what_alerts_are_about(built: World) -> None:
    """A site of one customer has that customer; of a robot nobody registered, only its name is known."""
    relational = built.services.relational
    retired = RobotRecord("r9", customer="Other", site=SITE.id)
    relational.import_robots([replace(retired, lifecycle=type(retired.lifecycle)("retired"))])
    robots = ("r1", "r2", "r3")
    assert subject(relational, SITE) == Subject(
        "site", SITE.id, None, SITE.id, "Riverside", "Asia/Shanghai", robots
    )
    relational.import_robots([replace(retired, id="r8")])
    assert subject(relational, SITE).customer is None
    assert subject(relational, Entity("robot", "x")) == Subject("robot", "x", robots=("x",))
    assert subject(relational, Entity("site", "x")) == Subject("site", "x")
    assert of_robot(RobotRecord("r1", name="小莫")).shown == "小莫"


def test_days_are_the_robots_own() -> None:
    """Steps are summed by the day that the clock on the wall shows."""
    zone = ZoneInfo("Asia/Shanghai")
    times = [NOW - DAY, NOW - DAY + 8 * HOUR, NOW - DAY + 9 * HOUR, NOW]
    values = {"a.b": [1.0, 2.0, 4.0, None], "a.c": [None, None, 1.0, None]}
    assert daily(times, values, ("a.b", "a.c"), zone) == ([NOW - DAY, NOW - DAY + 9 * HOUR], [3.0, 5.0])


def test_what_was_a_week_before() -> None:
    """The same points, so long ago; nothing where nothing was known."""
    assert earlier([1, 2, 3, 4], [10.0, None, 30.0, 40.0], 3, 2) == [10.0, None]
