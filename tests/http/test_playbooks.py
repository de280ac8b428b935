"""Playbooks over the API, and Markdown as pages show it."""

import pytest
from fastapi.testclient import TestClient

from collector.http import markdown
from rules import playbooks


def test_a_playbook_in_both_languages(client: TestClient) -> None:
    """Its texts as Markdown, its steps in order, and the rules that it is for."""
    written = playbooks.shipped()["relocalization-failing"]
    answer = client.get("/api/v1/playbooks/relocalization-failing").json()
    assert answer["name"] == "relocalization-failing"
    assert answer["title"] == {"en": written.en.title, "zh": written.zh.title}
    assert [step["zh"] for step in answer["steps"]] == list(written.zh.steps)
    assert [step["id"] for step in answer["steps"]] == list(written.step_ids)
    assert [answer[part]["en"] for part in ("meaning", "customer", "visit")] == [
        written.en.meaning,
        written.en.customer,
        written.en.visit,
    ]
    assert client.get("/api/v1/playbooks/rule-storm").json()["rules"] == ["RuleStorm"]


@pytest.mark.parametrize(
    ("name", "status"), [("nix", 404), ("%E2%98%83", 404), ("site-silent.en", 404), ("x" * 65, 422)]
)
def test_a_playbook_that_is_not_there(client: TestClient, name: str, status: int) -> None:
    """A refusal with details, as everywhere."""
    answer = client.get(f"/api/v1/playbooks/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*a* `b`", "<p><em>a</em> <code>b</code></p>\n"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>\n"),
        ("<div onclick=x>\n\na", "<p>&lt;div onclick=x&gt;</p>\n<p>a</p>\n"),
        ("![x](/y.png)", '<p>!<a href="/y.png" rel="noopener noreferrer">x</a></p>\n'),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("[x](data:text/html,y)", "<p>[x](data:text/html,y)</p>\n"),
        (
            "[x](https://wiki.example/a?b=1&c)",
            '<p><a href="https://wiki.example/a?b=1&amp;c" rel="noopener noreferrer">x</a></p>\n',
        ),
        (
            "<https://a.example>",
            '<p><a href="https://a.example" rel="noopener noreferrer">https://a.example</a></p>\n',
        ),
    ],
)
def test_markdown_is_safe_to_show(text: str, html: str) -> None:
    """No tags, no pictures, no addresses that run code; links tell the other place nothing of us."""
    assert markdown.block(text) == html


def test_a_step_is_one_line() -> None:
    """Without a paragraph around it, so that it fits into a list."""
    assert markdown.inline("Press **five** <b>buttons</b>") == (
        "Press <strong>five</strong> &lt;b&gt;buttons&lt;/b&gt;"
    )


def test_plain_words_have_no_marks() -> None:
    """For a line of history: emphasis, code and links are what they say."""
    assert markdown.plain("Run **this** `vitals-agent` [here](https://a.example)\nnow") == (
        "Run this vitals-agent here now"
    )
