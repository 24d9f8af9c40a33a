"""Every published figure there is a protocol for."""

from lowerbound.errors import UnknownNameError
from lowerbound.reproduce import burda, ppca, pythae
from lowerbound.reproduce.entry import Entry

_ENTRIES = {entry.name: entry for entry in (*ppca.ENTRIES, *burda.ENTRIES, *pythae.ENTRIES)}


def entries() -> tuple[Entry, ...]:
    """All of them, in the order of their tables."""
    return tuple(_ENTRIES.values())


def entry_named(name: str) -> Entry:
    """One entry.

    Raises:
        UnknownNameError: There is none of that name; names its neighbours.
    """
    if name not in _ENTRIES:
        raise UnknownNameError("published figure", name, _ENTRIES)
    return _ENTRIES[name]
