"""A data set of which a model is told the classes."""

import hashlib
from dataclasses import replace

import numpy as np
import torch

from lowerbound.core.told import UNTOLD
from lowerbound.data.dataset import Data
from lowerbound.data.examples import Examples
from lowerbound.data.field import Field
from lowerbound.data.raw import Raw
from lowerbound.data.rows import ArrayRows, blocks
from lowerbound.data.schema import Schema
from lowerbound.errors import DataError, SettingError, UnknownNameError
from lowerbound.seeding import seeded

#: The condition that class folders and labels make, and folders whose pictures have no class.
CLASS, UNLABELLED = "class", ("unlabelled", "unlabeled")
#: Most values of a column that is a condition.
MOST_CLASSES = 1000


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
            f"a condition is '{CLASS}', for folders of pictures and labels of a set, or a column "
            f"of a table; got {name!r}"
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
    every = held[0].label_names or tuple(map(str, range(levels)))
    words = tuple(word for word in every if word.lower() not in UNLABELLED)
    codes = torch.tensor([words.index(w) if w in words else UNTOLD for w in every])
    labels = [codes[label.long()] for label in labels]
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


def told_column(raw: Raw, name: str, words: tuple[str, ...] | None = None) -> Raw:
    """Take a column of a table out of its rows: a condition, -1 where the cell is a gap.

    Args:
        raw: A table; other data, and one without the column, stay as they are.
        name: Of the column.
        words: The values that training saw; others are gaps. None to take those there are.

    Raises:
        DataError: The table is left on disk, or the column has too few or too many values.
    """
    names = [column.name for column in raw.table or ()]
    if name not in names:
        return raw
    if not raw.rows.in_memory:
        raise DataError("a condition is for a table in memory; leave --stream out")
    place, block = names.index(name), raw.rows.read(0, len(raw))
    column, cells = (raw.table or ())[place], block.values[:, place].astype(np.float64)
    known = np.isfinite(cells) if block.observed is None else block.observed[:, place]
    found, codes = np.unique(cells[known & np.isfinite(cells)], return_inverse=True)
    here = tuple(f"{number:.17g}" for number in found)
    if column.categories is not None:
        here = tuple(column.categories[int(number)] for number in found)
    words = here if words is None else words
    if not 2 <= len(words) <= MOST_CLASSES:
        raise DataError(f"condition {name!r} has {len(words)} values; it takes 2 to {MOST_CLASSES}")
    if words is here and 2 * len(here) > len(codes):
        raise DataError(
            f"condition {name!r} has {len(here)} values in {len(codes)} rows, most of them once: "
            "it takes classes, so give it in groups"
        )
    every = np.full(len(raw), UNTOLD)
    places = np.array([words.index(one) if one in words else UNTOLD for one in here], np.int64)
    every[known & np.isfinite(cells)] = places[codes]
    without = np.delete(np.arange(len(names)), place)
    return replace(
        raw,
        rows=ArrayRows(block.values[:, without], block[:, without].observed),
        names=None if raw.names is None else tuple(np.delete(raw.names, place).tolist()),
        columns=None if raw.columns is None else tuple(raw.columns[j] for j in without),
        order=tuple(one for one in raw.order if one != name),
        conditions=(Field(name, "categorical", (), len(words), words, role="condition"),),
        condition=every[:, None],
    )


def with_conditions(schema: Schema, raw: Raw, held: np.ndarray) -> Schema:
    """Add what a model is told of the rows of a source, its totals measured.

    Args:
        schema: Of the rows.
        raw: The source.
        held: Rows that are not trained on, int64.
    """
    fields = list(raw.conditions)
    for place, field in enumerate(fields):
        if raw.condition is not None and field.kind == "count":
            logs = np.log(np.delete(raw.condition[:, place], held).clip(min=1))
            measures = (float(logs.mean()),), (max(float(logs.std()), 1e-3),)
            fields[place] = replace(field, mean=measures[0], scale=measures[1])
    return replace(schema, fields=(*schema.fields, *fields))


def told_alike(raw: Raw, schema: Schema) -> Raw:
    """Tell of new rows whatever a schema's model is told, by its codes; -1 where not known.

    A total that the source does not give is that of the row.
    """
    given = {one.name: place for place, one in enumerate(raw.conditions)}
    if not any(field.kind == "count" or field.name in given for field in schema.told):
        return raw  # classes of folders are of the training
    columns = []
    for field in schema.told:
        own = None
        if raw.condition is not None and field.name in given:
            own = raw.condition[:, given[field.name]]
        if field.kind == "count":
            sums = (
                [block.values.sum(axis=1) for _, block in blocks(raw.rows)] if own is None else []
            )
            columns.append(np.concatenate(sums).astype(np.int64) if own is None else own)
        elif own is None:
            columns.append(np.full(len(raw), UNTOLD))
        else:
            codes = {word: code for code, word in enumerate(field.categories)}
            words = raw.conditions[given[field.name]].categories
            columns.append(np.array([*(codes.get(w, UNTOLD) for w in words), UNTOLD])[own])
    return replace(raw, condition=np.stack(columns, axis=1))


def condition_codes(
    text: str | None, schema: Schema, count: int, seed: int | None = None
) -> torch.Tensor | None:
    """Read a condition such as "class=Bag" for a number of examples.

    Args:
        text: One or more parts with commas between; None to tell nothing.
        schema: Of a conditional model.
        count: How many examples `N`.
        seed: Of totals that are not told, which are drawn; None for a fresh one.

    Returns:
        Codes `(N, C)`, -1 where nothing is told; None for no text, and no total that is drawn.

    Raises:
        SettingError: The model has no condition, or one is told twice.
        UnknownNameError: There is no such condition or value; names its neighbours.
    """
    fields = schema.told
    totals = [place for place, field in enumerate(fields) if field.kind == "count"]
    if text is None and not totals:
        return None
    if not fields:
        raise SettingError(
            "this model is told nothing; train one with: lowerbound fit DATA --condition class"
        )
    codes = [UNTOLD] * len(fields)
    for part in [] if text is None else text.split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        names = [field.name for field in fields]
        if name not in names:
            raise UnknownNameError("condition", name, names)
        if codes[names.index(name)] != UNTOLD:
            raise SettingError(f"{name} is told twice; an example has one")
        if names.index(name) in totals:
            if not value.isdigit() or int(value) < 1:
                raise SettingError(f"{name} is a whole number from 1 on, got {value!r}")
            codes[names.index(name)] = int(value)
            continue
        words = fields[names.index(name)].categories
        lower = [word.lower() for word in words]
        if value.lower() not in lower:
            raise UnknownNameError(f"value of {name}", value, words)
        codes[names.index(name)] = (
            words.index(value) if value in words else lower.index(value.lower())
        )
    every = torch.tensor(codes).repeat(count, 1)
    for place in totals:
        (mean,), (scale,) = fields[place].mean or (0.0,), fields[place].scale or (1.0,)
        if codes[place] == UNTOLD:
            with seeded(seed, stream="totals"):
                every[:, place] = (mean + scale * torch.randn(count)).exp().round().clamp(min=1)
    return every
