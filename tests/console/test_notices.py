"""What every page says while the collector does not do all of its work."""

import pytest

from collector.conditions import Conditions, Health
from collector.http.views.notices import Notice, notices
from collector.words.i18n import Words

EN, ZH = Words("en"), Words("zh")


def test_nothing_is_said_while_all_is_well() -> None:
    """A part that is well has no notice, whatever it says."""
    conditions = Conditions()
    conditions.well("store", "up to date")
    conditions.well("ingest", "up to date")
    assert notices(conditions.health(), EN) == []


@pytest.mark.parametrize(
    ("part", "en", "zh"),
    [
        ("store", "Data cannot be stored", "数据暂时无法存储"),
        ("broker", "There is no connection to the message broker", "与消息服务器的连接中断"),
        ("roster", "The database cannot be written", "数据库暂时无法写入"),
        ("queue", "Alerts cannot be written", "告警暂时无法写入"),
        ("rules", "Some rules fail", "部分规则运行出错"),
        ("engine", "Rules are not evaluated", "规则暂时无法运行"),
        ("upkeep", "Old data cannot be summed up", "历史数据暂时无法汇总和清理"),
        ("printer", "A part of the collector does not do its work", "采集服务的一个部件工作异常"),
    ],
)
def test_a_part_that_is_ill_is_told(part: str, en: str, zh: str) -> None:
    """What it means for the reader, in words, with the part's own line below."""
    conditions = Conditions()
    conditions.ill(part, "cannot be reached: timed out")
    for words, text in ((EN, en), (ZH, zh)):
        [notice] = notices(conditions.health(), words)
        assert notice.text.startswith(text)
        assert (notice.tone, notice.details) == ("bad", (f"{part}: cannot be reached: timed out",))


def test_falling_behind_is_no_fault() -> None:
    """It is told as a notice, below the faults."""
    conditions = Conditions()
    conditions.ill("ingest", "behind: 12,400 messages wait, the oldest for 14 s")
    conditions.ill("rules", "1 of 30 rules fail")
    told = notices(conditions.health(), EN)
    assert [(notice.tone, notice.text[:24]) for notice in told] == [
        ("bad", "Some rules fail at the m"),
        ("note", "The collector is behind."),
    ]
    assert notices(conditions.health(), ZH)[1].text.startswith("采集服务处理滞后")


def test_a_delay_belongs_to_its_cause() -> None:
    """While data cannot be stored, the messages that wait for it are no second trouble."""
    parts = {"store": "away", "ingest": "behind: 9 messages wait, the oldest for 14 s"}
    [notice] = notices(Health(False, parts, frozenset(parts)), EN)
    assert notice.text == EN("notice.store")
    assert notice.details == ("store: away", "ingest: behind: 9 messages wait, the oldest for 14 s")


def test_the_same_trouble_is_told_once() -> None:
    """Two parts that wait for one database make one notice, with both their lines."""
    health = Health(False, {"listening": "a", "roster": "b"}, frozenset({"listening", "roster"}))
    assert notices(health, EN) == [Notice("bad", EN("notice.database"), ("listening: a", "roster: b"))]
