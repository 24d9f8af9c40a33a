"""Arrays, tensors and nested lists as arrays of plain numbers with a mask of their gaps."""

import re
from typing import Any

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.data.reading import Reading
from lowerbound.errors import DataError, UnknownNameError

KINDS = {
    "O": "objects",
    "c": "complex numbers",
    "U": "text",
    "S": "text",
    "V": "records",
    "m": "dates",
    "M": "dates",
}


def as_array(source: object, where: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Make a numpy array of any array, tensor or nested list, and the mask of its known cells.

    Returns:
        The numbers, and bool of the same shape where a masked array hides some; None if none.

    Raises:
        DataError: It is ragged, or no array of numbers.
    """
    import torch  # here: a process that reads tables does without

    if isinstance(source, torch.Tensor):
        if source.layout is not torch.strided or source.is_quantized:
            raise DataError(f"{where} is a sparse or quantised tensor; give a dense one")
        tensor = source.detach().cpu()
        wide = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        return wide.resolve_conj().resolve_neg().numpy(), None
    if isinstance(source, np.ma.MaskedArray):
        hidden = np.ma.getmaskarray(source)
        return np.ma.getdata(source), ~hidden if hidden.any() else None
    if hasattr(source, "toarray") and hasattr(source, "nnz"):
        return np.asarray(source.toarray()), None  # type: ignore[attr-defined]
    try:
        return np.asarray(source), None
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(
            f"{where} is ragged or no array of numbers; every row needs one length"
        ) from error


def check_array(values: np.ndarray, where: str) -> np.ndarray:
    """Return the array, native and at least `(N, 1)`, when it can be data at all.

    Raises:
        DataError: It holds no real numbers, is empty, or has too few axes.
    """
    kind = values.dtype.kind
    if kind == "O" and values.ndim == 0:
        raise DataError(
            f"{where} is none, but objects of type {type(values.item()).__name__!r}; give an "
            "array, a list or a data frame"
        )
    if kind not in "biuf":
        found = KINDS.get(kind, str(values.dtype))
        raise DataError(f"{where} holds {found}, not plain numbers; convert to int or float arrays")
    if values.ndim == 0:
        raise DataError(
            f"{where} is one number; give an array of examples, the first axis counts them"
        )
    if len(values) == 0:
        raise DataError(f"{where} holds no examples: its shape is {values.shape}")
    if values.size == 0:
        raise DataError(f"{where} holds examples of no cells: its shape is {values.shape}")
    if values.dtype.itemsize > 8:
        values = values.astype(np.float64)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    return values[:, None] if values.ndim == 1 else values


def known(
    values: np.ndarray, observed: np.ndarray | None, options: Reading
) -> tuple[np.ndarray, np.ndarray | None, tuple[Note, ...]]:
    """Make nan of the codes for missing cells and of endless numbers, and count the gaps.

    Args:
        values: `(N, ...)`; not changed.
        observed: Which cells are known; None when all are that are not nan.
        options: Its `gaps` name columns as "column 1", ..., or "*" for all cells.
    """
    notes: list[Note] = []
    if not options.gaps and observed is None and values.dtype.kind != "f":
        return values, None, ()
    out = np.zeros(values.shape, bool)
    for gap in options.gaps:
        found = re.fullmatch(r"column (\d+)", gap.column)
        if gap.column != "*" and (found is None or not 1 <= int(found[1]) <= values.shape[-1]):
            raise UnknownNameError("column", gap.column, ("*", "column 1", "column 2"))
        cells = ... if found is None else (..., int(found[1]) - 1)
        out[cells] |= np.isin(values[cells], [float(code) for code in gap.codes])
    endless = int(np.isinf(values).sum()) if values.dtype.kind == "f" else 0
    if endless:
        notes.append(Note("cells infinite, read as gaps", endless))
        out |= np.isinf(values)
    if out.any():
        values = np.where(out, np.nan, values)  # whole numbers become floats: they have no nan
    gaps = np.isnan(values) if values.dtype.kind == "f" else np.zeros(0, bool)
    count = int(gaps.sum()) - endless if observed is None else int((~observed).sum())
    if count:
        notes.append(Note("cells empty (NaN or masked), read as gaps", count))
    return values, observed, tuple(notes)


def class_labels(values: Any, count: int) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Make classes `(N,)` int64 and their names of labels; None if not one class a row."""
    labels = np.asarray(values)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,) or labels.dtype.kind not in "biufUS":
        return None
    known, label = np.unique(labels, return_inverse=True)
    if len(known) > max(count // 2, 2):
        return None
    return label.astype(np.int64), tuple(str(name) for name in known)
