"""Sending through apprise: one attempt, and in one line why it failed. Nothing of a URL is ever shown.

apprise is loaded with the first settings, not before: it takes 40 MiB. It fetches nothing by itself; pictures
that its messages would link to from elsewhere are turned off, and redirects are not followed.
"""

import logging
import re
import threading
from typing import Any, Final

import apprise
from apprise.plugins import N_MGR, url_to_dict

from collector.notifying.letter import DIGEST, Notification
from collector.notifying.message import Message, as_html, as_text
from collector.notifying.settings import Channel
from rules.document import hint

ANSWER_S: Final = 10  # how long a service may take to answer
_MAIL: Final = ("mailto", "mailtos")
_WEBHOOKS: Final = ("json", "jsons", "form", "forms", "xml", "xmls")
_NATIVE: Final = ("http", "https")
_TYPES: Final = {
    "critical": apprise.NotifyType.FAILURE,
    "high": apprise.NotifyType.FAILURE,
    "medium": apprise.NotifyType.WARNING,
    "good": apprise.NotifyType.SUCCESS,
}
_CAUSE: Final = "Socket Exception: "
_SECRET_PLACE: Final = re.compile(r"\s*(with|for) url: \S+|https?://\S+", re.IGNORECASE)
_WRAPPED: Final = re.compile(r".*\(Caused by \w+\((.*)\)\)$|.*?: (\[Errno .*)$", re.DOTALL)
_LONGEST: Final = 300


class DeliveryError(Exception):
    """It did not arrive; the message says why."""


class UndeliverableError(DeliveryError):
    """It cannot arrive, however often it is tried; the message says why."""


def asset() -> apprise.AppriseAsset:
    """apprise's settings for us."""
    return apprise.AppriseAsset(
        app_id="Robovitals",
        app_desc="Robovitals",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        http_redirects=False,
    )


def unusable(url: str) -> str | None:
    """Why a channel's URL cannot be used, without showing it; None if it can.

    A service's own address (`https://hooks.slack.com/…`) will do where apprise knows it.
    """
    scheme = url.partition("://")[0].lower()
    if "://" not in url:
        return "is no URL; write one of apprise's, such as feishu://${FEISHU_TOKEN}"
    if scheme not in _NATIVE and scheme not in N_MGR:
        return f'no service "{scheme}"{hint(scheme, _schemes())}'
    with _Listening():
        plugin = apprise.Apprise.instantiate(url, asset=asset())
    if plugin is not None:
        return None
    if scheme in _NATIVE:
        return f"{scheme}:// is no address of a service that is known; a webhook of your own is json:// or jsons://"
    return f"this URL of {scheme}:// is not complete; docs/notifications.md shows a whole one"


def _schemes() -> list[str]:
    return sorted(str(scheme) for scheme in N_MGR.schemas())  # type: ignore[no-untyped-call]


class Sender:
    """Sends through channels; a channel is used by one thread at a time."""

    def __init__(self) -> None:
        self._plugins: dict[str, Any] = {}

    def send(self, channel: Channel, notification: Notification, address: str | None = None) -> None:
        """One attempt, to the address instead of the channel's own. Raises `DeliveryError`."""
        message = notification.message
        with _Listening() as heard:
            plugin = self._plugin(channel, notification, address)
            if plugin is None:
                raise DeliveryError(heard.reason("the channel's URL cannot be used"))
            try:
                arrived = plugin.notify(**_written(channel, message))
            except Exception as error:  # whatever a plugin raises, it did not arrive
                raise DeliveryError(_readable(f"{type(error).__name__}: {error}")) from error
        if not arrived:
            raise DeliveryError(heard.reason("the service refused it, and does not say why"))

    def _plugin(self, channel: Channel, notification: Notification, address: str | None) -> Any:
        """Mail and webhooks carry a key in each message; the others keep their pace in what is kept."""
        scheme = _scheme(channel)
        if scheme not in (*_MAIL, *_WEBHOOKS):
            if channel.name not in self._plugins:
                self._plugins[channel.name] = _instantiate(channel, {})
            return self._plugins[channel.name]
        return _instantiate(channel, _marks(scheme, notification, address))


def _instantiate(channel: Channel, more: dict[str, Any]) -> Any:
    parsed: dict[str, Any] | None = url_to_dict(channel.url)  # type: ignore[no-untyped-call]
    if parsed is None:
        return None
    for name, value in more.items():
        known = parsed.get(name)
        parsed[name] = {**known, **value} if isinstance(known, dict) else value
    if _scheme(channel) not in _MAIL:
        parsed.setdefault("rto", ANSWER_S)
    return apprise.Apprise.instantiate(parsed, asset=asset())


def _marks(scheme: str, notification: Notification, address: str | None) -> dict[str, Any]:
    """The key, by which a reader knows what it has seen; all mails of an alert are one conversation."""
    headers = {"X-Robovitals-Key": notification.key}
    if scheme in _WEBHOOKS:
        headers["Idempotency-Key"] = notification.key
        return {"headers": headers, "payload": _payload(notification)}
    if notification.alert is not None:
        headers["References"] = headers["In-Reply-To"] = f"<alert-{notification.alert}@robovitals>"
    return {"headers": headers, **({} if address is None else {"targets": [address]})}


def _payload(notification: Notification) -> dict[str, Any]:
    """What scripts read beside title and message."""
    told = {"key": notification.key, "kind": notification.kind, "severity": notification.message.tone}
    if notification.kind == DIGEST:
        del told["severity"]
    more = {"alert": notification.alert, "url": notification.message.url}
    return {**told, **{name: str(value) for name, value in more.items() if value is not None}}


def _written(channel: Channel, message: Message) -> dict[str, Any]:
    mail = _scheme(channel) in _MAIL
    return {
        "title": message.title,
        "body": as_html(message) if mail else as_text(message),
        "body_format": apprise.NotifyFormat.HTML if mail else apprise.NotifyFormat.TEXT,
        "notify_type": _TYPES.get(message.tone, apprise.NotifyType.INFO),
    }


def _scheme(channel: Channel) -> str:
    return channel.url.partition("://")[0].lower()


class _Listening:
    """What apprise logs in this thread meanwhile: it answers only yes or no, and its log says why."""

    def __enter__(self) -> "_Listening":
        self._lines: list[logging.LogRecord] = []
        _heard.lines = self._lines
        return self

    def __exit__(self, *_: object) -> None:
        _heard.lines = None

    def reason(self, otherwise: str) -> str:
        """The cause where one was logged, else the last warning."""
        texts = [(record.levelno, record.getMessage()) for record in self._lines]
        warnings = [text for level, text in texts if level >= logging.WARNING]
        causes = [text.removeprefix(_CAUSE) for _, text in texts if text.startswith(_CAUSE)]
        found = [_readable(text) for text in (*warnings[-1:], *causes[-1:])]
        return ": ".join(part.rstrip(".") for part in found if part) or otherwise


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        lines = getattr(_heard, "lines", None)
        if lines is not None:
            lines.append(record)


def _readable(text: str) -> str:
    """In one short line, without addresses that may hold secrets."""
    wrapped = _WRAPPED.match(text)
    inner = next((part for part in wrapped.groups() if part), text).strip("\"' ") if wrapped else text
    return " ".join(_SECRET_PLACE.sub("", inner).split())[:_LONGEST]


_heard = threading.local()
_log = logging.getLogger("apprise")
_log.addHandler(_Handler())
_log.setLevel(logging.DEBUG)
_log.propagate = False
