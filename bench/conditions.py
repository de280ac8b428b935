"""The ten conditions that both engines judge, each in the language of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

INTERVAL: Final = "1m"


@dataclass(frozen=True, slots=True)
class Condition:
    """One alert: the condition in our rules and in MetricsQL, and for how long it must hold."""

    name: str
    when: str
    expr: str
    for_: str = "0s"


def _ratio(of: str, to: str, over: str, limit: float) -> tuple[str, str]:
    when = f"{{ratio: {{of: {of}, to: {to}, over: {over}, min_samples: 30}}, is: above {limit:.0%}}}"
    part, whole = f"increase({series(of)}[{over}])", f"increase({series(to)}[{over}])"
    return when, f"{part} / {whole} > {limit} and {whole} >= 30"


def series(metric: str) -> str:
    """The name of a metric in VictoriaMetrics."""
    return metric.replace(".", "_")


CONDITIONS: Final = (
    Condition(
        "RobotSilent",
        "{silent: robot, over: 15m}",
        "lag(system_battery_percent[1d]) >= 900",
    ),
    Condition(
        "NetworkUnstable",
        "{increase: network.disconnects, over: 6h, is: at least 6}",
        "increase(network_disconnects[6h]) >= 6",
    ),
    Condition(
        "NetworkOffline",
        "{all: [{increase: network.offline_seconds, over: 6h, is: at least 1h},"
        " {increase: network.disconnects, over: 6h, is: at least 2}]}",
        "increase(network_offline_seconds[6h]) >= 3600 and increase(network_disconnects[6h]) >= 2",
    ),
    Condition(
        "RobotUnused",
        "{increase: engagement.interactions, over: 6h, is: at most 0}",
        # Not before the window has begun: to us, `at most` holds only where the whole window is known.
        "increase(engagement_interactions[6h]) <= 0"
        " and last_over_time(engagement_interactions[1d] offset 6h)",
    ),
    Condition(
        "RebootingRepeatedly",
        "{increase: system.reboots, over: 1d, is: at least 3}",
        "increase(system_reboots[1d]) >= 3",
    ),
    Condition(
        "FacesNotRecognized",
        *_ratio("vision.faces_unrecognized", "vision.face_attempts", "3h", 0.3),
        for_="15m",
    ),
    Condition(
        "TouchUnanswered",
        *_ratio("touchscreen.touches_unanswered", "touchscreen.touches", "3h", 0.15),
        for_="15m",
    ),
    Condition("SpeechNotRecognized", *_ratio("asr.unrecognized", "asr.utterances", "1h", 0.3), for_="15m"),
    Condition(
        "BatteryLow",
        "{gauge: system.battery_percent, reduce: max, over: 1h, is: below 15%}",
        "max_over_time(system_battery_percent[1h]) < 15",
        for_="10m",
    ),
    Condition(
        "Overheating",
        "{gauge: system.temperature_c, reduce: min, over: 15m, is: above 80}",
        "min_over_time(system_temperature_c[15m]) > 80",
        for_="10m",
    ),
)


def our_rules() -> str:
    """The conditions as a file of rules. What is not known does not hold, as in MetricsQL."""
    return "\n".join(_our_lines())


def _our_lines() -> Iterator[str]:
    yield "schema: robovitals-rules/1"
    yield "defaults: {missing_data: resolve}"
    yield "groups:"
    yield f"- {{name: ten, interval: {INTERVAL}, rules: ["
    for condition in CONDITIONS:
        yield f"  {{alert: {condition.name}, for_each: robot, when: {condition.when}, for: {condition.for_},"
        yield "   labels: {severity: medium, subsystem: system}},"
    yield "  ]}"


def their_rules(interval: str = INTERVAL) -> str:
    """The conditions as a file of rules for vmalert."""
    lines = ["groups:", "- name: ten", f"  interval: {interval}", "  rules:"]
    for condition in CONDITIONS:
        lines += [f"  - alert: {condition.name}", f"    expr: {condition.expr}", f"    for: {condition.for_}"]
    return "\n".join(lines)
