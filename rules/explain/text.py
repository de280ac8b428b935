"""An explanation in plain sentences, and as JSON."""

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from rules.explain import Explanation, Finding
from rules.flapping import LASTING
from rules.lifecycle import State
from rules.rule import (
    ActiveDays,
    Compare,
    Fluctuation,
    Gauge,
    Leaf,
    Measure,
    OwnPast,
    Peers,
    Ratio,
    ShareOfRobots,
    Silent,
    duration,
)

_VERDICT: Final = {True: "holds", False: "does not hold", None: "is unknown"}
_MISSING: Final = {
    "keep_last_state": "the signal stays as it is (missing_data: keep_last_state)",
    "resolve": "it counts as not holding (missing_data: resolve)",
    "fire": "it counts as holding (missing_data: fire)",
    "unknown": "the signal is unknown, unless it fires already (missing_data: unknown)",
}
_SHOWN_ROBOTS: Final = 10


def lines(explanation: Explanation) -> Iterator[str]:
    """What a terminal shows."""
    rule = explanation.rule
    yield f"{rule.name} on {rule.entity} {explanation.entity} ({rule.place})"
    if explanation.state is None or explanation.at is None:
        yield _not_there(explanation)
        return
    yield f"at {_both(explanation.at, explanation.zone)}: {explanation.state}{_since(explanation)}"
    yield from why(explanation)
    shown = explanation.parts if explanation.state in LASTING else explanation.parts[:1]
    for part in shown:  # clear_when matters to what fires
        yield ""
        yield f"{part.name}: {_VERDICT[part.holds]}"
        for finding in part.findings:
            yield from _leaf(finding, explanation.zone)


def why(explanation: Explanation) -> Iterator[str]:
    """Why the signal is in its state."""
    rule, state, since = explanation.rule, explanation.state, explanation.since or 0
    when = explanation.parts[0].holds
    if explanation.muted:
        names = ", ".join(explanation.muted)
        yield f"It is not judged at this time ({names}), so the signal stays as it is."
        return
    goes_on = _goes_on(explanation)
    if when is None and goes_on is None:
        yield f"Whether `when` holds cannot be said; {_MISSING[rule.missing_data]}."
    if state is State.PENDING:
        fires = _time(since + rule.for_ms, UTC)
        yield f"`when` holds; it fires once it has held for {duration(rule.for_ms)}, at {fires} UTC."
    elif state is State.FIRING and when:
        yield "It fires, since `when` holds."
    elif goes_on is not None:
        yield goes_on
    elif state is State.RECOVERING:
        ends = _time(since + rule.keep_firing_for_ms, UTC)
        lasts = duration(rule.keep_firing_for_ms)
        yield f"It is over, and fires on for keep_firing_for ({lasts}) until {ends} UTC."
    elif when is False:
        yield f"It does not fire, since `when` does not hold.{_ended(state, since)}"


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Times are ms UTC."""
    return {
        "rule": explanation.rule.name,
        "place": explanation.rule.place,
        "kind": explanation.rule.entity,
        "entity": explanation.entity,
        "asked": explanation.asked,
        "at": explanation.at,
        "zone": explanation.zone,
        "state": explanation.state,
        "since": explanation.since,
        "muted_by": list(explanation.muted),
        "why": [_not_there(explanation)] if explanation.state is None else list(why(explanation)),
        "conditions": [
            {
                "name": part.name,
                "holds": part.holds,
                "leaves": [_finding(finding) for finding in part.findings],
            }
            for part in explanation.parts
        ],
    }


def unknown_because(finding: Finding) -> str | None:
    """Why it cannot be said whether a leaf holds; None where it can."""
    if finding.evidence is not None and finding.evidence.holds is not None:
        return None
    if isinstance(finding.leaf, Silent):
        return "it was never heard, or too long ago to tell"
    if finding.evidence is not None and finding.evidence.value is not None:
        return _not_covered(finding)
    if isinstance(finding.leaf, ShareOfRobots):
        known = sum(holds is not None for _, holds in finding.robots)
        return f"it can be said of {known} robots only, {max(finding.leaf.min_robots, 1)} are needed"
    return _no_samples(finding) or _too_few(finding)


def _no_samples(finding: Finding) -> str | None:
    facts = finding.facts
    if facts.newest is None:
        return "no sample has come yet"
    if not facts.in_window:
        return f"no sample is in the window; the newest is of {_time(facts.newest, UTC)} UTC"
    if facts.lacking and not isinstance(_measure(finding.leaf), Gauge):
        return f"the newest sample lacks {', '.join(facts.lacking)}"
    return None


def _too_few(finding: Finding) -> str:
    leaf, measure = finding.leaf, _measure(finding.leaf)
    if isinstance(leaf, Peers) and finding.own is not None and finding.own.covered:
        return f"too few peers: it is known of {finding.peers_known}, {leaf.min_peers} are needed"
    if isinstance(measure, Ratio) and finding.to is not None and finding.to.value is not None:
        least = max(measure.min_samples, 1)
        if finding.to.value < least:
            return f"{' + '.join(measure.to)} rose by {finding.to.value:g} only, {least:g} are needed"
    if finding.own is not None and finding.own.value is not None and not finding.own.covered:
        return _not_covered(finding)
    if isinstance(leaf, OwnPast):
        return f"too little is known of the {leaf.weeks} weeks before"
    if isinstance(measure, Gauge):
        return "no sample in the window has it"
    if isinstance(measure, Fluctuation):
        return f"too few of the {measure.days} days were heard of, or nothing rose"
    if isinstance(measure, ActiveDays):
        return "the newest sample is not of these days, or lacks the counters"
    return "it is not known"


def _not_covered(finding: Finding) -> str:
    facts = finding.facts
    begin = finding.window[0] if finding.window else 0
    if facts.first is not None and facts.first > begin:
        return f"the window is not covered: the first sample is of {_time(facts.first, UTC)} UTC"
    if facts.newest is not None:
        return f"the window is not covered: the newest sample is of {_time(facts.newest, UTC)} UTC"
    return "the window is not covered"


def _leaf(finding: Finding, zone: str) -> Iterator[str]:
    evidence = finding.evidence
    if evidence is None:
        yield f"  - {finding.leaf}: was not evaluated"
        return
    bounds = " and ".join(_quantity(bound, evidence.unit) for bound in evidence.thresholds)
    value = "unknown" if evidence.value is None else _quantity(evidence.value, evidence.unit)
    yield f"  - {evidence.measure} = {value}; {evidence.comparison} {bounds} {_VERDICT[evidence.holds]}"
    if because := unknown_because(finding):
        yield f"      because {because}"
    yield from (f"      {line}" for line in _behind(finding, zone))


def _behind(finding: Finding, zone: str) -> Iterator[str]:
    facts, measure = finding.facts, _measure(finding.leaf)
    if finding.window is not None:
        begin, end = finding.window
        newest = "none" if facts.newest is None else f"{_time(facts.newest, UTC)} UTC"
        yield f"window: {_span(begin, end, zone)}"
        yield f"samples: {facts.in_window} in the window; newest of all {newest}"
    elif facts.heard is not None:
        yield f"last samples: {_both(facts.heard, zone)}; only time in which the collector listened counts"
    if isinstance(measure, Ratio) and finding.of is not None and finding.to is not None:
        least = f"at least {max(measure.min_samples, 1):g} needed"
        yield f"{' + '.join(measure.of)} rose by {_plain(finding.of.value)}"
        yield f"{' + '.join(measure.to)} rose by {_plain(finding.to.value)} ({least})"
    if finding.own is not None:
        value = "unknown" if finding.own.value is None else _quantity(finding.own.value, _unit(measure))
        yield f"{measure} itself: {value}"
    if finding.peers is not None:
        yield _peers(finding)
    if finding.robots:
        yield from _robots(finding)


def _peers(finding: Finding) -> str:
    assert finding.peers is not None, "asked for only then"  # noqa: S101 -- a contract within this file
    peers, unit = finding.peers, _unit(_measure(finding.leaf))
    same = ", ".join(f"{name} {value}" for name, value in peers.same)
    spread = f"median {_quantity(peers.median, unit)}, MAD {_quantity(peers.mad, unit)}"
    return f"peers: {peers.count} with {same or 'nothing in common (all)'}; {spread}"


def _robots(finding: Finding) -> Iterator[str]:
    for holds, what in ((True, "holds of"), (False, "does not hold of"), (None, "unknown of")):
        names = [robot for robot, one in finding.robots if one is holds]
        if names:
            more = f" and {len(names) - _SHOWN_ROBOTS} more" if len(names) > _SHOWN_ROBOTS else ""
            yield f"{what} {len(names)} robots: {', '.join(names[:_SHOWN_ROBOTS])}{more}"


def _goes_on(explanation: Explanation) -> str | None:
    """Why it fires although `when` does not hold; None where there is another reason."""
    when, *clear = explanation.parts
    if explanation.state is not State.FIRING or when.holds or not clear or clear[0].holds:
        return None
    if when.holds is None and clear[0].holds is None:
        return None
    verdicts = f"`when` {_VERDICT[when.holds]}, and clear_when {_VERDICT[clear[0].holds]}"
    return f"It fires on: {verdicts}."


def _ended(state: State | None, since: int) -> str:
    return f" It fired before, until {_time(since, UTC)} UTC." if state is State.RESOLVED else ""


def _not_there(explanation: Explanation) -> str:
    rule = explanation.rule
    if not explanation.inside:
        return f"The rule is not about this {rule.entity}: it is retired, or does not pass `where`."
    return "Nothing was evaluated by then: the recording begins later."


def _finding(finding: Finding) -> dict[str, Any]:
    evidence, facts = finding.evidence, finding.facts
    found: dict[str, Any] = {
        "measure": str(finding.leaf if evidence is None else evidence.measure),
        "value": None if evidence is None else evidence.value,
        "comparison": None if evidence is None else evidence.comparison,
        "thresholds": [] if evidence is None else list(evidence.thresholds),
        "unit": "" if evidence is None else evidence.unit,
        "holds": None if evidence is None else evidence.holds,
        "unknown_because": unknown_because(finding),
        "window": None if finding.window is None else list(finding.window),
        "samples_in_window": facts.in_window,
        "newest_sample": facts.newest,
        "last_commit": facts.heard,
    }
    if finding.of is not None and finding.to is not None:
        found["ratio"] = {"of": finding.of.value, "to": finding.to.value}
    if finding.own is not None:
        found["own"] = {"value": finding.own.value, "covered": finding.own.covered}
    if finding.peers is not None:
        peers = finding.peers
        found["peers"] = {
            "same": dict(peers.same),
            "count": peers.count,
            "median": peers.median,
            "mad": peers.mad,
        }
    if finding.robots:
        found["robots"] = dict(finding.robots)
    return found


def _measure(leaf: Leaf) -> Measure | None:
    return leaf.measure if isinstance(leaf, Compare | Peers | OwnPast) else None


def _unit(measure: Measure | None) -> str:
    return "" if measure is None else measure.unit


def _quantity(value: float, unit: str) -> str:
    if unit == "ratio":
        return f"{100 * value:.4g} %"
    if unit == "s":
        return duration(round(value * 1_000))
    return f"{value:.6g} {unit}".strip()


def _plain(value: float | None) -> str:
    return "an unknown number" if value is None else f"{value:g}"


def _since(explanation: Explanation) -> str:
    return f" since {_both(explanation.since, explanation.zone)}" if explanation.since else ""


def _both(at: int, zone: str) -> str:
    """In UTC and on the robot's own clock."""
    local = _zone(zone)
    return f"{_time(at, UTC)} UTC" + (f" ({_time(at, local)} {zone})" if local else "")


def _span(begin: int, end: int, zone: str) -> str:
    local = _zone(zone)
    on_its_clock = f" ({_time(begin, local)} to {_time(end, local)} {zone})" if local else ""
    return f"{_time(begin, UTC)} to {_time(end, UTC)} UTC{on_its_clock}"


def _zone(name: str) -> tzinfo | None:
    """None where the clock shows UTC."""
    try:
        return None if name == "UTC" else ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return None


def _time(at: int, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(at / 1_000, zone).strftime("%Y-%m-%d %H:%M:%S")
