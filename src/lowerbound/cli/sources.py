"""Which data a command reads: what a run was trained on, read again, or other data."""

import os
import re
from typing import TYPE_CHECKING

from lowerbound.cli.console import warn
from lowerbound.errors import DataError, LowerboundError, ShapeError

if TYPE_CHECKING:
    from lowerbound.data import Data, Schema, Source
    from lowerbound.runs import Run


def absolute(source: str) -> str:
    """The source so that it means the same from another directory."""
    from lowerbound.data import names

    name, colon, folder = source.partition(":")
    if name in names():
        return f"{name}:{os.path.abspath(os.path.expanduser(folder))}" if colon else source
    return os.path.abspath(os.path.expanduser(source))


def stem_of(source: str) -> str:
    """A short name for a source, fit for a directory.

    Example:
        >>> stem_of("/data/my cats.npz#x")
        'my-cats-x'
    """
    path, _, key = source.partition("#")
    name = os.path.basename(path.rstrip("/")).partition(":")[0]
    stem = re.sub(
        r"\.(npy|npz|safetensors|csv|tsv|txt|parquet|pq|tar)$", "", name, flags=re.IGNORECASE
    )
    whole = f"{stem}-{key}" if key else stem
    return re.sub(r"[^\w.-]+", "-", whole, flags=re.ASCII).strip("-.") or "data"


def own_data(run: "Run", *, remedy: str = "give it with --data") -> "Data":
    """The data that a run was trained on, read again as it was then.

    Raises:
        DataError: The run does not say where it is, or it cannot be read any more.
    """
    from lowerbound.data import read
    from lowerbound.runs import recorded

    source, options = recorded(run.spec)
    if source is None:
        raise DataError(f"{run.path} does not say where its data is; {remedy}")
    try:
        data = read(source, **options)
    except LowerboundError as error:
        raise DataError(
            f"the data of {run.path} cannot be read again: {error}; {remedy}"
        ) from error
    if (data.schema.shape, data.schema.kind) != (run.schema.shape, run.schema.kind):
        raise ShapeError(
            f"{source} is now {data.schema.describe()}, and {run.path} was trained on "
            f"{run.schema.describe()}; {remedy}"
        )
    if data.fingerprint != run.spec.data.get("fingerprint"):
        warn(
            f"{source} has changed since {run.path} was trained: its test split may hold examples "
            "that the model was trained on"
        )
    return data


def same_data(run: "Run", source: str) -> "Data | None":
    """The run's own data if `source` holds exactly that, else None."""
    from lowerbound.data import read
    from lowerbound.runs import recorded

    location, options = recorded(run.spec)
    if location is not None and absolute(source) == location:
        return own_data(run)
    try:
        data = read(source, **options)
    except LowerboundError:
        return None
    return data if data.fingerprint == run.spec.data.get("fingerprint") else None


def examples_of(run: "Run", source: str | None) -> "Source":
    """Examples for a model: all of `source`, in their order, or the run's own test split."""
    if source is None:
        return own_data(run, remedy="give other data").test
    return read_for(source, run.schema)


def read_for(source: str, schema: "Schema") -> "Source":
    """All examples of a source, in their order, as a schema stores them; notes go to stderr."""
    from lowerbound.data import read_examples

    examples, notes = read_examples(source, schema)
    for note in notes:
        warn(note)
    return examples
