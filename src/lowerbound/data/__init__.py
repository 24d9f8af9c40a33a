"""Data: what it is (`Schema`), some of it (`Batch`), and how to read it (`read`).

`read` and `read_examples` take whatever a person has; `build` and `coerce` do the same for numbers
that are in hand already (`Raw`).
"""

from lowerbound.core.batch import Batch
from lowerbound.data.build import build
from lowerbound.data.coerce import coerce
from lowerbound.data.condition import condition_codes, conditioned
from lowerbound.data.dataset import Data
from lowerbound.data.examples import Examples
from lowerbound.data.field import Constant, Field
from lowerbound.data.front import names, read, read_examples
from lowerbound.data.kinds import KINDS, Kind
from lowerbound.data.notes import Note
from lowerbound.data.packed.examples import StoredExamples
from lowerbound.data.raw import Column, Raw
from lowerbound.data.read.named import NamedSet, named_sets
from lowerbound.data.read.source import arranged
from lowerbound.data.read.text import texts_of
from lowerbound.data.reading import Reading, reading
from lowerbound.data.rows import ArrayRows, Rows
from lowerbound.data.schema import Schema
from lowerbound.data.source import Source
from lowerbound.data.table import columns_of

__all__ = [
    "KINDS",
    "ArrayRows",
    "Batch",
    "Column",
    "Constant",
    "Data",
    "Examples",
    "Field",
    "Kind",
    "NamedSet",
    "Note",
    "Raw",
    "Reading",
    "Rows",
    "Schema",
    "Source",
    "StoredExamples",
    "arranged",
    "build",
    "coerce",
    "columns_of",
    "condition_codes",
    "conditioned",
    "named_sets",
    "names",
    "read",
    "read_examples",
    "reading",
    "texts_of",
]
