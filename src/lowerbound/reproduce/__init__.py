"""Published figures, each with the protocol that leads to it written down once."""

from lowerbound.reproduce.entry import Entry, Published
from lowerbound.reproduce.registry import entries, entry_named

__all__ = ["Entry", "Published", "entries", "entry_named"]
