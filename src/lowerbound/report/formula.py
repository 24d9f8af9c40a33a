"""Formulas as a person writes them, from the plain text that objectives and factors carry."""

import re
from html import escape

from lowerbound.report.markup import Html

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
