"""What makes a score: what is missing, what failed hard, and how robots make a customer."""

from collections.abc import Mapping, Sequence

from collector.scores.reckoning import scores
from collector.scores.score import Score
from collector.scores.table import OpenAlert, Pulse
from tests.collector.scores.examples import DAYS, SETTINGS, day, robot

NAN = float("nan")
FINE: Mapping[str, float] = {}


def _scored(rows: Sequence[Mapping[str, object]], **given: object) -> dict[tuple[str, str], Score]:
    robots = [robot(f"r{row}") for row in range(len(rows))]
    found = scores(day(robots, rows, **given), SETTINGS)
    return {(score.kind, score.entity): score for score in found}


def _part(score: Score, key: str) -> tuple[float | None, int]:
    [found] = [part for part in score.components if part.key == key]
    return found.value, found.lost


def test_a_robot_like_its_peers_loses_little() -> None:
    """At their median, a sixth of the points for engagement; without failures or alerts, nothing else."""
    found = _scored([FINE] * 8)
    assert found["robot", "r0"].lost() == dict.fromkeys(SETTINGS.weights_of("robot"), 0) | {
        "conversion": 19, "volume": 18,
    }  # fmt: skip
    assert found["customer", "Museum"].points == 96.3
    assert found["site", "East wing"].robots == 8


def test_what_is_missing_gives_its_points_to_the_rest() -> None:
    """Without peers, conversion and volume are not known: 20 of 90 points go to the others."""
    found = _scored([{"heard": 4}])["robot", "r0"]
    assert _part(found, "conversion") == (None, 0)
    assert found.coverage == 70 / 90
    assert _part(found, "availability") == (0.0, round(1000 * 20 / 70))


def test_too_little_known_gives_no_score() -> None:
    """A robot that nobody ever heard, with nothing installed: only its alerts are known."""
    silent = {"heard": 0, "counted": 0, "visitors": NAN, "interactions": NAN}
    rows = [silent | dict.fromkeys(SETTINGS.functions, NAN)]
    found = _scored(rows)["robot", "r0"]
    assert (found.points, found.reason) == (None, "coverage")
    assert _scored(rows)["customer", "Museum"].points is None


def test_silence_in_opening_hours_caps() -> None:
    """Three opening days without a sound, however well all was before."""
    heard = [8.0] * (DAYS - 3) + [0.0] * 3
    found = _scored([{"heard": heard}] + [FINE] * 8)
    capped = found["robot", "r0"]
    assert (capped.points, capped.silent_days) == (25, 3)
    assert capped.cap is not None
    assert capped.cap.reason == "silent"
    assert capped.cap.lost > 0
    assert found["customer", "Museum"].cap is None  # one of nine


def test_most_robots_silent_cap_the_customer() -> None:
    """Half of them are enough."""
    heard = [8.0] * (DAYS - 3) + [0.0] * 3
    found = _scored([{"heard": heard}] * 4 + [FINE] * 4)["customer", "Museum"]
    assert found.points == 25
    assert found.cap is not None
    assert found.cap.robots == 4


def test_alerts_cost_by_severity_and_critical_ones_cap() -> None:
    """Two high alerts cost all points for alerts; one on the site costs each of its robots."""
    alerts = [
        OpenAlert("robot", "r0", "critical"),
        OpenAlert("robot", "r1", "high"),
        OpenAlert("site", "East wing", "low"),
    ]
    found = _scored([FINE] * 8, alerts=alerts)
    assert found["robot", "r0"].points == 40
    assert _part(found["robot", "r1"], "alerts")[0] == 0.4
    assert _part(found["robot", "r2"], "alerts")[0] == 0.9
    assert found["customer", "Museum"].points is not None
    assert found["customer", "Museum"].cap is None


def test_a_critical_alert_on_the_customer_caps_it_alone() -> None:
    """Its robots only bear what it costs."""
    found = _scored([FINE] * 8, alerts=[OpenAlert("customer", "Museum", "critical")])
    assert found["customer", "Museum"].points == 40
    assert found["robot", "r0"].cap is None


def test_the_pulse_is_the_customers_own_and_grows_stale() -> None:
    """From 1 to 5; after thirty days nobody knows."""
    fresh = _scored([FINE] * 8, pulses={"Museum": Pulse(2, 30.0)})["customer", "Museum"]
    assert _part(fresh, "pulse") == (0.25, 75)
    stale = _scored([FINE] * 8, pulses={"Museum": Pulse(2, 30.5)})["customer", "Museum"]
    assert _part(stale, "pulse") == (None, 0)
    assert stale.coverage == 0.9


def test_a_component_weighs_as_the_share_of_robots_it_is_known_of() -> None:
    """One robot of two has no speech: what the other loses counts half as much."""
    known = _scored([{"asr": 40.0}, {"asr": NAN}])["customer", "Museum"]
    [asr] = [part for part in known.components if part.key == "asr"]
    assert (asr.value, asr.share, asr.seen["known"]) == (0.0, 0.5, 1)
    total = sum(part.weight * part.share for part in known.components)
    assert asr.lost == round(1000 * 4 * 0.5 / total)


def test_customers_without_robots_have_no_score() -> None:
    """They are listed all the same."""
    found = _scored([FINE], customers=["Museum", "Bank"])["customer", "Bank"]
    assert (found.points, found.reason, found.robots) == (None, "no_robots", 0)


def test_peers_are_of_the_scene_or_else_of_the_industry() -> None:
    """With eight of the scene, it is held against these."""
    scenes = ["tour"] * 8 + ["promotion"] * 3
    robots = [robot(f"r{row}", scene=scene) for row, scene in enumerate(scenes)]
    rows = [{"interactions": 40.0 if scene == "tour" else 20.0} for scene in scenes]
    found = {score.entity: score for score in scores(day(robots, rows), SETTINGS) if score.kind == "robot"}
    seen = {name: dict(score.components[1].seen) for name, score in found.items()}
    assert (seen["r0"]["level"], seen["r0"]["peers"], seen["r0"]["median"]) == (0, 8, 0.4)
    assert (seen["r8"]["level"], seen["r8"]["peers"]) == (1, 11)
    assert found["r8"].components[1].value == 0.0
