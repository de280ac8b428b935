"""Many messages to one reader at once, as one: after a night, an outage, or when a whole site fails."""

from collections.abc import Sequence
from typing import Final

from collector.notifying.letter import BUNDLE, Letter, Notification
from collector.notifying.message import Message, Part
from collector.notifying.retrying import GIVE_UP_MS
from collector.queue import Severity
from collector.words.i18n import Words

MOST: Final = 10  # come one by one; more come together
SHOWN: Final = 20
_ORDER: Final = {severity.value: place for place, severity in enumerate(Severity)}


def letter(
    bundled: Sequence[Notification], channel: str, person: str | None, console: str | None, t: Words, now: int
) -> Letter:
    """One letter with the titles of all, the worst first; its key names the first and the last of them."""
    to = channel if person is None else f"{channel}:{person}"
    return Letter(
        key=f"{BUNDLE}/{bundled[0].id}-{bundled[-1].id}/{to}",
        kind=BUNDLE,
        channel=channel,
        message=compose([each.message for each in bundled], console, t),
        due_at=now,
        give_up_at=now + GIVE_UP_MS,
        person=person,
    )


def compose(messages: Sequence[Message], console: str | None, t: Words) -> Message:
    """The titles, each leading to its alert."""
    ranked = sorted(messages, key=lambda message: _ORDER.get(message.tone, len(_ORDER)))
    items = [Part("item", each.title, url=each.url, tone=each.tone) for each in ranked[:SHOWN]]
    more = len(ranked) - SHOWN
    rest = [Part("text", t("digest.more", n=more))] if more > 0 else []
    return Message(
        title=t("notify.bundle_title", n=len(ranked)),
        parts=(Part("text", t("notify.bundle_text")), *items, *rest),
        tone=ranked[0].tone,
        url=console,
        open=t("digest.open_all"),
    )
