"""Examples that a model made, written in the form of the data."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from lowerbound.applications.pictures import legible_sheet, to_image, to_pixels
from lowerbound.applications.tunes import midi_of, rolls, wave_of
from lowerbound.cli import output
from lowerbound.cli.output import FOLDER
from lowerbound.cli.steps import as_table
from lowerbound.data import Examples, texts_of
from lowerbound.data.read.cells import write_h5ad
from lowerbound.data.table import columns_of
from lowerbound.errors import SettingError
from lowerbound.runs import write_atomically

if TYPE_CHECKING:
    from lowerbound.data import Schema, Source

#: Pictures on one sheet, at most, and cells of examples in memory.
MOST_ON_A_SHEET, MOST_CELLS = 4096, 2**29


def forms(schema: "Schema") -> tuple[str, ...]:
    """List the kinds of file that examples of a schema can be written as, the usual one first."""
    if schema.is_text:
        return (".txt", ".npy")
    if schema.is_cells:
        return (".h5ad", ".npy", ".csv", ".parquet")
    if schema.is_tune:
        return (".mid", ".wav", ".png", ".npy")
    if schema.is_image:
        return (".png", FOLDER, ".npy")
    if schema.is_series:
        usual = (".csv", ".npy") if schema.reading.time is not None else (".npy", ".csv")
        return (*usual, ".parquet")
    if any(field.categories for field in schema.fields):
        return (".csv", ".parquet")
    return (".csv", ".parquet", ".npy") if schema.is_table else (".npy", ".csv", ".parquet")


def place(
    out: Path | None, name: str, schema: "Schema", *, force: bool, source: str | None = None
) -> tuple[Path, str]:
    """Decide where a result goes and in which form, and check it before any work is done.

    A result never overwrites `source`, the data it is made from.
    """
    known = forms(schema)
    path = Path(f"{name}{known[0]}") if out is None else out
    form = output.form_of(path, known)
    output.check_output(path, form, force=force, source=source)
    return path, form


def check_count(count: int, schema: "Schema", form: str) -> None:
    """Raise `SettingError` for a number of examples that cannot be made or shown."""
    if count < 1:
        raise SettingError(f"--count must be a whole number of at least 1, got {count}")
    if form == ".png" and count > MOST_ON_A_SHEET:
        raise SettingError(
            f"{count:,} pictures do not fit on one sheet of {MOST_ON_A_SHEET:,}; "
            "choose --out with a folder or .npy"
        )
    if count * schema.dimensions > MOST_CELLS:
        most = max(1, MOST_CELLS // schema.dimensions)
        raise SettingError(f"{count:,} examples do not fit in memory; make {most:,} at a time")


def write_examples(
    path: Path,
    form: str,
    x: Tensor,
    schema: "Schema",
    *,
    observed: Tensor | None = None,
    columns: int | None = None,
    rows: "Source | None" = None,
    seed: int = 0,
) -> None:
    """Write `(N, *event)` examples, draws or means, in the units of the data.

    Args:
        form: From `place`.
        observed: Which cells of a table are no gaps, bool `(N, D)`; None for all.
        columns: Pictures in a row of a sheet.
        rows: The examples that they were made of, which may have names.
        seed: Of new ids.
    """
    if form == ".txt":
        text = "".join(f"{line}\n" for line in lines_of(x))
        write_atomically(path, text.encode("utf-8"))
    elif form in (".mid", ".wav"):
        tunes = list(x.numpy())
        write_atomically(path, midi_of(tunes) if form == ".mid" else wave_of(tunes))
    elif form == ".png":
        pixels = rolls(list(x.numpy())) if schema.is_tune else to_pixels(x, schema)
        output.write_picture(path, legible_sheet(pixels, columns))
    elif form == FOLDER:
        output.write_folder(path, [to_image(pixels) for pixels in to_pixels(x, schema)])
    elif form == ".h5ad":
        names = None if rows is None else rows.row_names
        cells = [f"cell {i + 1}" for i in range(len(x))] if names is None else list(names)
        write_h5ad(path, unpacked(x, schema), schema.reading.genes, np.array(cells, object))
    elif form == ".npy":
        output.write_array(path, unpacked(x, schema))
    elif schema.is_series:
        windows = None if rows is None or rows.row_names is None else named(rows)["window"]
        output.write_table(path, as_table(stored(x, schema).numpy(), schema, windows))
    else:
        first, table = named(rows), columns_of(stored(x, schema), schema, observed, seed=seed)
        if set(first) <= set(table):  # names of rows stand where they stood
            table |= first
        else:
            table = first | table
        output.write_table(path, table, header=schema.is_table or schema.is_cells or bool(first))


def lines_of(x: Tensor) -> list[str]:
    """Give texts, `(N, T)` bytes, each on one line."""
    return [" ".join(text.splitlines()) for text in texts_of(x.numpy())]


def per_token(rows: "Source", nats: Tensor) -> dict[str, np.ndarray]:
    """Give nats of sequences, `(N,)`, per token, ends counted; nothing for other data."""
    if not isinstance(rows, Examples) or rows.lengths is None:
        return {}
    return {f"nats_per_{rows.token}": (nats / (rows.lengths + 1)).numpy()}


def named(rows: "Source | None") -> dict[str, np.ndarray]:
    """Give the names of examples as a first column of a table; none where they have none."""
    if rows is None or rows.row_names is None:
        return {}
    return {rows.row_label or "row": np.array(rows.row_names, dtype=object)}


def unpacked(x: Tensor, schema: "Schema") -> np.ndarray:
    """Make an array with the columns of the source, those that never varied included."""
    values = stored(x, schema).numpy()
    return schema.unpack(values) if values.ndim == 2 else values


def stored(x: Tensor, schema: "Schema") -> Tensor:
    """Turn whole numbers into the data's own type; means, which lie between, stay."""
    if schema.kind == "mixed":
        return x.double()
    if schema.is_discrete and bool((x == x.round()).all()):
        return x.round().to(schema.dtype)
    return x.to(torch.float64 if schema.precision == "float64" else torch.float32)
