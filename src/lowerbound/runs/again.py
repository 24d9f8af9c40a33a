"""The data of a run, read again as it was read for its training."""

from pathlib import Path
from typing import Any

from lowerbound.data import Data, read
from lowerbound.errors import DataError, LowerboundError, ShapeError
from lowerbound.runs.origin import location_of, recorded
from lowerbound.runs.spec import Spec


def read_again(
    path: Path, spec: Spec, source: Any = None, *, remedy: str = "give it with --data"
) -> Data:
    """Read the data that a run was trained on, in the same split.

    Args:
        path: The run, for messages.
        spec: Of the run.
        source: Where the data is now; where the run says if None.
        remedy: The advice of the message where it cannot be read.

    Returns:
        The data. Its fingerprint differs from the run's if it has changed since.

    Raises:
        DataError: The run does not say where its data is, or it cannot be read any more.
        ShapeError: It is of another kind or shape now.
    """
    location, options = recorded(spec)
    source = location if source is None else source
    if source is None:
        raise DataError(f"{path} does not say where its data is; {remedy}")
    try:
        data = read(source, **options)
    except LowerboundError as error:
        raise DataError(f"the data of {path} cannot be read again: {error}; {remedy}") from error
    if (data.schema.shape, data.schema.kind) != (spec.schema.shape, spec.schema.kind):
        raise ShapeError(
            f"the data is now {data.schema.describe()}, and {path} was trained on "
            f"{spec.schema.describe()}; {remedy}"
        )
    return data


def read_if_own(path: Path, spec: Spec, source: str) -> Data | None:
    """Read a source in the split of a run if it holds exactly the data of the run, else None."""
    if location_of(source) == recorded(spec)[0]:
        return read_again(path, spec)
    try:
        data = read_again(path, spec, source)
    except LowerboundError:
        return None
    return None if has_changed(data, spec) else data


def has_changed(data: Data, spec: Spec) -> bool:
    """Tell whether data is other than what a run was trained on."""
    return data.fingerprint != spec.data.get("fingerprint")
