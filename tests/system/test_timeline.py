"""The language of timelines: what a table means, and what is wrong with one."""

import pytest

from tests.system.timeline import State, Step, Timeline, TimelineError

TABLE = """
    0s     start broker, collector, 2 agents, robots   # everything
    3s     kill broker
    5.5s   kill collector; pause agent 2
    8s     start broker, collector; resume agent 2
    9s     stop agents
    20s    end
"""


def test_a_table_is_its_steps_in_order() -> None:
    """Each verb with each part is a step; `agents` are all there are."""
    timeline = Timeline.parse(TABLE)
    assert [str(step) for step in timeline.steps] == [
        "0.0s start broker",
        "0.0s start collector",
        "0.0s start agent 1",
        "0.0s start agent 2",
        "0.0s start robots",
        "3.0s kill broker",
        "5.5s kill collector",
        "5.5s pause agent 2",
        "8.0s start broker",
        "8.0s start collector",
        "8.0s resume agent 2",
        "9.0s stop agent 1",
        "9.0s stop agent 2",
    ]
    assert (timeline.end_s, timeline.kills) == (20.0, 2)
    assert timeline.parts == ("broker", "collector", "agent 1", "agent 2", "robots")


def test_it_knows_how_everything_stands_at_the_end() -> None:
    """Started, and neither stopped nor killed, is up."""
    standing = Timeline.parse(TABLE).standing
    assert standing["broker"] is State.UP
    assert standing["agent 2"] is State.DOWN


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("0s start broker", "timeline: has no end; expected a last line such as 20s end"),
        ("soon end", "timeline:1: expected a time and what happens, such as 3s kill broker, not 'soon end'"),
        ("3s", "timeline:1: expected a time and what happens, such as 3s kill broker, not '3s'"),
        ("3 end", "timeline:1: expected a time and what happens, such as 3s kill broker, not '3 end'"),
        (
            "0s start broker\n1s kil broker\n2s end",
            "timeline:2: expected start, stop, kill, pause, resume, damage or end, not 'kil'",
        ),
        (
            "0s start brokers\n2s end",
            "timeline:1: expected broker, collector, robots, agents, agent N or, to start them, N agents "
            "after start, not 'brokers'",
        ),
        (
            "0s start\n2s end",
            "timeline:1: expected broker, collector, robots, agents, agent N or, to start them, N agents "
            "after start, not ''",
        ),
        (
            "0s start agents\n2s end",
            "timeline:1: expected broker, collector, robots, agents, agent N or, to start them, N agents "
            "after start, not 'agents'",
        ),
        ("0s start 2 agents\n1s kill agent 3\n2s end", "timeline:2: there are 2 agents, and no agent 3"),
        (
            "0s start 2 agents\n1s start 3 agents\n2s end",
            "timeline:2: there are 2 agents already; name them: agent 1, or agents",
        ),
        (
            "0s damage broker\n2s end",
            "timeline:1: expected broker, collector, robots, agents, agent N or, to start them, N agents "
            "after damage, not 'broker'",
        ),
        ("0s start 0 agents\n2s end", "timeline:1: expected 1 to 100 agents, not 0"),
        ("0s kill broker\n2s end", "timeline:1: kill broker: it is down; expected start or damage"),
        (
            "0s start broker\n1s start broker\n2s end",
            "timeline:2: start broker: it is up; expected stop or kill or pause",
        ),
        (
            "0s start broker\n1s pause broker\n2s start broker\n3s end",
            "timeline:3: start broker: it is paused; expected stop or kill or resume",
        ),
        ("5s start broker\n4s kill broker\n6s end", "timeline:2: 4s is before 5s; times only rise"),
        ("5s start broker\n4s end", "timeline:2: 4s is before 5s; times only rise"),
        ("2s end\n3s start broker", "timeline:2: nothing comes after end, not '3s start broker'"),
    ],
)
def test_a_wrong_table_is_told_in_one_line(table: str, problem: str) -> None:
    """The line, and what was expected there."""
    with pytest.raises(TimelineError) as error:
        Timeline.parse(table)
    assert str(error.value) == problem


def test_steps_by_hand_are_judged_as_well() -> None:
    """A timeline that nobody wrote as a table cannot do what cannot happen either."""
    with pytest.raises(TimelineError, match="kill broker: it is down; expected start or damage"):
        Timeline((Step(0.0, "kill", "broker"),), 1.0)
