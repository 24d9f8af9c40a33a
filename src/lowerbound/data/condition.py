"""A data set of which a model is told the classes."""

import hashlib
from dataclasses import replace

import torch

from lowerbound.data.dataset import Data
from lowerbound.data.examples import Examples
from lowerbound.data.field import Field
from lowerbound.data.schema import Schema
from lowerbound.errors import DataError, SettingError, UnknownNameError

#: The condition that class folders and labels make.
CLASS = "class"


def conditioned(data: Data, name: str) -> Data:
    """Make the classes of a data set a condition, which models are told and do not explain.

    Args:
        data: In memory, with labels.
        name: Of the condition; "class" for folders and labels.

    Raises:
        SettingError: There is no such condition, or no label.
        DataError: There is one class, or the training examples are left on disk.
    """
    if name != CLASS:
        raise SettingError(
            f"a condition is '{CLASS}': the folders of pictures, or the labels of a set; got "
            f"{name!r}"
        )
    parts = [data.train, data.validation, data.test]
    if not all(isinstance(part, Examples) for part in parts):
        raise DataError("a condition is for data in memory; leave --stream out")
    held = [part.load() for part in parts]
    labels = [part.label for part in held if part.label is not None]
    if len(labels) < len(held):
        raise SettingError(
            f"{data.source} has no classes to tell; sort pictures into one folder a class, or "
            "leave --condition out"
        )
    levels = int(max(int(label.max()) for label in labels if len(label))) + 1
    words = held[0].label_names or tuple(map(str, range(levels)))
    if len(words) < 2:
        raise DataError(f"{data.source} has a single class; leave --condition out")
    field = Field(name, "categorical", levels=len(words), categories=words, role="condition")
    schema = replace(
        data.schema,
        fields=(*data.schema.fields, field),
        reading=replace(data.schema.reading, condition=name),
    )
    told = [
        replace(part, condition=label.long().unsqueeze(1))
        for part, label in zip(held, labels, strict=True)
    ]
    whole = hashlib.sha256(f"{data.fingerprint} told {name}: {words}".encode())
    for label in labels:
        whole.update(label.long().cpu().numpy().tobytes())
    return replace(
        data,
        schema=schema,
        train=told[0],
        validation=told[1],
        test=told[2],
        fingerprint=whole.hexdigest(),
    )


def condition_codes(text: str | None, schema: Schema, count: int) -> torch.Tensor | None:
    """Read a condition such as "class=Bag" for a number of examples.

    Args:
        text: One or more parts with commas between; None to tell nothing.
        schema: Of a conditional model.
        count: How many examples `N`.

    Returns:
        Codes `(N, C)`, -1 where nothing is told; None for no text.

    Raises:
        SettingError: The model has no condition.
        UnknownNameError: There is no such condition or value; names its neighbours.
    """
    if text is None:
        return None
    fields = schema.told
    if not fields:
        raise SettingError(
            "this model is told nothing; train one with: lowerbound fit DATA --condition class"
        )
    codes = [-1] * len(fields)
    for part in text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        names = [field.name for field in fields]
        if name not in names:
            raise UnknownNameError("condition", name, names)
        words = fields[names.index(name)].categories
        lower = [word.lower() for word in words]
        if value.lower() not in lower:
            raise UnknownNameError(f"value of {name}", value, words)
        codes[names.index(name)] = (
            words.index(value) if value in words else lower.index(value.lower())
        )
    return torch.tensor(codes).expand(count, -1)
