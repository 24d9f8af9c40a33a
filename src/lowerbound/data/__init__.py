"""Data: what it is (`Schema`), some of it (`Batch`), and how to read it (`read`)."""

from lowerbound.data.batch import Batch
from lowerbound.data.examples import Data, Examples
from lowerbound.data.named import NamedSet, named_sets
from lowerbound.data.notes import Note
from lowerbound.data.read import names, read, read_examples
from lowerbound.data.schema import Constant, Field, Kind, Schema

__all__ = [
    "Batch",
    "Constant",
    "Data",
    "Examples",
    "Field",
    "Kind",
    "NamedSet",
    "Note",
    "Schema",
    "named_sets",
    "names",
    "read",
    "read_examples",
]
