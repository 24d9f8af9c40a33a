"""What the house's docstrings need before mkdocstrings reads them: an extension of griffe.

`Example:` becomes the section of that name, and the lines that begin with `Source:` or `Differs:`
become paragraphs, which are otherwise taken for boxes with a title.
"""

import re
from typing import Any

import griffe

_PARAGRAPH = re.compile(r"^(Source|Differs):(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE)


class House(griffe.Extension):
    """Rewrites docstrings where they are loaded."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one."""
        if obj.docstring is not None:
            obj.docstring.value = rewritten(obj.docstring.value)


def rewritten(text: str) -> str:
    """One docstring.

    Example:
        >>> rewritten("A law.\\n\\nSource: Gauss,\\n    1809.")
        'A law.\\n\\n**Source.** Gauss, 1809.'
    """
    text = re.sub(r"^Example:$", "Examples:", text, flags=re.MULTILINE)

    def paragraph(match: re.Match[str]) -> str:
        return f"**{match[1]}.** {' '.join(match[2].split())}"

    text = _PARAGRAPH.sub(paragraph, text)
    return re.sub(r"\n(\*\*Differs)", r"\n\n\1", text)
