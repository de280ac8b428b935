"""A small registered world with alerts in it, and a notifier whose time and channels are the test's."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import insert, update

from collector.conditions import Conditions
from collector.notifying.gathering import Gathering
from collector.notifying.letter import Notification
from collector.notifying.settings import Channel, DigestTime, Quiet, Route, Settings
from collector.notifying.worker import Notifier, Sends
from collector.relational import Relational, RobotRecord
from collector.relational.database import Database
from collector.relational.schema import alerts, contracts, customers, happenings, people
from collector.telemetry import Telemetry
from rules.lifecycle import State
from tests.collector.evaluations import RULES, Signals

T = 1_795_658_400_000  # Thu 26 Nov 2026, 02:00 UTC, 10:00 in Shanghai
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
OPS = Channel("ops", "json://127.0.0.1:9/ops", "zh")
MAIL = Channel("mail", "mailto://127.0.0.1:9?from=robovitals@example.com", "en")
TO_OPS = Settings({"ops": OPS, "mail": MAIL}, (Route(("ops",)),), console="https://vitals.example.com")


def settings(
    *routes: Route, quiet: Iterable[Quiet] = (), digest: DigestTime | None = None, **urls: str
) -> Settings:
    """Settings with the channels ops and mail, and with others by URL."""
    channels = {"ops": OPS, "mail": MAIL} | {name: Channel(name, url, "en") for name, url in urls.items()}
    return Settings(channels, routes, tuple(quiet), digest, "https://vitals.example.com")


@dataclass
class Post:
    """Takes what is sent, or fails for these channels, with a reason."""

    failing: dict[str, str] = field(default_factory=dict)
    sent: list[tuple[str, str | None]] = field(default_factory=list)  # key and address
    titles: list[str] = field(default_factory=list)

    def send(self, channel: Channel, notification: Notification, address: str | None = None) -> None:
        """One attempt."""
        if channel.name in self.failing:
            raise ConnectionError(self.failing[channel.name])
        self.sent.append((notification.key, address))
        self.titles.append(notification.message.title)

    @property
    def keys(self) -> list[str]:
        """The keys of what arrived, in order."""
        return [key for key, _ in self.sent]


class World:
    """One customer with a CSM, two robots, and whatever alerts the test opens."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.relational = Relational(url)
        self.database = Database(url)
        self.signals = Signals()
        self.now = T
        self.post = Post()
        self.conditions = Conditions()
        self.telemetry = Telemetry()

    def close(self) -> None:
        """Gives the connections back."""
        self.relational.close()
        self.database.close()

    def register(self) -> None:
        """Museum (strategic) with its CSM li, who reads Chinese, and a contract that ends in 20 days."""
        self.relational.import_robots(
            [
                RobotRecord(
                    id=id_, name=f"Robot {id_[1:]}", customer="Museum", site="Hall A", tz="Asia/Shanghai"
                )
                for id_ in ("r1", "r2")
            ]
        )
        self.add_person("li", email="li@example.com", language="zh")
        with self.database.writing() as connection:
            connection.execute(insert(customers).values(id="Museum", tier="strategic", csm="li", revision=1))
            connection.execute(
                insert(contracts).values(
                    id="c1",
                    customer="Museum",
                    begins_on="2025-12-17",
                    ends_on="2026-12-16",
                    amount=120_000.0,
                    currency="CNY",
                    revision=1,
                )
            )

    def add_person(self, id_: str, *, email: str | None = None, language: str | None = None) -> None:
        """A CSM."""
        row = {
            "id": id_,
            "name": id_.title(),
            "role": "csm",
            "sees": "own",
            "email": email,
            "language": language,
        }
        with self.database.writing() as connection:
            connection.execute(insert(people).values(**row, active=True, revision=1))

    def opens(self, robot: str = "r1", rule: str = "Silent", **more: object) -> int:
        """An alert opens a second later; it is what the registry makes of it, save for `more`."""
        self.now += 1_000
        [id_] = self.relational.commit(self.signals.fires(self.now, rule, robot), RULES)
        if more:
            self.change(id_, **more)
        return id_

    def resolves(self, id_: int, robot: str = "r1", rule: str = "Silent") -> None:
        """Its signal resolves, and an alert that nobody took closes by itself."""
        self.now += MINUTE
        changed = self.relational.commit(self.signals.becomes(self.now, rule, robot, State.RESOLVED), RULES)
        assert changed == [id_]

    def happens(self, id_: int, kind: str) -> None:
        """Something more happened to an alert, as the queue would write it."""
        with self.database.writing() as connection:
            connection.execute(insert(happenings).values(alert=id_, kind=kind, at=self.now))

    def change(self, id_: int, **values: object) -> None:
        """Columns of an alert, as another part would write them."""
        with self.database.writing() as connection:
            connection.execute(update(alerts).where(alerts.c.id == id_).values(**values))

    def hide(self, id_: int, *, hidden: bool = True) -> None:
        """The alert is suppressed by another, or no more."""
        by = ("inhibited", "SiteSilent", "site", "Hall A") if hidden else (None,) * 4
        names = ("reason", "rule", "kind", "entity")
        self.change(id_, **{f"suppressed_{name}": part for name, part in zip(names, by, strict=True)})

    def notifier(self, chosen: Settings = TO_OPS, sender: Sends | None = None) -> Notifier:
        """A worker that has just started."""
        self.relational.notifications.begin()
        return Notifier(
            chosen,
            self.relational,
            Gathering(self.relational, RULES),
            sender or self.post,
            self.conditions,
            self.telemetry,
            lambda: self.now,
            chance=lambda: 0.5,
        )

    def work(self, notifier: Notifier, after: int = 0) -> None:
        """Time passes; one round, until all that it began is sent."""
        self.now += after
        notifier.step()
        assert notifier.wait(30)
