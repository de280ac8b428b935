"""`vitals-collector notify`: checks the settings of notifications, and tries a channel."""

import argparse
import json
from pathlib import Path

from collector.assembly import notification_settings
from collector.commands.arguments import Commands, command
from collector.config import ConfigError
from collector.notifying.letter import Notification, State
from collector.notifying.message import Message, Part
from collector.notifying.settings import OWNER, URGING, Channel, Route, Settings
from collector.pipeline import clock
from collector.words.i18n import Words
from rules.document import hint


def add_to(commands: Commands) -> None:
    """Adds `notify check` and `notify test`."""
    group = commands.add_parser("notify", help="notifications: check the settings, try a channel")
    own = group.add_subparsers(required=True, metavar="COMMAND")
    check = command(own, "check", "check the settings of notifications", "notify check notify.yaml")
    _add_file(check)
    check.set_defaults(run=_check)
    about = "send a test message through one channel"
    test = command(own, "test", about, "notify test notify.yaml --channel ops")
    _add_file(test)
    test.add_argument("--channel", required=True, metavar="NAME", help="a channel of the file")
    test.add_argument("--to", metavar="ADDRESS", help="for the channel mail: to whom to write")
    test.set_defaults(run=_test)


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="as in run --notify FILE")
    parser.add_argument("--json", action="store_true", help="report as JSON")


def _check(arguments: argparse.Namespace) -> int:
    settings = notification_settings(arguments.file)
    if arguments.json:
        names = [channel.name for channel in settings.channels.values()]
        print(
            json.dumps(
                {"channels": names, "routes": len(settings.routes), "quiet_hours": len(settings.quiet)}
            )
        )
        return 0
    for channel in settings.channels.values():
        print(f"channel {channel.name}: {channel.url.partition('://')[0]}, in {channel.language}")
    for number, route in enumerate(settings.routes, 1):
        print(f"route {number}: {_described(route)} → {', '.join(route.channels)}")
    _print_times(settings)
    return 0


def _print_times(settings: Settings) -> None:
    for quiet in settings.quiet:
        passing = f", but {quiet.passes} and worse passes" if quiet.passes else ""
        print(f"quiet: {_clock(quiet.begin)} to {_clock(quiet.end)} {quiet.zone}{passing}")
    if settings.digest is not None:
        to = ", ".join(settings.digest.channels)
        print(f"digest: {_clock(settings.digest.minute)} {settings.digest.zone} → {to}")
    if settings.console is None:
        print('no "console": messages have no links')


def _described(route: Route) -> str:
    severity = f"{route.severity} and worse" if route.severity else "all severities"
    named = ("tier", "customer", "owner", "rule", "subsystem")
    more = [f"{name} {' or '.join(sorted(found))}" for name in named if (found := getattr(route, name))]
    unasked = ["assigned, to owners"] if not route.kinds and OWNER in route.channels else []
    return "; ".join([severity, *more, " or ".join(sorted(route.kinds or URGING)), *unasked])


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _test(arguments: argparse.Namespace) -> int:
    from collector.notifying.sending import DeliveryError, Sender

    settings = notification_settings(arguments.file)
    channel = settings.channels.get(arguments.channel)
    if channel is None:
        raise ConfigError(_unknown(arguments.channel, settings))
    if arguments.to is not None and not channel.url.startswith("mailto"):
        raise ConfigError(f"--to {arguments.to}: the channel {channel.name} is no e-mail; leave --to out")
    try:
        Sender().send(channel, _message(channel, settings.console), arguments.to)
    except DeliveryError as error:
        _report(arguments, channel, str(error))
        return 1
    _report(arguments, channel, None)
    return 0


def _unknown(name: str, settings: Settings) -> str:
    if name == OWNER:
        return (
            "--channel owner: owners are written to through the channel mail; try --channel mail --to ADDRESS"
        )
    return f"--channel {name}: the file has no such channel{hint(name, settings.channels)}"


def _report(arguments: argparse.Namespace, channel: Channel, error: str | None) -> None:
    if arguments.json:
        print(json.dumps({"channel": channel.name, "arrived": error is None, "reason": error}))
    elif error is None:
        print(f"{channel.name}: a test message was sent; look whether it has arrived")
    else:
        print(f"{channel.name}: not sent: {error}")


def _message(channel: Channel, console: str | None) -> Notification:
    t, now = Words(channel.language), clock()
    text = Part("text", t("notify.test_text", channel=channel.name))
    message = Message(t("notify.test_title"), (text,), "good", console, t("digest.open_all"))
    return Notification(
        id=0,
        key=f"test-{now}",
        kind="test",
        channel=channel.name,
        person=None,
        alert=None,
        message=message,
        created_at=now,
        state=State.WAITING,
        due_at=now,
        attempts=1,
        sent_at=None,
        error=None,
    )
