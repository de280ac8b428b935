"""What is told, and how it is written down: as plain text for chats and scripts, as HTML for e-mail."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Final, Literal

Form = Literal["text", "heading", "item", "fact", "step"]
_TONES: Final = {
    "critical": "#b0123f",
    "high": "#b84a00",
    "medium": "#7d6100",
    "low": "#1c64a8",
    "good": "#2f7d62",
}
_PLAIN: Final = "#4b5852"
_FONT: Final = (
    "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'PingFang SC','Microsoft YaHei',"
    "'Noto Sans CJK SC',sans-serif"
)


@dataclass(frozen=True, slots=True)
class Part:
    """A line. A fact has a label, its colon included; an item may lead somewhere and have a tone."""

    form: Form
    text: str
    label: str = ""
    url: str | None = None
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A title, lines, and where to read on; `tone` is a severity, or `good`."""

    title: str
    parts: tuple[Part, ...]
    tone: str = ""
    url: str | None = None
    open: str = ""  # the words of the link

    def as_json(self) -> dict[str, Any]:
        """As it lies in the outbox."""
        return asdict(self)

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> "Message":
        """What `as_json` made."""
        parts: Sequence[Mapping[str, Any]] = stored["parts"]
        return cls(**{**stored, "parts": tuple(Part(**part) for part in parts)})


def as_text(message: Message) -> str:
    """Without the title; a link is an address on a line of its own."""
    lines: list[str] = []
    for part in message.parts:
        lines += _text_lines(part)
    if message.url is not None:
        lines += ["", message.url]
    return "\n".join(lines).strip()


def _text_lines(part: Part) -> list[str]:
    match part.form:
        case "heading":
            return ["", part.text]
        case "item":
            return [f"• {part.text}", *([f"  {part.url}"] if part.url else [])]
        case "fact":
            return [f"{part.label}{part.text}"]
        case "step":
            return [f"→ {part.text}"]
    return [part.text]


def as_html(message: Message) -> str:
    """A whole mail with its title, for programs that know no style sheets."""
    tone = _TONES.get(message.tone, _PLAIN)
    rows = "".join(_html_row(part) for part in message.parts)
    button = ""
    if message.url is not None:
        button = (
            f'<p style="margin:22px 0 0"><a href="{escape(message.url)}" style="display:inline-block;'
            "padding:9px 18px;border-radius:8px;background:#0b6b5d;color:#ffffff;text-decoration:none;"
            f'font-weight:600">{escape(message.open or message.url)}</a></p>'
            f'<p style="margin:10px 0 0;font-size:12px;color:#68756f">{escape(message.url)}</p>'
        )
    return (
        f'<div style="max-width:620px;margin:0;padding:4px 0 24px;font:15px/1.6 {_FONT};color:#17211d">'
        f'<h2 style="margin:0 0 14px;padding-left:12px;border-left:4px solid {tone};'
        f'font-size:19px;line-height:1.35">{escape(message.title)}</h2>{rows}{button}</div>'
    )


def _html_row(part: Part) -> str:
    text = _linked(part)
    match part.form:
        case "heading":
            return f'<h3 style="margin:22px 0 6px;font-size:14px;color:{_PLAIN}">{text}</h3>'
        case "item":
            tone = _TONES.get(part.tone, "#c9cec7")
            return f'<p style="margin:0 0 5px;padding-left:10px;border-left:3px solid {tone}">{text}</p>'
        case "fact":
            label = f'<span style="color:#68756f">{escape(part.label)}</span>'
            return f'<p style="margin:0 0 4px">{label}{text}</p>'
        case "step":
            return (
                '<p style="margin:14px 0 0;padding:10px 14px;border-radius:8px;background:#e0f0ec">'
                f"→ {text}</p>"
            )
    return f'<p style="margin:0 0 10px">{text}</p>'


def _linked(part: Part) -> str:
    text = escape(part.text)
    if part.url is None:
        return text
    return f'<a href="{escape(part.url)}" style="color:#0b6b5d;text-decoration:none">{text}</a>'
