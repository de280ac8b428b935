"""One attempt through apprise, to a real SMTP server and a real web server; and why one fails."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from collector.notifying.letter import Notification, State
from collector.notifying.message import Message, Part
from collector.notifying.sending import DeliveryError, Sender
from collector.notifying.settings import Channel
from tests.notifying.receivers import Hook, Mailbox, hook, mailbox

KEY = "alert-3/opened-1/ops"
SAID = Message(
    "[High] Robot silent · 一号",
    (Part("text", "Silent <since> 10:00"), Part("fact", "Museum", "Where: ")),
    "high",
    "https://vitals.example.com/alerts/3",
    "Open the alert",
)
TOLD = Notification(1, KEY, "opened", "ops", None, 3, SAID, 0, State.WAITING, 0, 1, None, None)


@pytest.fixture
def box() -> Iterator[Mailbox]:
    """An SMTP server."""
    with mailbox() as found:
        yield found


@pytest.fixture
def web() -> Iterator[Hook]:
    """A web server."""
    with hook() as found:
        yield found


def mail_to(box: Mailbox, more: str = "") -> Channel:
    """A channel that writes to ops@example.com through the server."""
    return Channel(
        "mail", f"mailto://127.0.0.1:{box.port}?from=robovitals@example.com&to=ops@example.com{more}", "en"
    )


def free_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def test_a_mail_says_it_in_html_and_in_plain_text(box: Mailbox) -> None:
    """With subject, link, key, and as part of the conversation about its alert."""
    Sender().send(mail_to(box), TOLD)
    [mail] = box.mails
    assert mail["Subject"] == SAID.title
    assert (mail["From"], mail["To"]) == ("robovitals@example.com", "ops@example.com")
    assert (mail["X-Robovitals-Key"], mail["References"]) == (KEY, "<alert-3@robovitals>")
    html, plain = (mail.get_body((kind,)) for kind in ("html", "plain"))
    assert html is not None
    assert plain is not None
    assert '<a href="https://vitals.example.com/alerts/3"' in html.get_content()
    assert "Silent &lt;since&gt; 10:00" in html.get_content()
    assert "https://vitals.example.com/alerts/3" in plain.get_content()


def test_an_owner_is_written_to_instead(box: Mailbox) -> None:
    """The address takes the place of the channel's own."""
    Sender().send(mail_to(box), TOLD, "li@example.com")
    assert (box.recipients, box.mails[0]["To"]) == (["li@example.com"], "li@example.com")


def test_a_webhook_gets_json_with_a_key_in_header_and_body(web: Hook) -> None:
    """The channel's own headers stay."""
    Sender().send(Channel("ops", f"json://127.0.0.1:{web.port}/in?+X-Own=yes", "en"), TOLD)
    [call] = web.calls
    assert (call.path, call.headers["X-Own"]) == ("/in", "yes")
    assert (call.headers["X-Robovitals-Key"], call.headers["Idempotency-Key"]) == (KEY, KEY)
    told = {name: call.body[name] for name in ("title", "key", "kind", "severity", "alert", "url")}
    assert told == {
        "title": SAID.title,
        "key": KEY,
        "kind": "opened",
        "severity": "high",
        "alert": "3",
        "url": SAID.url,
    }
    assert call.body["message"] == f"Silent <since> 10:00\nWhere: Museum\n\n{SAID.url}"


def test_a_refusal_is_told_with_its_status(web: Hook) -> None:
    """The service's answer stands in the reason, its address does not."""
    web.status = 500
    with pytest.raises(DeliveryError, match="error=500") as caught:
        Sender().send(Channel("ops", f"json://127.0.0.1:{web.port}/s3cr3t", "en"), TOLD)
    assert "s3cr3t" not in str(caught.value)


def test_a_redirect_is_not_followed(web: Hook) -> None:
    """What was meant for one address goes to no other."""
    web.status = 307
    with pytest.raises(DeliveryError, match="error=307"):
        Sender().send(Channel("ops", f"json://127.0.0.1:{web.port}/", "en"), TOLD)
    assert len(web.calls) == 1


def test_a_service_that_is_down_is_told_with_the_cause() -> None:
    """For HTTP and for SMTP."""
    port = free_port()
    for url in (f"json://127.0.0.1:{port}/s3cr3t", f"mailto://u:s3cr3t@127.0.0.1:{port}?from=a@example.com"):
        with pytest.raises(DeliveryError, match="Connection refused") as caught:
            Sender().send(Channel("ops", url, "en"), TOLD)
        assert "s3cr3t" not in str(caught.value)


def test_a_mail_server_that_refuses_says_why(box: Mailbox) -> None:
    """In the reason."""
    box.refusal = "550 no such user"
    with pytest.raises(DeliveryError, match=r"550.*no such user"):
        Sender().send(mail_to(box), TOLD)


def test_reasons_of_channels_do_not_mix(box: Mailbox, web: Hook) -> None:
    """Each thread hears its own."""
    box.refusal, web.status = "550 no such user", 418
    ways = [mail_to(box), Channel("ops", f"json://127.0.0.1:{web.port}/", "en")] * 8

    def reason(channel: Channel) -> str:
        try:
            Sender().send(channel, TOLD)
        except DeliveryError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(4) as threads:
        reasons = list(threads.map(reason, ways))
    assert all("550" in said and "418" not in said for said in reasons[::2])
    assert all("418" in said and "550" not in said for said in reasons[1::2])


def test_apprise_is_loaded_only_where_it_is_needed() -> None:
    """A collector that notifies nobody does not pay for it."""
    code = "import sys, collector.__main__; sys.exit('apprise' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_apprise_reaches_for_nothing_by_itself() -> None:
    """Loading it and checking channels opens no connection."""
    code = """
import socket, sys
from collections.abc import Callable
def refuse(*args, **kwargs): sys.exit("it wanted to connect")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from collector.notifying.sending import unusable
urls = ("mailto://u:p@example.com", "feishu://token123", "dingtalk://token1234", "wecombot://key12345",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "jsons://example.com")
assert [unusable(url) for url in urls] == [None] * len(urls)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
