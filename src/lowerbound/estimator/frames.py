"""Data frames that are no arrays: words, dates and gaps, as they come in and as they go back."""

from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import validate_data

from lowerbound.data.read.frames import is_frame, table_of
from lowerbound.errors import DataError


def is_worded(X: Any) -> bool:
    """Tell frames with other than numbers, which are no arrays, from all else."""
    if not is_frame(X) or isinstance(X, np.ndarray) or issparse(X):
        return False
    if isinstance(X, Mapping) or not hasattr(X, "dtypes"):
        return True
    kinds = X.dtypes.tolist() if hasattr(X.dtypes, "tolist") else list(X.dtypes)
    return not all(isinstance(kind, np.dtype) and kind.kind in "biuf" for kind in kinds)


def is_array(X: Any) -> bool:
    """Tell what scikit-learn takes for an array: all but frames with words, dates or gaps."""
    if not is_frame(X) or isinstance(X, np.ndarray) or issparse(X):
        return True
    if hasattr(X, "iloc"):
        return not is_worded(X) and not bool(X.isna().to_numpy().any())
    if isinstance(X, Mapping):
        return False
    from pyarrow import types

    return all(
        (types.is_integer(cells.type) or types.is_floating(cells.type)) and not cells.null_count
        for cells in table_of(X, "X").columns
    )


def names_of(X: Any) -> list[str]:
    """Return the names of the columns of a frame, or of a dictionary."""
    if isinstance(X, Mapping):
        return [str(name) for name in X]
    return [str(name) for name in getattr(X, "column_names", X.columns)]


def without_index(X: Any) -> Any:
    """Leave out the index of a frame of pandas, which is no column."""
    return X.reset_index(drop=True) if hasattr(X, "iloc") else X


def check_names(estimator: Any, X: Any, *, reset: bool) -> None:
    """Set the names of columns, or compare them; scikit-learn knows pandas alone."""
    if hasattr(X, "iloc"):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    elif reset:
        names = names_of(X)
        estimator.n_features_in_ = len(names)
        estimator.feature_names_in_ = np.array(names, dtype=object)


def library_of(X: Any) -> str:
    """Return the library of a frame: "pandas", "polars", "pyarrow", or "dict"."""
    return "dict" if isinstance(X, Mapping) else type(X).__module__.partition(".")[0]


def frame_of(columns: Mapping[str, np.ndarray], library: str, like: Any = None) -> Any:
    """Make a frame of columns `(N,)`.

    Args:
        columns: Cells, None and nan for gaps.
        library: Its library; one that is not known gives a dictionary.
        like: A frame whose types the columns take, where they can.

    Raises:
        DataError: The library is not installed.
    """
    if library not in ("pandas", "polars", "pyarrow"):
        return dict(columns)
    try:
        module: Any = import_module(library)
    except ImportError as error:
        raise DataError(f"X was a frame of {library} at fit; install {library}") from error
    if library == "pandas":
        frame = module.DataFrame(dict(columns))
        for name, kind in {} if like is None else like.dtypes.items():
            zone = getattr(kind, "tz", None)
            if zone is not None:
                frame[name] = frame[name].dt.tz_localize("UTC").dt.tz_convert(zone)
            with suppress(TypeError, ValueError):
                frame[name] = frame[name].astype(kind)
        return frame
    plain = {k: v.tolist() if v.dtype == object else v for k, v in columns.items()}
    if library == "polars":
        frame = module.DataFrame(plain)
        for name, kind in {} if like is None else like.schema.items():
            with suppress(module.exceptions.PolarsError):
                frame = frame.with_columns(frame[name].cast(kind))
        return frame
    table = module.table(plain)
    for place, field in enumerate([] if like is None else like.schema):
        with suppress(module.ArrowException):
            table = table.set_column(place, field, table.column(place).cast(field.type))
    return table
