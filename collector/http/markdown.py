"""Markdown → HTML that is safe to show: no tags, no pictures, no addresses but of the web and of e-mail."""

from collections.abc import Sequence
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

_REL: Final = "noopener noreferrer"


def _link(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    tokens[at].attrSet("rel", _REL)
    rendered: str = renderer.renderToken(tokens, at, options, env)
    return rendered


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).disable(["image", "html_block", "html_inline"])
    parser.add_render_rule("link_open", _link)
    return parser


_PARSER: Final = _parser()
assert isinstance(_PARSER.renderer, RendererHTML)  # noqa: S101 - what `_link` relies on


def block(text: str) -> Markup:
    """Paragraphs and lists."""
    return Markup(_PARSER.render(text))  # noqa: S704 - tags in the text come out as text


def plain(text: str) -> str:
    """One line without any of its marks."""
    tokens = (child for token in _PARSER.parseInline(text) for child in token.children or ())
    return "".join(" " if token.type == "softbreak" else token.content for token in tokens)


def inline(text: str) -> Markup:
    """One line: emphasis, code and links."""
    return Markup(_PARSER.renderInline(text))  # noqa: S704 - as above
