"""Data: what it is (`Schema`), some of it (`Batch`), and how to read it (`read`).

`read` and `read_examples` take whatever a person has; `build` and `coerce` do the same for numbers
that are in hand already (`Raw`).

Names are imported when they are first used: a process that only decodes pictures needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lowerbound.data.batch import Batch
    from lowerbound.data.build import build
    from lowerbound.data.coerce import coerce
    from lowerbound.data.examples import Data, Examples
    from lowerbound.data.named import NamedSet, named_sets
    from lowerbound.data.notes import Note
    from lowerbound.data.raw import Raw
    from lowerbound.data.read import names, read, read_examples
    from lowerbound.data.schema import Constant, Field, Kind, Schema
    from lowerbound.data.source import Source
    from lowerbound.data.stored.examples import StoredExamples

_HOMES = {
    "Batch": "batch",
    "Constant": "schema",
    "Data": "examples",
    "Examples": "examples",
    "Field": "schema",
    "Kind": "schema",
    "NamedSet": "named",
    "Note": "notes",
    "Raw": "raw",
    "Schema": "schema",
    "Source": "source",
    "StoredExamples": "stored.examples",
    "build": "build",
    "coerce": "coerce",
    "named_sets": "named",
    "names": "read",
    "read": "read",
    "read_examples": "read",
}

__all__ = [
    "Batch",
    "Constant",
    "Data",
    "Examples",
    "Field",
    "Kind",
    "NamedSet",
    "Note",
    "Raw",
    "Schema",
    "Source",
    "StoredExamples",
    "build",
    "coerce",
    "named_sets",
    "names",
    "read",
    "read_examples",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
