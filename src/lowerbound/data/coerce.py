"""New data made to fit a schema that a model was trained under."""

import numpy as np
import torch

from lowerbound.data.arrays import check_finite, layout
from lowerbound.data.examples import Examples
from lowerbound.data.grey import drawn_once
from lowerbound.data.infer import half, kind_of, only_bits, stored
from lowerbound.data.notes import Note
from lowerbound.data.raw import Raw
from lowerbound.data.schema import Schema
from lowerbound.errors import DataError, SettingError, ShapeError


def coerce(
    raw: Raw, schema: Schema, *, binarize: bool = False
) -> tuple[Examples, tuple[Note, ...]]:
    """All examples of `raw`, in their order, as `schema` stores them.

    Args:
        raw: What a reader found.
        schema: Of the model that will get them.
        binarize: Cut at half of the range, for a binary schema; a schema of binarised data does
            so by itself, and one of data drawn from grey levels draws them, the same each time.

    Raises:
        ShapeError: The examples have another shape.
        DataError: Values that the schema does not have, or columns that are missing.
    """
    if binarize and schema.kind != "binary":
        raise SettingError(
            f"--binarize is for a model of binary data; this one takes {schema.describe()}"
        )
    check_finite(raw.values, raw.where, raw.names)
    if raw.names is not None and schema.columns is not None and not schema.is_image:
        values, notes = _by_name(raw, raw.names, schema.columns, schema)
    else:
        values, notes = (raw.values, ()) if raw.pictures else layout(raw.values, raw.where)
        values = _by_place(values, raw.where, schema)
    if (
        schema.constants
        and values.ndim == 2
        and values.shape[1] == len(schema.constants) + schema.dimensions
    ):
        values, told = _drop_constants(values, schema)
        notes += told
    if values.shape[1:] != schema.shape:
        raise ShapeError(_other_shape(values.shape[1:], schema, raw.where))
    values = _in_support(values, raw, schema, binarize)
    examples = Examples(
        # writable: the array of a mapped file is not, and a tensor must be
        torch.from_numpy(np.require(values, requirements=["C", "W"])),
        None,
        None if raw.label is None else torch.from_numpy(raw.label),
        raw.label_names,
    )
    return examples, (*raw.notes, *notes)


def _by_name(
    raw: Raw, names: tuple[str, ...], columns: tuple[str, ...], schema: Schema
) -> tuple[np.ndarray, tuple[Note, ...]]:
    left_out = {column.name: column.value for column in schema.constants}
    absent = [name for name in columns if name not in names and name not in left_out]
    if absent:
        listed = ", ".join(repr(name) for name in absent[:3]) + ", ..." * (len(absent) > 3)
        raise DataError(
            f"{raw.where} lacks {len(absent)} of the model's {len(columns)} columns: {listed}; "
            "give the columns of the training data"
        )
    extra = tuple(name for name in names if name not in columns)
    place = {name: i for i, name in enumerate(names)}
    gathered = [
        raw.values[:, place[name]] if name in place else np.full(len(raw), left_out[name])
        for name in columns
    ]
    notes = (
        (Note("columns ignored: the model has none of them", len(extra), extra),) if extra else ()
    )
    return np.column_stack(gathered), notes


def _by_place(values: np.ndarray, where: str, schema: Schema) -> np.ndarray:
    if schema.is_image or values.ndim == 2:
        return values
    flat = values.reshape(len(values), -1)
    if values.shape[1] == 1 and flat.shape[1] == schema.dimensions:
        raise ShapeError(
            f"the model takes vectors of {schema.dimensions}, got {_by(values.shape[1:])} images "
            f"in {where}; reshape them to (N, {schema.dimensions})"
        )
    return values


def _drop_constants(values: np.ndarray, schema: Schema) -> tuple[np.ndarray, tuple[Note, ...]]:
    notes = []
    for column in schema.constants:
        differing = int((values[:, column.position] != column.value).sum())
        if differing:
            what = (
                f"examples differing in {column.name!r}, which was {column.value:g} in all "
                "training data: the model ignores it"
            )
            notes.append(Note(what, differing))
    return schema.pack(values), tuple(notes)


def _in_support(values: np.ndarray, raw: Raw, schema: Schema, binarize: bool) -> np.ndarray:
    """The values as stored, or a `DataError` that names the first that the schema lacks."""
    where = raw.where
    if schema.kind == "real":
        if raw.pictures:
            raise DataError(
                f"the model takes {schema.describe()}, and {where} holds 8-bit pictures; "
                "give an array scaled as the training data were"
            )
        return stored(values, None, schema.precision, where)
    if schema.kind == "binary":
        values = _bits(values, raw, schema, binarize)
    most = (schema.levels or 1) - 1
    wrong = (values < 0) | (values > most) if values.dtype.kind != "b" else np.zeros(0, bool)
    if values.dtype.kind == "f" and not wrong.any():
        wrong = values != np.round(values)
    if wrong.any():
        first = values[tuple(np.argwhere(wrong)[0])]
        remedy = "give the values as they were in training"
        if schema.levels == 256 and values.min() >= 0 and values.max() <= 1:
            remedy = "multiply by 255 and round"
        if schema.kind == "binary":
            remedy = "cut them at half with --binarize (binarize=True)"
        raise DataError(
            f"the model takes {schema.kind} values 0 to {most}, got {first:g} in {where}; {remedy}"
        )
    return stored(values, schema.levels, schema.precision, where)


def _bits(values: np.ndarray, raw: Raw, schema: Schema, binarize: bool) -> np.ndarray:
    if only_bits(values):
        return values
    if ((values == 0) | (values == 255)).all():  # black and white, as pictures store it
        return values // 255
    if schema.white is not None:
        scaled = values * (schema.white / 255) if raw.pictures else values
        if scaled.min() < 0 or scaled.max() > schema.white:
            raise DataError(
                f"the model's data were drawn from grey levels 0 to {schema.white:g}, got "
                f"{values.min():g} to {values.max():g} in {raw.where}; scale them alike"
            )
        return drawn_once(scaled, schema.white, seed=0)
    if schema.threshold is not None:
        scaled = values * (2 * schema.threshold / 255) if raw.pictures else values
        if scaled.min() < 0 or scaled.max() > 2 * schema.threshold:
            raise DataError(
                f"the model's data were binarised at {schema.threshold:g} of 0 to "
                f"{2 * schema.threshold:g}, got {values.min():g} to {values.max():g} in "
                f"{raw.where}; scale them alike"
            )
        return scaled > schema.threshold
    if binarize:
        kind, levels = kind_of(values, raw.levels)
        return values > half(kind, levels, values, raw.where)
    return values


def _other_shape(shape: tuple[int, ...], schema: Schema, where: str) -> str:
    wanted = f"{_by(schema.shape)} images" if schema.is_image else f"{schema.dimensions} columns"
    if schema.constants:
        wanted += f" (or {schema.dimensions + len(schema.constants)} with those that never vary)"
    got = _by(shape) if len(shape) == 3 else f"{shape[0]} columns"
    remedy = (
        "resize or reshape them, or give picture files, which are resized"
        if schema.is_image
        else ("give the columns of the training data")
    )
    return f"the model takes {wanted}, got {got} in {where}; {remedy}"


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in shape)
