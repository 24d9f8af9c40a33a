"""X as scikit-learn hands it over, checked, and as the model stores it."""

import math
import os
import warnings
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data
from torch import Tensor

from lowerbound.data import (
    Data,
    Examples,
    Raw,
    Reading,
    Schema,
    arranged,
    build,
    coerce,
    read_examples,
    reading,
)
from lowerbound.data.read.arrays import as_array
from lowerbound.data.read.arrays import check_array as checked_array
from lowerbound.data.read.source import open_source
from lowerbound.data.read.text import raw_of_texts, texts_in
from lowerbound.data.rows import ArrayRows
from lowerbound.errors import DataError
from lowerbound.estimator.frames import check_names, is_array, without_index


def checked(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Check X by scikit-learn: a finite numeric array, `(N, D)` or with the axes of images.

    Texts, a list, an array `(N,)` or a column of strings, become an array of strings. Data frames
    with words, dates or gaps stay as they are.

    The estimator's names and number of features are set (`reset`), or compared.
    """
    if isinstance(X, str | bytes | os.PathLike):
        raise DataError(
            f"AutoVAE takes arrays and tables, got the path {os.fsdecode(X)!r}; read it first: "
            "lowerbound.read(path).train.x"
        )
    if (texts := texts_in(X)) is not None:
        if reset:
            estimator.n_features_in_ = 1
        return np.asarray(texts, dtype=object)
    if not is_array(X):
        check_names(estimator, X, reset=reset)
        return X
    if isinstance(X, Tensor):
        X = as_array(X, "X")[0]  # scikit-learn would not take one from another device
    elif isinstance(X, list | tuple):
        X = np.asarray(X)
    if not hasattr(X, "ndim") or X.ndim <= 2:
        X = validate_data(estimator, X, reset=reset)  # pyright: ignore[reportArgumentType]
    else:
        X = check_array(X, allow_nd=True, input_name="X", estimator=estimator)
        if reset:
            validate_data(estimator, X, reset=True, skip_check_array=True)  # forgets old names
            estimator.n_features_in_ = math.prod(X.shape[1:])
    X = checked_array(X, "X")
    return np.require(X, None, "W")  # torch warns of memory that it must not write to


def data_of(X: Any, names: np.ndarray | None, seed: int, *, table: bool = False) -> Data:
    """Split X into a training and a validation part, with its schema; there is no test part.

    As a `table`, each column has a law by its own kind, and is called x0, x1, ... without names.
    """
    if not isinstance(X, np.ndarray):
        return build(open_source(without_index(X)), seed=seed, test=False)
    if X.dtype == object:
        return build(raw_of_texts(X.tolist(), Reading(), "X"), seed=seed, test=False)
    columns = None if names is None else tuple(names)
    if table and columns is None and X.ndim == 2:
        columns = tuple(f"x{place}" for place in range(X.shape[1]))
    data = build(_raw(X, Reading(), columns), seed=seed, test=False)
    width = data.schema.dimensions + len(data.schema.constants)
    if width != X[0].size:
        raise DataError("X has a fourth channel, alpha, which no model gives back; drop it")
    return data


def examples_of(X: Any, schema: Schema) -> Examples:
    """Convert X for a model of this schema; warn of columns that never varied and now do."""
    if not isinstance(X, np.ndarray):
        examples, notes = read_examples(without_index(X), schema)
        for note in notes:  # gaps and ids were said at fit
            if not note.what.startswith("cells empty") and "left out" not in note.what:
                warnings.warn(str(note), stacklevel=4)
        return examples.load()
    options = reading(schema.reading, recorded=True)
    if X.dtype == object:
        if not schema.is_text:
            raise DataError(f"X holds texts; the model takes {schema.describe()}")
        return coerce(raw_of_texts(X.tolist(), options, "X"), schema)[0].load()
    examples, notes = coerce(_raw(X, options), schema)
    for note in notes if X.ndim == 2 else ():
        warnings.warn(str(note), stacklevel=4)
    return examples.load()


def _raw(X: np.ndarray, options: Reading, columns: tuple[str, ...] | None = None) -> Raw:
    return arranged(Raw("X", ArrayRows(X), names=columns), options, suspect=False)
