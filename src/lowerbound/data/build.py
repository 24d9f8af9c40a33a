"""From what a reader found to a data set: infer, split, measure."""

from dataclasses import replace

import numpy as np
import torch

from lowerbound.data.centre import Centre, centre_of_draws
from lowerbound.data.examples import Data, Examples, fingerprint
from lowerbound.data.grey import Grey
from lowerbound.data.infer import Binarize, Inferred, infer
from lowerbound.data.notes import Note
from lowerbound.data.raw import TEST, TRAIN, VALIDATION, Raw
from lowerbound.data.rows import ArrayRows
from lowerbound.data.schema import Field, Schema
from lowerbound.data.splits import content_order, split, split_validation, thin
from lowerbound.errors import DataError, SettingError


def build(
    raw: Raw,
    *,
    binarize: Binarize = False,
    seed: int = 0,
    limit: int | None = None,
    test: bool = True,
) -> Data:
    """A data set out of what a reader found.

    Args:
        raw: All examples.
        binarize: Make every cell 0 or 1: see `read`.
        seed: Of the split, and of the draw of a dynamic binarisation.
        limit: The most examples to keep, over all parts in proportion; None for all.
        test: Whether to set a test part aside; without it, that part is empty.

    Raises:
        DataError: The examples cannot be modelled, or are too few.
        SettingError: No test part is wanted, but the source says which examples are its own.
    """
    if not test and raw.part is not None:
        raise SettingError(
            f"{raw.where} has parts of its own; leave them out, or keep its test part"
        )
    if binarize not in (True, False, "dynamic"):
        raise SettingError(f"binarize is True, False or 'dynamic', got {binarize!r}")
    inferred = infer(raw, binarize=binarize, seed=seed)
    if limit is not None and limit < len(raw):
        rows = _limited(_content(inferred), raw.part, limit, seed)
        raw = replace(
            raw,
            rows=ArrayRows(raw.values[rows]),
            part=None if raw.part is None else raw.part[rows],
            label=None if raw.label is None else raw.label[rows],
        )
        kept = Note(f"limited to {len(rows):,} of {len(inferred.values):,} examples, by content")
        inferred = infer(raw, binarize=binarize, seed=seed)  # a column may have become constant
        inferred = replace(inferred, notes=(kept, *inferred.notes))
    if test:
        parts = split(_content(inferred), raw.part, seed=seed, where=raw.where)
    else:
        parts = split_validation(_content(inferred), seed=seed, where=raw.where)
    schema, notes = _schema_of(inferred, parts.train, raw.where)
    train, validation, held_out = (
        _examples(inferred, raw, rows) for rows in (parts.train, parts.validation, parts.test)
    )
    return Data(
        schema=schema,
        train=train,
        validation=validation,
        test=held_out,
        source=raw.where,
        notes=(*raw.notes, *inferred.notes, *notes, *parts.notes, *_leaks(_content(inferred), raw)),
        split={**parts.record, "limit": limit},
        fingerprint=fingerprint(schema, train, validation, held_out),
    )


def _content(inferred: Inferred) -> np.ndarray:
    """What an example is told by: its grey levels where it was drawn from them."""
    return inferred.values if inferred.grey is None else inferred.grey


def _limited(values: np.ndarray, part: np.ndarray | None, limit: int, seed: int) -> np.ndarray:
    if part is None:
        return thin(values, limit, seed)
    kept = []
    for k in (TRAIN, VALIDATION, TEST):
        rows = np.flatnonzero(part == k)
        if len(rows):
            share = max(1, round(limit * len(rows) / len(part)))
            kept.append(rows[thin(values[rows], share, seed)])
    return np.concatenate(kept)


def _leaks(values: np.ndarray, raw: Raw) -> tuple[Note, ...]:
    """A warning when examples of a given test part are also in its training part."""
    if raw.part is None or not (raw.part != TRAIN).any():
        return ()
    order, sizes = content_order(values, 0)
    group = np.repeat(np.arange(len(sizes)), sizes)
    held = raw.part[order] != TRAIN
    shared = np.intersect1d(group[held], group[~held])
    count = int(np.isin(group[held], shared).sum())
    what = "examples of the given validation or test part found in its training part too"
    return (Note(what, count),) if count else ()


def _schema_of(
    inferred: Inferred, train: np.ndarray, where: str
) -> tuple[Schema, tuple[Note, ...]]:
    """The schema of what was inferred, its location and unit measured on the rows `train`."""
    shape, notes = inferred.values.shape[1:], ()
    if inferred.kind == "real":
        location, unit, notes = _measure(inferred.values[train], inferred.names, where)
    elif inferred.grey is not None and inferred.white is not None:  # not of one draw of many
        location, unit = centre_of_draws(inferred.grey[train], inferred.white)
    else:
        centre = Centre(shape, named=inferred.names is not None)
        centre.add(inferred.values[train])
        location, unit = centre.found()
    fields = fields_of(inferred.names, inferred.kind, shape, inferred.levels, location, unit)
    schema = Schema(
        fields, shape, inferred.constants, inferred.threshold, inferred.precision, inferred.white
    )
    return schema, notes


def fields_of(
    names: tuple[str, ...] | None,
    kind: str,
    shape: tuple[int, ...],
    levels: int | None,
    location: tuple[float, ...] | None,
    unit: tuple[float, ...] | None,
) -> tuple[Field, ...]:
    """One field a named column, or one for all cells."""
    if names is None:
        name = "image" if len(shape) == 3 else "x"
        return (Field(name, kind, shape, levels, mean=location, scale=unit),)
    return tuple(
        Field(
            name,
            kind,
            (),
            levels,
            mean=None if location is None else (location[i],),
            scale=None if unit is None else (unit[i],),
        )
        for i, name in enumerate(names)
    )


#: Standard deviations below this, or their squares, would vanish in float32.
SMALLEST_UNIT = 1e-30


def _measure(
    train: np.ndarray, names: tuple[str, ...] | None, where: str
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[Note, ...]]:
    """Mean and standard deviation of the training split: one a column, or one for all pixels."""
    axis = 0 if train.ndim == 2 else None
    with np.errstate(over="ignore", invalid="ignore"):
        location = np.atleast_1d(train.mean(axis=axis, dtype=np.float64))
        unit = np.atleast_1d(train.std(axis=axis, dtype=np.float64))
        low, high = np.atleast_1d(train.min(axis=axis)), np.atleast_1d(train.max(axis=axis))
    return measured(location, unit, low, high, names, where)


def measured(
    location: np.ndarray,
    unit: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    names: tuple[str, ...] | None,
    where: str,
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[Note, ...]]:
    """Means and standard deviations, float64 `(D,)`, judged by the ranges they come from."""
    if not (np.isfinite(location).all() and np.isfinite(unit).all()):
        raise DataError(
            f"{where} has values up to {max(np.abs(low).max(), np.abs(high).max()):g}, too large "
            "to measure; rescale"
        )
    tiny = (unit > 0) & (unit < SMALLEST_UNIT)
    tiny |= (unit == 0) & (high > low)
    if tiny.any():
        raise DataError(
            f"{where} has values that differ by less than {SMALLEST_UNIT:g}, too little to "
            "measure; rescale"
        )
    still = unit <= 0
    unit = np.where(still, 1.0, unit)
    notes = ()
    if still.any():
        places = np.flatnonzero(still)
        listed = tuple(names[p] if names else f"column {p + 1}" for p in places[:4])
        notes = (
            Note("columns constant in the training split: their scale is 1", len(places), listed),
        )
    return tuple(location.tolist()), tuple(unit.tolist()), notes


def _examples(inferred: Inferred, raw: Raw, rows: np.ndarray) -> Examples:
    grey = None
    if inferred.grey is not None and inferred.white is not None:
        levels = torch.from_numpy(np.ascontiguousarray(inferred.grey[rows]))
        grey = Grey(levels, inferred.white)
    return Examples(
        torch.from_numpy(np.ascontiguousarray(inferred.values[rows])),
        None,
        None if raw.label is None else torch.from_numpy(raw.label[rows].astype(np.int64)),
        raw.label_names,
        grey,
    )
