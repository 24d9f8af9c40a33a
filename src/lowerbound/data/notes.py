"""Remarks on the reading of data that its owner should know, counted and with examples."""

from dataclasses import dataclass, field

SHOWN = 3


@dataclass(frozen=True)
class Note:
    """One thing that was noticed or done while reading.

    Args:
        what: A plural noun and what became of it ("files skipped: truncated"),
            or a whole sentence when `count` is 0.
        count: How many; 0 for a sentence that counts nothing.
        examples: The first few names.

    Example:
        >>> print(Note("files skipped: truncated", 2, ("a.png", "b.png")))
        2 files skipped: truncated (a.png, b.png)
    """

    what: str
    count: int = 0
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = self.what
        if self.count:
            noun, _, rest = text.partition(" ")
            if self.count == 1 and noun.endswith("s"):
                noun = noun[:-1]
            text = f"{self.count:,} {noun} {rest}".rstrip()
        if self.examples:
            shown = ", ".join(self.examples[:SHOWN])
            more = max(self.count, len(self.examples)) > SHOWN
            text += f" ({shown}, ...)" if more else f" ({shown})"
        return text


@dataclass
class Tally:
    """Counts the same event over many files and gives one `Note` for each kind of event."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, what: str, example: str = "", count: int = 1) -> None:
        """Count `what` so many times more, with the name of the file or column it happened to."""
        self.counts[what] = self.counts.get(what, 0) + count
        names = self.examples.setdefault(what, [])
        if example and len(names) < SHOWN:
            names.append(example)

    def notes(self) -> tuple[Note, ...]:
        """Give one note for each thing counted, in the order in which they first happened."""
        return tuple(Note(what, n, tuple(self.examples[what])) for what, n in self.counts.items())
