"""The three parts of a data set, and what tells it from another."""

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any

from lowerbound.data.examples import Examples
from lowerbound.data.notes import Note
from lowerbound.data.reading import Reading
from lowerbound.data.schema import Schema
from lowerbound.data.source import Source
from lowerbound.errors import UnknownNameError


@dataclass(frozen=True)
class Data:
    """A data set, ready to train on.

    Args:
        schema: Schema of an example; measured on the training split only.
        train: Examples that the model learns from.
        validation: For early stopping and learning curves.
        test: Touched only when a model is evaluated.
        source: Where it came from, in words.
        notes: Remarks and decisions of reading.
        split: How the splits were made: rule, seed, fractions, counts.
        fingerprint: sha256 over the schema and the contents of all splits.
    """

    schema: Schema
    train: Source
    validation: Source
    test: Source
    source: str
    notes: tuple[Note, ...] = ()
    split: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""

    @property
    def stored(self) -> bool:
        """Whether the training examples are read from disk while they are needed."""
        return not isinstance(self.train, Examples)

    def part(self, name: str) -> Source:
        """Take one part of the split: "train", "validation" or "test".

        Raises:
            UnknownNameError: There is none of that name; names those there are.
        """
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        if name not in parts:
            raise UnknownNameError("split", name, parts)
        return parts[name]


def identity(schema: Schema) -> bytes:
    """Write down what of a schema tells one data set from another.

    Measures follow from the contents, and so does all that the decisions of reading change.
    """
    fields = tuple(
        replace(one, mean=None, scale=None, bins=None, reason="", known=None)
        for one in schema.fields
    )
    schema = replace(schema, fields=fields, reading=Reading())
    return json.dumps(schema.to_json(), sort_keys=True).encode()


def fingerprint(schema: Schema, *parts: Examples) -> str:
    """Hash, sha256 in hexadecimal, the schema and the contents of `parts` in their order."""
    digest = hashlib.sha256(identity(schema))
    for part in parts:
        for tensor in (part.x, part.observed, part.label):
            if tensor is None:
                digest.update(b"none;")
                continue
            digest.update(f"{tensor.dtype}{tuple(tensor.shape)};".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().data)
        if part.grey is not None:
            digest.update(part.grey.levels.cpu().contiguous().numpy().data)
    return digest.hexdigest()
