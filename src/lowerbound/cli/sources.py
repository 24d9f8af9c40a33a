"""The data that a command reads: that of a run, read again, or other data."""

import os
import re
from typing import TYPE_CHECKING, Any

from lowerbound.cli.console import warn

if TYPE_CHECKING:
    from lowerbound.data import Data, Schema, Source
    from lowerbound.runs import Run


def stem_of(source: str) -> str:
    """Shorten a source to a name that is fit for a directory.

    Example:
        >>> stem_of("/data/my cats.npz#x")
        'my-cats-x'
    """
    path, _, key = source.partition("#")
    name = os.path.basename(path.rstrip("/")).partition(":")[0]
    stem = re.sub(
        r"\.(npy|npz|safetensors|csv|tsv|txt|ts|parquet|pq|tar)$", "", name, flags=re.IGNORECASE
    )
    whole = f"{stem}-{key}" if key else stem
    return re.sub(r"[^\w.-]+", "-", whole, flags=re.ASCII).strip("-.") or "data"


def own_data(run: "Run", *, remedy: str = "give it with --data") -> "Data":
    """Read the data of a run again, and warn if it has changed since.

    Raises:
        DataError: The run does not say where it is, or it cannot be read any more.
    """
    from lowerbound.runs import read_again

    return _told(run, read_again(run.path, run.spec, remedy=remedy))


def same_data(run: "Run", source: str) -> "Data | None":
    """Read a source in the run's own split, if it is the run's own data."""
    from lowerbound.runs import read_if_own

    data = read_if_own(run.path, run.spec, source)
    return None if data is None else _told(run, data)


def _told(run: "Run", data: "Data") -> "Data":
    from lowerbound.runs import has_changed

    if has_changed(data, run.spec):
        warn(
            f"{data.source} has changed since {run.path} was trained: its test split may hold "
            "examples that the model was trained on"
        )
    return data


def examples_of(run: "Run", source: str | None, **reading: Any) -> "Source":
    """Read examples: all of `source`, in their order, or the test split of the run."""
    if source is None:
        return own_data(run, remedy="give other data").test
    return read_for(source, run.schema, **reading)


def read_for(source: str | list[str], schema: "Schema", **reading: Any) -> "Source":
    """Read all examples of a source, in their order, as a schema has them; warn of notes.

    Args:
        source: A file, a folder, a named set, or texts.
        schema: Of the model.
        reading: Options of `reads_new_data`.
    """
    from lowerbound.data import read_examples

    examples, notes = read_examples(source, schema, **reading)
    for note in notes:
        warn(note)
    return examples
