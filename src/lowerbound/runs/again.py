"""The data of a run, read again as it was read for its training."""

from pathlib import Path
from typing import Any

from lowerbound.data import Data, read
from lowerbound.errors import DataError, LowerboundError, ShapeError
from lowerbound.runs.origin import recorded
from lowerbound.runs.spec import Spec


def read_again(path: Path, spec: Spec, source: Any = None) -> Data:
    """The data that a run was trained on, in the same split.

    Args:
        path: The run, for messages.
        spec: Of the run.
        source: Where the data is now; where the run says if None.

    Returns:
        The data. Its fingerprint differs from the run's if it has changed since.

    Raises:
        DataError: The run does not say where its data is, or it cannot be read any more.
        ShapeError: It is of another kind or shape now.
    """
    location, options = recorded(spec)
    source = location if source is None else source
    if source is None:
        raise DataError(f"{path} does not say where its data is; give it with --data")
    try:
        data = read(source, **options)
    except LowerboundError as error:
        raise DataError(
            f"the data of {path} cannot be read again: {error}; give it with --data"
        ) from error
    if (data.schema.shape, data.schema.kind) != (spec.schema.shape, spec.schema.kind):
        raise ShapeError(
            f"the data is now {data.schema.describe()}, and {path} was trained on "
            f"{spec.schema.describe()}; give that with --data"
        )
    return data
