"""The examples of docs/notifications.md are settings, each of them."""

import re
from pathlib import Path

import pytest

from collector.notifying import load, sending

DOCUMENT = Path(__file__).parents[2] / "docs" / "notifications.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
WHOLE = {"SLACK_WEBHOOK": "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"}
PARTS = {"SLACK_A": "T1JJ3T3L2", "SLACK_B": "A1BRTD4JD", "SLACK_C": "TIiajkdnlazkcOXrIdevi7FQ"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_can_be_used(example: str) -> None:
    """With any secrets of the right form; a part of a file is completed by its first line."""
    names = set(re.findall(r"\$\{(\w+)\}", example)) - {"NAME"}
    secrets = dict.fromkeys(names, "abcdef0123456789abcdef0123456789")
    text = example if "schema:" in example else f"schema: {load.SCHEMA}\n{example}"
    found = load.read("example.yaml", text.encode(), {**secrets, **PARTS, **WHOLE}, sending.unusable)
    assert found.channels


def test_the_document_shows_every_kind_of_channel() -> None:
    """E-mail, Feishu, DingTalk, WeCom, Slack and webhooks."""
    schemes = set(re.findall(r"(\w+)://", "".join(EXAMPLES)))
    assert schemes >= {"mailto", "mailtos", "feishu", "dingtalk", "wecombot", "slack", "json", "jsons"}
