"""What a robot's page says of how its samples came: every sentence, in both languages."""

import pytest

from collector.http.views.delivery import SPAN_MS, Account, LossRow, lines, section, stretches
from collector.identity import Agent, Clash
from collector.presence import Presence, RobotState
from collector.stores import MAX_LOSSES, Delivery, Loss, LossReason
from collector.words.i18n import Words, zone

EN, ZH = Words("en"), Words("zh")
SHANGHAI = zone("Asia/Shanghai")
NOW = 1_795_160_400_000  # 20 November 2026, 15:40 in Shanghai
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOON = NOW - 3 * HOUR - 40 * MINUTE


def loss(at: int, first: int, last: int, reason: LossReason = "dropped", epoch: str = "e1") -> Loss:
    """All of the samples `first` to `last`."""
    return Loss("r1", epoch, first, last, last - first + 1, reason, at)


def told(
    delivery: Delivery | None, state: RobotState | None = None, presence: Presence = "online"
) -> tuple[list[str], list[str]]:
    """The sentences, in English and in Chinese."""
    account = Account(NOW - SPAN_MS, delivery, state or RobotState("r1"), presence)
    english, chinese = lines(account, EN, SHANGHAI), lines(account, ZH, SHANGHAI)
    return [line.text for line in english], [line.text for line in chinese]


def test_all_is_well() -> None:
    """One sentence, and it is good news."""
    account = Account(NOW - SPAN_MS, Delivery(stored=20_160), RobotState("r1"), "online")
    [line] = lines(account, EN, SHANGHAI)
    assert (line.tone, line.text) == ("good", "All 20,160 samples of the last 7 days arrived.")
    assert told(account.delivery)[1] == ["最近 7 天的 20,160 个采样已全部送达。"]


@pytest.mark.parametrize(
    ("delivery", "state", "presence", "en", "zh"),
    [
        (Delivery(), {}, "online", "No sample arrived in the last 7 days.", "最近 7 天没有收到采样。"),
        (
            Delivery(stored=1),
            {},
            "lost",
            "One sample arrived in the last 7 days; none is known to be lost.",
            "最近 7 天收到 1 个采样，未发现丢失。",
        ),
        (
            Delivery(stored=300),
            {"held": 4, "held_at": NOON},
            "online",
            "300 samples arrived in the last 7 days; none is known to be lost.",
            "最近 7 天收到 300 个采样，未发现丢失。",
        ),
        (
            Delivery((loss(NOON, 10, 13),), stored=9),
            {},
            "online",
            "9 samples arrived in the last 7 days; 4 did not and never will.",
            "最近 7 天收到 9 个采样，另有 4 个已确认丢失。",
        ),
        (
            None,
            {},
            "online",
            "How the samples came cannot be read now, because the store does not answer.",
            "存储暂时没有响应，目前无法查看采样的送达情况。",
        ),
    ],
)
def test_the_first_sentence(
    delivery: Delivery | None, state: dict[str, int], presence: Presence, en: str, zh: str
) -> None:
    """It never says that all arrived where that is not known."""
    english, chinese = told(delivery, RobotState("r1", **state), presence)  # type: ignore[arg-type]
    assert (english[0], chinese[0]) == (en, zh)


@pytest.mark.parametrize(
    ("delivery", "en", "zh"),
    [
        (
            Delivery((loss(NOON, 1_201, 1_412),), stored=9),
            "212 samples were lost (reported 20 Nov 2026, 12:00): the robot had to give them up, because its "
            "disk quota was used up, they grew too old, or the disk was damaged.",
            "丢失 212 个采样（2026年11月20日 12:00 上报）：因磁盘配额用尽、数据过旧或磁盘损坏，"
            "机器人不得不舍弃。",
        ),
        (
            Delivery((loss(NOON + 65 * MINUTE, 7, 7), loss(NOON, 5, 5)), stored=9),
            "2 samples were lost (reported 20 Nov 2026, 12:00–13:05): the robot had to give them up, because "
            "its disk quota was used up, they grew too old, or the disk was damaged.",
            "丢失 2 个采样（2026年11月20日 12:00–13:05 上报）：因磁盘配额用尽、数据过旧或磁盘损坏，"
            "机器人不得不舍弃。",
        ),
        (
            Delivery((loss(NOON, 7, 7, "refused"),), stored=9),
            "One sample was refused (20 Nov 2026, 12:00): its counters ran backwards, which is a fault of "
            "the robot's software.",
            "拒收 1 个采样（2026年11月20日 12:00）：计数出现倒退，是机器人端软件的故障。",
        ),
        (
            Delivery(stored=2_000, late=1_440, longest_delay_ms=9 * HOUR + 12 * MINUTE),
            "1,440 samples came late, up to 9 h 12 min after they were taken: the robot kept them while it "
            "had no connection.",
            "有 1,440 个采样迟到，最多晚了 9 小时 12 分钟：断线期间由机器人保存，联网后补发。",
        ),
        (
            Delivery(stored=2_000, corrected=37),
            "37 samples carry a corrected time: the robot's clock was wrong.",
            "有 37 个采样的时间经过校正：机器人的时钟不准。",
        ),
    ],
)
def test_what_did_not_come_as_it_should(delivery: Delivery, en: str, zh: str) -> None:
    """Lost, refused, late, corrected: how many, when and why."""
    english, chinese = told(delivery)
    assert (english[1:], chinese[1:]) == ([en], [zh])


@pytest.mark.parametrize(
    ("state", "presence", "en", "zh"),
    [
        (
            RobotState("r1", held=380, held_at=NOON),
            "online",
            "The robot still holds 380 samples that have not arrived (as of 20 Nov 2026, 12:00).",
            "机器人上还有 380 个采样尚未送达（截至 2026年11月20日 12:00）。",
        ),
        (
            RobotState("r1", held=0, held_at=NOON),
            "lost",
            "The robot is out of reach. If it is running, it keeps its samples and sends them once it is "
            "connected again.",
            "目前联系不上这台机器人。只要它在运行，就会保存采样，恢复连接后补发。",
        ),
        (
            RobotState("r1", lost=18),
            "online",
            "Before that, 18 samples were lost.",
            "更早之前还丢失过 18 个采样。",
        ),
    ],
)
def test_what_the_robot_holds_and_what_was_before(
    state: RobotState, presence: Presence, en: str, zh: str
) -> None:
    """Samples that are still to come, and losses longer ago than the last days."""
    english, chinese = told(Delivery(stored=9), state, presence)
    assert (english[1:], chinese[1:]) == ([en], [zh])


def test_without_the_store_only_the_whole_is_known() -> None:
    """How many were lost is known, and not when."""
    english, chinese = told(None, RobotState("r1", lost=230))
    assert english[1:] == ["230 samples of this robot are known to be lost."]
    assert chinese[1:] == ["已知这台机器人共丢失 230 个采样。"]


def test_two_robots_under_one_name_come_first() -> None:
    """It is said before all else, with what to do."""
    state = RobotState("r1", clash=Clash("r1", NOON, NOW, 12, (Agent("e1", "b1"), Agent("e2", "b2"))))
    english, chinese = told(Delivery(stored=9, corrected=1), state)
    assert english[0] == (
        "Two robots report under this name (since 20 Nov 2026, 12:00). Give one of them another robot id: "
        "until then their samples mix here."
    )
    assert chinese[0].startswith("有两台机器人以同一编号上报（自 2026年11月20日 12:00 起）。请修改")
    assert len(english) == 3


def test_losses_longer_ago_are_not_this_week() -> None:
    """They are told apart from those of the last days, and stand in the table."""
    delivery = Delivery((loss(NOON, 50, 59), loss(NOW - 30 * DAY, 1, 8)), stored=9)
    account = Account(NOW - SPAN_MS, delivery, RobotState("r1", lost=18), "online")
    assert account.lost("dropped") == 10
    assert lines(account, EN, SHANGHAI)[-1].text == "Before that, 8 samples were lost."
    assert [row.count for row in section(account, EN, SHANGHAI).losses] == ["10", "8"]


def test_more_losses_than_the_store_tells() -> None:
    """Then the number is a lower bound, and says so."""
    losses = tuple(loss(NOW - at * MINUTE, 100 - at, 100 - at, "refused") for at in range(MAX_LOSSES))
    english, _ = told(Delivery(losses, stored=9), RobotState("r1", lost=4))
    assert english[0] == f"9 samples arrived in the last 7 days; {MAX_LOSSES}+ did not and never will."
    assert english[1].startswith(f"{MAX_LOSSES}+ samples were refused (20 Nov 2026, 14:51–15:40)")
    assert len(english) == 2


def test_losses_close_together_are_one_stretch() -> None:
    """Of one epoch and one reason, noted within an hour of each other, whatever lies between them."""
    found = stretches(
        [
            loss(NOW, 90, 99),
            loss(NOW - 10 * MINUTE, 80, 80, "refused"),
            loss(NOW - 50 * MINUTE, 70, 79),
            loss(NOW - 100 * MINUTE, 60, 69),
            loss(NOW - 100 * MINUTE, 1, 5, epoch="e0"),
            loss(NOW - 5 * HOUR, 50, 59),
        ]
    )
    assert [(s.epoch, s.reason, s.first, s.last, s.count, (NOW - s.since) // MINUTE) for s in found] == [
        ("e1", "dropped", 60, 99, 30, 100),
        ("e1", "refused", 80, 80, 1, 10),
        ("e0", "dropped", 1, 5, 5, 100),
        ("e1", "dropped", 50, 59, 10, 300),
    ]


def test_a_table_says_when_how_many_why_and_which() -> None:
    """Only where there is more than one stretch; numbers with others among them are said to be so."""
    one = Delivery((loss(NOON, 1_201, 1_412),), stored=9)
    two = Delivery((*one.losses, Loss("r1", "e1", 3, 9, 5, "refused", NOON - 2 * DAY)), stored=9)
    accounts = [Account(NOW - SPAN_MS, each, RobotState("r1"), "online") for each in (one, two)]
    assert section(accounts[0], EN, SHANGHAI).losses == []
    assert section(accounts[1], EN, SHANGHAI).losses == [
        LossRow(
            "20 Nov 2026, 12:00", "212", "Given up by the robot (disk quota, age or damage)", "1,201–1,412"
        ),
        LossRow("18 Nov 2026, 12:00", "5", "Refused, their counters ran backwards", "among 3–9"),
    ]
    assert section(accounts[1], ZH, SHANGHAI).losses[1] == LossRow(
        "2026年11月18日 12:00", "5", "拒收，计数出现倒退", "3–9 之间"
    )


def test_a_long_table_ends() -> None:
    """What does not fit is said to be left out."""
    losses = tuple(loss(NOW - at * DAY, 100 - at, 100 - at) for at in range(20))
    shown = section(
        Account(NOW - SPAN_MS, Delivery(losses, stored=1), RobotState("r1"), "online"), EN, SHANGHAI
    )
    assert (len(shown.losses), shown.more) == (8, True)
