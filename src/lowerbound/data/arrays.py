"""Numeric arrays of any layout, checked and turned into `(N, D)` or `(N, C, H, W)`."""

from typing import Any

import numpy as np

from lowerbound.data.notes import Note
from lowerbound.errors import DataError

CHANNELS = (1, 3, 4)


def as_array(source: object, where: str) -> np.ndarray:
    """Any array, tensor or nested list of numbers as a numpy array.

    Raises:
        DataError: It is ragged, or no array of numbers.
    """
    import torch  # here: a process that writes shards does without

    if isinstance(source, torch.Tensor):
        if source.layout is not torch.strided or source.is_quantized:
            raise DataError(f"{where} is a sparse or quantised tensor; give a dense one")
        tensor = source.detach().cpu()
        wide = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        return wide.resolve_conj().resolve_neg().numpy()
    if isinstance(source, np.ma.MaskedArray) and np.ma.is_masked(source):
        raise DataError(f"{where} has masked cells, and this version takes none; fill or drop them")
    try:
        return np.asarray(source)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(
            f"{where} is ragged or no array of numbers; every row needs one length"
        ) from error


def check_array(values: np.ndarray, where: str) -> np.ndarray:
    """The array, native and at least `(N, 1)`, when it can be data at all.

    Raises:
        DataError: It holds no real numbers, is empty, or has too few or too many axes.
    """
    kind = values.dtype.kind
    if kind not in "biuf":
        names = {"O": "objects", "c": "complex numbers", "U": "text", "S": "text", "V": "records"}
        found = names.get(kind, "dates" if kind in "mM" else str(values.dtype))
        raise DataError(f"{where} holds {found}, not plain numbers; convert to int or float arrays")
    if values.ndim == 0:
        raise DataError(
            f"{where} is one number; give an array of examples, the first axis counts them"
        )
    if values.ndim > 4:
        raise DataError(
            f"{where} has {values.ndim} axes {values.shape}; give (N, D), (N, H, W) or (N, C, H, W)"
        )
    if len(values) == 0:
        raise DataError(f"{where} holds no examples: its shape is {values.shape}")
    if values.size == 0:
        raise DataError(f"{where} holds examples of no cells: its shape is {values.shape}")
    if values.dtype.itemsize > 8:
        values = values.astype(np.float64)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    return values[:, None] if values.ndim == 1 else values


def check_finite(values: np.ndarray, where: str, names: tuple[str, ...] | None = None) -> None:
    """Raise a `DataError` that counts NaN and infinite cells and names the first."""
    if values.dtype.kind != "f":
        return
    bad = ~np.isfinite(values)
    count = int(bad.sum())
    if not count:
        return
    first = [int(place) for place in np.argwhere(bad)[0]]
    place = f"row {first[0]}, column {names[first[1]]!r}" if names else f"index {first}"
    raise DataError(
        f"{where} has {count:,} missing (NaN) or infinite cell{'s' * (count > 1)}, the first at "
        f"{place}; drop those rows or fill the cells: this version takes complete data"
    )


def layout(values: np.ndarray, where: str) -> tuple[np.ndarray, tuple[Note, ...]]:
    """Vectors as `(N, D)`, images as `(N, C, H, W)` with C 1 or 3.

    Three axes are grey images. Of four, the second or the last is the channels, whichever is 1, 3
    or 4; when both are, the last. A fourth channel is alpha: bytes are composited on white, other
    numbers lose it.

    Raises:
        DataError: Four axes, none of which can be the channels.
    """
    if values.ndim == 2:
        return values, ()
    if values.ndim == 3:
        odd = values.shape[2] in (3, 4) and values.shape[1] > 4
        note = Note(
            f"read as {len(values)} grey images of {values.shape[1]}x{values.shape[2]}; "
            "one colour image needs a leading axis"
        )
        return values[:, None], (note,) if odd else ()
    notes: list[Note] = []
    first, last = values.shape[1] in CHANNELS, values.shape[3] in CHANNELS
    if not first and not last:
        raise DataError(
            f"{where} has shape {values.shape}; images are (N, H, W, C) or (N, C, H, W), "
            "with C 1, 3 or 4"
        )
    if first and last:
        notes.append(
            Note(f"shape {values.shape} is ambiguous: the last axis was taken as channels")
        )
    if last:
        values = values.transpose(0, 3, 1, 2)
    if values.shape[1] == 4:
        values, note = _without_alpha(values)
        notes.append(note)
    return values, tuple(notes)


def _without_alpha(values: np.ndarray) -> tuple[np.ndarray, Note]:
    if values.dtype != np.uint8:
        return values[:, :3], Note("images lost their fourth channel, read as alpha", len(values))
    colour = np.empty((len(values), 3, *values.shape[2:]), np.uint8)
    for i in range(0, len(values), 256):  # in pieces: the sum needs four times the memory
        alpha = values[i : i + 256, 3:].astype(np.uint32)
        mixed = values[i : i + 256, :3] * alpha + 255 * (255 - alpha)
        colour[i : i + 256] = (mixed + 127) // 255
    return colour, Note("images composited on white: they had an alpha channel", len(values))


def class_labels(values: Any, count: int) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Classes `(N,)` int64 and their names out of labels; None if they are not one class a row."""
    labels = np.asarray(values)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,) or labels.dtype.kind not in "biufUS":
        return None
    known, label = np.unique(labels, return_inverse=True)
    if len(known) > max(count // 2, 2):
        return None
    return label.astype(np.int64), tuple(str(name) for name in known)
