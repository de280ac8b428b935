"""The notifier at work: happenings → outbox → channels, in threads of its own. It never holds up ingest.

One thread turns what happened into letters and sees what is due; each channel that has something to send
gets a thread for as long as that takes, so a slow or dead channel holds up no other. After a failure a
channel rests for a while, the longer the more often it failed.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from collector.conditions import Conditions
from collector.notifying import bundle, digest, retrying, routing
from collector.notifying.gathering import Gathering
from collector.notifying.letter import Letter, Notification
from collector.notifying.quiet import told_at
from collector.notifying.settings import OWNER, Channel, Settings, carrier
from collector.people import Person
from collector.queue import Severity
from collector.relational import Relational
from collector.telemetry import Telemetry
from collector.words.i18n import Words

PART: Final = "notifications"
ROUND_S: Final = 1.0
GOODBYE_S: Final = 5.0  # for what is just being sent
HANGING_MS: Final = 120_000  # longer than every time-out together
SETTLE_EVERY_MS: Final = 5_000
REST_MS: Final = 60_000  # at most, after failures
DAY_MS: Final = 86_400_000
KEPT_MS: Final = 400 * DAY_MS  # what was told
_PORTION: Final = 200
log = structlog.get_logger()


class Sends(Protocol):
    """Whatever sends one message, or raises."""

    def send(self, channel: Channel, notification: Notification, address: str | None = None) -> None:
        """One attempt. Raises whatever says that it failed."""


@dataclass(slots=True)
class _Line:
    """A channel in use: the thread that sends, since when, and how the last attempts went."""

    thread: threading.Thread | None = None
    since: int = 0
    failures: int = 0
    rests_until: int = 0

    @property
    def busy(self) -> bool:
        """Whether something is being sent."""
        return self.thread is not None and self.thread.is_alive()


class Notifier:
    """Tells people what happened to alerts, and the morning's summary."""

    def __init__(
        self,
        settings: Settings,
        relational: Relational,
        gathering: Gathering,
        sender: Sends,
        conditions: Conditions,
        telemetry: Telemetry,
        clock: Callable[[], int],
        changed: Callable[[], None] = lambda: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._outbox = relational.notifications
        self._gathering = gathering
        self._sender = sender
        self._conditions = conditions
        self._telemetry = telemetry
        self._clock = clock
        self._changed = changed
        self._chance = chance
        self._lines: dict[str, _Line] = {}
        self._stopping = threading.Event()
        self._began = False
        self._settled_at = 0
        self._tidied_at = 0
        self._summed_up: str | None = None  # the key of the last digest that is written
        conditions.well(PART, "starting")

    def run(self) -> None:
        """Works until `stop`; what fails is shown, and done again."""
        while not self._stopping.is_set():
            try:
                self.step()
            except Exception as error:
                cause = " ".join(str(getattr(error, "orig", None) or error).split())
                self._conditions.ill(PART, f"cannot be worked on; trying again: {cause}")
                known = isinstance(error, SQLAlchemyError)
                log.warning("notifications fail", error=cause, exc_info=None if known else error)
            self._stopping.wait(ROUND_S)

    def stop(self) -> None:
        """Begins nothing new; what is being sent may end."""
        self._stopping.set()

    def wait(self, seconds: float = GOODBYE_S) -> bool:
        """Waits for what is being sent; answers whether all of it ended."""
        until = time.monotonic() + seconds
        for line in list(self._lines.values()):
            if line.thread is not None:
                line.thread.join(max(0.0, until - time.monotonic()))
        return not any(line.busy for line in self._lines.values())

    def step(self) -> None:
        """One round: reads what happened, writes what is to be told, and begins to send what is due."""
        if not self._began:
            self._outbox.begin()
            self._began = True
        written = self._read() + self._sum_up()
        now = self._clock()
        if written or now - self._settled_at >= SETTLE_EVERY_MS:
            while changed := self._outbox.settle(self._told_at):
                written += changed
            self._settled_at = now
        written += self._outbox.bundle(now, bundle.MOST, self._together)
        if written:
            self._changed()
        for channel in self._outbox.due_channels(now):
            self._begin(channel, now)
        if now - self._tidied_at >= DAY_MS:
            self._outbox.forget(now - KEPT_MS)
            self._tidied_at = now
        self._report(now)

    # -- writing

    def _read(self) -> int:
        """Letters for everything that happened since; what has no reader is passed over."""
        written = 0
        while happened := self._outbox.unread(_PORTION):
            now = self._clock()
            known = self._gathering.known([each.alert for each in happened])
            letters = [
                letter
                for each in happened
                if each.alert in known
                for letter in routing.letters(each, known[each.alert], self._settings, now)
            ]
            written += self._outbox.write(letters, now, until=happened[-1].id)
        return written

    def _sum_up(self) -> int:
        """The digest of a day is written once, whatever restarts."""
        time_, now = self._settings.digest, self._clock()
        due = None if time_ is None else digest.slot(time_, now)
        if time_ is None or due is None or due.key == self._summed_up:
            return 0
        written = 0
        if not self._outbox.has_key(due.key):
            readers = [reader for channel in time_.channels for reader in self._readers(channel)]
            letters = [self._digest(due, time_.zone, *reader, now) for reader in readers]
            written = self._outbox.write(letters, now)
        self._summed_up = due.key
        return written

    def _readers(self, channel: str) -> list[tuple[str, Person | None]]:
        if channel != OWNER:
            return [(channel, None)]
        return [(channel, person) for person in self._gathering.owners()]

    def _digest(self, due: digest.Slot, zone: str, channel: str, reader: Person | None, now: int) -> Letter:
        found = self._gathering.morning(reader, due, zone, now)
        return digest.letter(due, channel, reader, found, self._settings)

    def _together(self, channel: str, person: str | None, found: list[Notification]) -> Letter:
        reader = None if person is None else self._gathering.person(person)
        t = Words(routing.language_of(self._settings, channel, reader))
        return bundle.letter(found, channel, person, self._settings.console, t, self._clock())

    def _told_at(self, channel: str, severity: Severity) -> int:
        return told_at(self._settings.quiet, channel, severity, self._clock())

    # -- sending

    def _begin(self, channel: str, now: int) -> None:
        line = self._lines.setdefault(channel, _Line())
        if line.busy or now < line.rests_until or self._stopping.is_set():
            return
        line.since = now
        line.thread = threading.Thread(
            target=self._send_all, args=(channel, line), name=f"notify-{channel}", daemon=True
        )
        line.thread.start()

    def _send_all(self, channel: str, line: _Line) -> None:
        """Sends until nothing is due, or one fails. What goes wrong here is seen again in the next round."""

        def wait(attempts: int, severity: Severity | None) -> int:
            return self._wait(channel, attempts, severity, line.since)

        try:
            while not self._stopping.is_set():
                now = line.since = self._clock()
                claimed = self._outbox.claim(channel, now, wait)
                if claimed is None or not self._send(claimed, line):
                    return
        except Exception as error:
            line.rests_until = self._clock() + retrying.FIRST_MS
            log.warning("a notification's fate cannot be written down", channel=channel, error=str(error))

    def _send(self, claimed: Notification, line: _Line) -> bool:
        try:
            self._deliver(claimed)
        except Exception as error:
            self._failed(claimed, line, error)
            return isinstance(error, _NobodyError)
        self._outbox.sent(claimed.id, self._clock())
        line.failures = line.rests_until = 0
        self._telemetry.notifications_sent.labels(claimed.channel).inc()
        self._changed()
        return True

    def _deliver(self, claimed: Notification) -> None:
        if not self._settings.has(claimed.channel):
            raise _NobodyError(f'the settings have no channel "{carrier(claimed.channel)}" any more')
        address = self._address(claimed) if claimed.channel == OWNER else None
        self._sender.send(self._settings.through(claimed.channel), claimed, address)

    def _address(self, claimed: Notification) -> str:
        """As the registry has it now: it may have been put right since."""
        person = None if claimed.person is None else self._gathering.person(claimed.person)
        if claimed.person is None and claimed.alert is not None:
            known = self._gathering.known([claimed.alert]).get(claimed.alert)
            person = None if known is None else known.owner
        if person is None:
            raise _NobodyError(routing.NO_OWNER)
        if not person.email or not person.active:
            raise _NobodyError(
                f"{person.id} has no e-mail address" if person.active else f"{person.id} has left"
            )
        return person.email

    def _failed(self, claimed: Notification, line: _Line, error: Exception) -> None:
        reason = " ".join(str(error).split()) or type(error).__name__
        now = self._clock()
        if isinstance(error, _NobodyError):
            self._outbox.refused(claimed.id, reason)
            given_up = True
        else:
            line.failures += 1
            line.rests_until = now + min(self._delay(line.failures), REST_MS)
            given_up = self._outbox.failed(claimed.id, reason, now)
        self._telemetry.notifications_failed.labels(claimed.channel).inc()
        if given_up:
            self._telemetry.notifications_given_up.labels(claimed.channel).inc()
        log.warning("a notification did not arrive", channel=claimed.channel, key=claimed.key, error=reason)
        self._changed()

    def _wait(self, channel: str, attempts: int, severity: Severity | None, now: int) -> int:
        """Quiet hours hold for every attempt; not for digests, which have no severity."""
        delay = self._delay(attempts)
        if severity is None:
            return delay
        return told_at(self._settings.quiet, channel, severity, now + delay) - now

    def _delay(self, attempts: int) -> int:
        return retrying.delay(attempts, self._chance())

    # -- reporting

    def _report(self, now: int) -> None:
        waiting = self._outbox.waiting()
        self._telemetry.notifications_waiting.set(waiting)
        ill = [f"{each.channel}: {each.waiting} wait, {each.error}" for each in self._outbox.failing()]
        ill += [
            f"{channel}: has been sending one message for {(now - line.since) // 1_000} s"
            for channel, line in self._lines.items()
            if line.busy and now - line.since > HANGING_MS
        ]
        if ill:
            self._conditions.ill(PART, "; ".join(ill))
        else:
            self._conditions.well(PART, f"{waiting} wait" if waiting else "up to date")


class _NobodyError(Exception):
    """There is nobody to send it to."""
