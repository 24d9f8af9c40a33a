"""Data from whatever a user has: a named set, a folder, a file, an array or a table."""

from dataclasses import replace
from typing import Any

from lowerbound.data.build import Stage, build
from lowerbound.data.coerce import coerce
from lowerbound.data.condition import conditioned, told_column
from lowerbound.data.dataset import Data
from lowerbound.data.infer import check_limit
from lowerbound.data.notes import Note
from lowerbound.data.packed.convert import left_on_disk
from lowerbound.data.packed.folder import is_packed, open_packed
from lowerbound.data.raw import Raw
from lowerbound.data.read.locate import locate
from lowerbound.data.read.named import named_sets
from lowerbound.data.read.source import is_pictures, open_source
from lowerbound.data.reading import OTHERS, Binarize, Reading, Written, reading
from lowerbound.data.rows import ArrayRows
from lowerbound.data.schema import Schema
from lowerbound.data.source import Source
from lowerbound.errors import DataError, SettingError, ShapeError


def read(
    source: Any,
    *,
    binarize: Binarize = False,
    image_size: tuple[int, int] | None = None,
    seed: int = 0,
    limit: int | None = None,
    stream: bool | None = None,
    progress: Stage | None = None,
    **decisions: Any,
) -> Data:
    """Read a data set to train on, split in three, with a schema that says what it is.

    Args:
        source: A named set ("fashion-small"; "mnist:FOLDER" for its files in a folder), a path to
            a folder of images or to a .npy, .npz or .safetensors ("FILE.npz#key" for one array),
            .csv, .tsv or .parquet file, an array, a tensor, or a table with named columns.
        binarize: Make every cell 0 or 1, cut at half of its range; or "dynamic": by a draw whose
            chance is the grey level, made anew each time a training sees the example, and once
            for validation and test.
        image_size: `(H, W)` that picture files are fitted to.
        seed: Of the split; the same seed and contents give the same split everywhere.
        limit: The most examples to keep, at least 10.
        stream: Whether to leave the training examples on disk and read them while training: a
            file or folder larger than memory. None to do so where it is more than a quarter of
            the memory at hand.
        progress: Of a source that is left on disk, which takes passes through it: called with
            (what is done, rows done, rows in all).
        decisions: Whatever else a reader would decide by itself: see `Reading`.

    Raises:
        DataError: The data cannot be used; the message says why and what to do.
        UnknownNameError: No such named set.
        SettingError: An option has an impossible value.

    Example:
        >>> import numpy as np
        >>> data = read(np.random.default_rng(0).normal(size=(100, 3)))
        >>> data.schema.describe(), len(data.train), len(data.test)
        ('real vectors of 3', 80, 10)
    """
    check_limit(limit)
    options = reading(binarize=binarize, image_size=image_size, **decisions)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise SettingError(f"seed is a whole number, got {seed!r}")
    if stream and binarize == "dynamic":
        raise SettingError("bits drawn anew are for data in memory; leave that, or stream out")
    if stream and limit is not None:
        raise SettingError("limit is for data in memory; leave it or stream out")
    stream = False if binarize == "dynamic" else stream
    raw = _opened(source, options, stream, limit, progress)
    options.refuse(*OTHERS[raw.kind], where=raw.where)
    if options.condition is not None:
        raw = told_column(raw, options.condition)
    if raw.pictures and len(raw) == 1:
        raise DataError(f"{raw.where} is a single picture; training needs a folder of at least 10")
    limit = None if raw.pictures and raw.rows.in_memory else limit  # chosen by name
    data = build(raw, binarize=binarize, seed=seed, limit=limit, stage=progress)
    if options.condition is None or raw.condition is not None:
        return data
    return conditioned(data, options.condition)


def read_examples(
    source: Any,
    schema: Schema,
    *,
    binarize: bool = False,
    stream: bool | None = None,
    allow_missing: bool = False,
    **decisions: Any,
) -> tuple[Source, tuple[Note, ...]]:
    """Read new data for a trained model, unsplit and in their order.

    They are read as the data of the training were. Pictures are resized and converted to the
    schema's shape; columns are matched by name, by position where they have none; columns that
    never varied are left out again.

    Args:
        source: As for `read`, or one picture file.
        schema: Of the model.
        binarize: Cut at half; data that were binarised for training are cut without it.
        stream: As for `read`.
        allow_missing: Whether a column of the model that is not there is a column of gaps.
        decisions: Other decisions of reading than those of the training; codes for gaps, and what
            columns are, beside these.

    Returns:
        The examples, in memory or on disk, and what was noticed.

    Raises:
        ShapeError: The examples have another shape than the model's.
        DataError: They cannot be read, or hold values that the schema does not have.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(100, 3))
        >>> examples, notes = read_examples(x[:5], read(x).schema)
        >>> len(examples), examples.shape
        (5, (3,))
    """
    path = locate(source).path
    pictures = path is not None and not is_packed(path) and is_pictures(path)
    if path is not None and pictures and not schema.is_image:
        raise ShapeError(
            f"the model takes {schema.describe()}, and {path.name!r} holds pictures; "
            "give an array or a table"
        )
    given = {"recorded": True, "written": _written(schema), **decisions}
    options = reading(schema.reading, **given)
    for name in ("gaps", "columns"):
        if name in decisions:
            more = (*getattr(options, name), *getattr(schema.reading, name))
            options = replace(options, **{name: more})
    if pictures:
        pages = schema.reading.pages == "channels"
        options = reading(
            options,
            image_size=schema.shape[1:],
            channels=options.channels if pages else schema.shape[0],
        )
    raw = _opened(source, options, stream, None, None)
    for field in schema.told:
        raw = told_column(raw, field.name, field.categories)
    return coerce(raw, schema, binarize=binarize, allow_missing=allow_missing)


def names() -> tuple[str, ...]:
    """List what `read` knows by name.

    Example:
        >>> names()
        ('fashion-small', 'fashion-mnist', 'mnist', 'digits', 'penguins', 'tunes')
    """
    return tuple(named.name for named in named_sets())


def _written(schema: Schema) -> tuple[Written, ...]:
    """Tell how the columns of a table are written, so that a few new rows are read alike."""
    found = {}
    if schema.is_table:
        found = {field.name: _how(field.categories) for field in schema.fields}
        found |= {one.name: _how((one.value,)) for one in schema.constants if one.value is not None}
    found |= {one.column: one.how for one in schema.reading.written}
    return tuple(Written(name, how) for name, how in found.items())


def _how(values: tuple[str | float, ...]) -> str:
    """Tell how a column is written; a column of two numbers has these as its categories."""
    numbers = []
    for value in values:
        try:
            numbers.append(isinstance(float(value), float))
        except ValueError:
            numbers.append(False)
    return "numbers" if all(numbers) else "words or numbers" if any(numbers) else "words"


def _opened(
    source: Any, options: Reading, stream: bool | None, limit: int | None, progress: Stage | None
) -> Raw:
    """Open all rows, in memory or where they lie."""
    if options.window is not None or options.time is not None:
        if stream:
            raise SettingError("recordings are cut into windows in memory; leave stream out")
        stream = False
    place = locate(source)
    if place.path is None or place.named is not None:
        if stream:
            raise SettingError(
                "only a file or a folder can be streamed; save an array with np.save, a named set "
                "with lowerbound data pack NAME OUT"
            )
        return open_source(source, options, limit=limit)
    found = left_on_disk(place.path, place.key, options, stream, limit, progress)
    if found is None and is_packed(place.path):
        raw = open_packed(place.path, options)
        block = raw.rows.read(0, len(raw))
        return replace(raw, rows=ArrayRows(block.values, block.observed))
    return open_source(source, options, limit=limit) if found is None else found
