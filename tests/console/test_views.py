"""What pages compute: the measure over time, bars, steps, filters, and what rules look at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.catalogue import load as load_catalogue
from collector.http.views.filters import VIEWS, Filters
from collector.http.views.fleet import Filters as FleetFilters
from collector.http.views.plots import STEPS_MS, rolling, step_for
from collector.http.views.rows import bar
from collector.http.views.watched import gauges, watched
from rules.load import load, shipped
from rules.rule import Gauge, Increase, Ratio

HOUR = 3_600_000
STEPS = st.lists(st.one_of(st.none(), st.integers(0, 50).map(float)), min_size=1, max_size=30)


@given(STEPS, st.integers(1, 8))
def test_an_increase_is_the_sum_of_its_window(values: list[float | None], window: int) -> None:
    """Each point is the sum of the steps it looks back over; without any data, none."""
    measured = rolling(Increase(("a.b",), window * HOUR), {"a.b": values}, HOUR)
    for at, point in enumerate(measured):
        known = [v for v in values[max(0, at - window + 1) : at + 1] if v is not None]
        assert point == (sum(known) if known else None)


def test_counters_of_one_measure_are_summed() -> None:
    """A list of counters rises as one."""
    measure = Increase(("a.b", "a.c"), 2 * HOUR)
    assert rolling(measure, {"a.b": [1, 2, None], "a.c": [10, None, 5]}, HOUR) == [11, 13, 7]


def test_a_ratio_needs_enough_of_its_whole() -> None:
    """Below `min_samples`, and where the whole is nothing, there is no ratio."""
    measure = Ratio(("a.bad",), ("a.all",), 2 * HOUR, 10)
    values = {"a.bad": [1.0, 1.0, 3.0, None], "a.all": [4.0, 6.0, 6.0, None]}
    assert rolling(measure, values, HOUR) == [None, 0.2, 4 / 12, None]
    assert rolling(Ratio(("a.bad",), ("a.all",), HOUR, 0), {"a.bad": [0.0], "a.all": [0.0]}, HOUR) == [None]


def test_a_gauge_is_itself() -> None:
    """The means of the steps are plotted as they are."""
    assert rolling(Gauge("a.g", "max", HOUR), {"a.g": [1.0, None]}, HOUR) == [1.0, None]


@pytest.mark.parametrize("over", [HOUR, 3 * HOUR, 6 * HOUR, 24 * HOUR, 72 * HOUR, 168 * HOUR])
@given(span=st.integers(HOUR, 400 * 24 * HOUR))
def test_steps_divide_the_window(over: int, span: int) -> None:
    """A window is a whole number of steps, so that the plotted measure is the rule's."""
    step = step_for(span, over)
    assert over % step == 0
    assert step in STEPS_MS or step == over


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.floats(-1e6, 1e6), max_size=2).map(tuple),
)
def test_a_bar_stays_in_its_track(value: float, limits: tuple[float, ...]) -> None:
    """Value and limit lie on the scale, whatever their signs."""
    shown = bar(value, limits)
    assert shown is not None
    assert 0 <= shown.from_ <= 100
    assert shown.from_ + shown.width <= 100.7
    assert shown.limit is None or 0 <= shown.limit <= 100


def test_without_a_value_there_is_no_bar() -> None:
    """No data is not zero."""
    assert bar(None, (3.0,)) is None


def test_filters_survive_their_address() -> None:
    """What makes no sense in an address is left out; the rest comes back as it was."""
    nonsense = {"view": "gone", "whose": "his", "severity": "worst", "subsystem": "x", "by": "-4"}
    assert Filters.read(nonsense, {"asr": 1}) == Filters()
    assert Filters.read({}, {}, "mine").url() == "/?whose=mine"
    shown = Filters.read({"view": "closed", "q": " Nova ", "group": "1"}, {})
    assert shown.url(severity="high") == "/?whose=all&view=closed&severity=high&q=Nova&group=1"
    assert (
        FleetFilters.read({"presence": "lost", "show": "9" * 5_000}).url() == "/fleet?presence=lost&show=2000"
    )
    assert set(VIEWS) == {"todo", "new", "acknowledged", "snoozed", "suppressed", "closed"}


def test_only_the_suppressed_are_told_by_what_hides_them() -> None:
    """An alert or a silence is asked for in that view alone; elsewhere the address leaves it out."""
    hidden = Filters.read({"view": "suppressed", "by": "7", "silence": "3"}, {})
    assert (hidden.by, hidden.silence) == (7, 3)
    assert hidden.url() == "/?whose=all&view=suppressed&by=7&silence=3"
    assert hidden.url(view="todo") == "/?whose=all"
    assert Filters.read({"view": "todo", "by": "7"}, {}) == Filters()
    assert Filters.read({"view": "suppressed", "by": "x"}, {}) == Filters(view="suppressed")


def test_another_filter_begins_on_the_first_page() -> None:
    """A cursor belongs to the list that it was given out for."""
    second = Filters.read({"after": "abc", "severity": "high"}, {})
    assert second.url(after=second.after) == "/?whose=all&severity=high&after=abc"
    assert second.url(severity="") == "/?whose=all"
    assert Filters.read({"owner": "li"}, {}).url(whose="mine") == "/?whose=mine"


def test_rules_say_what_is_trouble() -> None:
    """What a rule wants low is trouble, with what it is a share of; what it wants high is not."""
    rules = load(shipped(), load_catalogue())
    vision = watched(rules, "vision")
    assert vision.trouble == ("vision.faces_unrecognized", "vision.face_errors")
    assert vision.whole["vision.faces_unrecognized"] == "vision.face_attempts"
    assert watched(rules, "engagement").trouble == ()
    assert "engagement.interactions" in watched(rules, "engagement").other
    assert "system.battery_percent" in gauges(rules)
