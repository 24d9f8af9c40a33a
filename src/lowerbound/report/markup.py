"""HTML and SVG that cannot be broken out of: all text put in is escaped, once."""

import re
from dataclasses import dataclass
from html import escape
from typing import Any

#: Elements that have no end tag.
_VOID = frozenset({"img", "br"})


class Html(str):
    """Text that is markup already; templates leave it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return the text for jinja2, which asks before it escapes."""
        return str(self)


def element(name: str, *children: str, **attributes: Any) -> Html:
    """Write one element.

    Args:
        name: Its tag.
        *children: `Html` as it is, other text escaped.
        **attributes: Values; None leaves one out. `class_` is class, `stroke_width` stroke-width.

    Example:
        >>> element("b", "1 < 2", title='"')
        '<b title="&quot;">1 &lt; 2</b>'
    """
    opening = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{opening}>")
    inside = "".join(child if isinstance(child, Html) else escape(child) for child in children)
    return Html(f"<{name}{opening}>{inside}</{name}>")


def joined(parts: list[Html]) -> Html:
    """Write elements one after the other."""
    return Html("".join(parts))


def _text(value: Any) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Panel:
    """A chart, pictures or a table, with its caption.

    The legend has the swatch class and the name of each kind of mark.
    """

    title: str
    body: Html
    caption: str = ""
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Missing:
    """The reason, in a sentence, why there is nothing to look at."""

    why: str


#: From the plain text that objectives and factors carry to formulas as a person writes them.
_RULES = (
    (r"\|\|", " ∥ "),
    (r" - ", " − "),
    (r"\bE_q(?=\[)", "𝔼<sub>q</sub>"),
    (r"\bsum_([a-z])\b", r"∑<sub>\1</sub>"),
    (r"\b([a-zA-Z])_([a-zA-Z0-9]+)\b", r"\1<sub>\2</sub>"),
    (r"\^([A-Z])\b", r"<sup>\1</sup>"),
    (r"\bbeta\b", "β"),
    (r"\bsigmoid\b", "σ"),
    (r"\bN(?=\()", "𝒩"),
    (r"(?<![\w<&/])([b-zA-Zβ])(?![\w>])", r"<i>\1</i>"),
    (r"\^2\b", "²"),
    (r" {2,}", " "),
)


def pretty(text: str) -> Html:
    """Write a formula in HTML; anything that is no formula comes out escaped.

    Example:
        >>> pretty("E_q[log p(x|z)]")
        '𝔼<sub><i>q</i></sub>[log <i>p</i>(<i>x</i>|<i>z</i>)]'
    """
    html = escape(text)
    for pattern, replacement in _RULES:
        html = re.sub(pattern, replacement, html)
    return Html(html)
