"""Files of results: the suffix of the name decides; nothing is overwritten without being asked."""

import csv
import io
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from lowerbound.errors import OutputError, SettingError
from lowerbound.runs import check_new, write_atomically

FOLDER = "a folder"


def form_of(path: Path | str, known: Sequence[str]) -> str:
    """Read from a name's suffix which of the `known` forms, such as ".npy" or `FOLDER`, it is."""
    text = os.fspath(path)
    suffix = Path(text).suffix.lower()
    is_folder = not suffix or text.endswith(("/", os.sep)) or Path(text).is_dir()
    form = FOLDER if is_folder else suffix
    if form not in known:
        got = "a name without a suffix" if form == FOLDER else f"'{form}'"
        listed = [name if name != FOLDER else "a folder (no suffix)" for name in known]
        raise SettingError(f"--out {text}: cannot write {got} here; choose {', '.join(listed)}")
    return form


def check_output(path: Path, form: str, *, force: bool, source: str | None = None) -> None:
    """Refuse, before any work is done, a place that could not be written in the end.

    It exists and `force` is not set, it is the file being read (`source`), it is a folder that
    holds other things than pictures of ours, or it cannot be written.
    """
    if source is not None and path.exists() and Path(source).exists() and path.samefile(source):
        raise OutputError(f"{path} is the data being read; choose another --out")
    if path.is_dir():
        if form != FOLDER:
            raise OutputError(f"{path} is a directory; choose another name")
        here = os.listdir(path)
        if not here:
            return
        if any(not re.fullmatch(r"\d{5,}\.png", name) for name in here):
            raise OutputError(f"{path} holds other things and is left alone; choose another --out")
    check_new(path, force=force)


def write_array(path: Path, values: np.ndarray) -> None:
    """Write a `.npy` file."""
    plain = np.ascontiguousarray(values)
    write_atomically(path, lambda file: np.save(file, plain, allow_pickle=False))


def write_table(path: Path, columns: Mapping[str, np.ndarray], *, header: bool = True) -> None:
    """Write columns `(N,)`, with None and nan for gaps, as a `.csv` or `.parquet` file.

    Numbers are written so that they read back the same. Without `header`, CSV has no names.
    """
    if path.suffix.lower() == ".parquet":
        import pyarrow.parquet

        plain = {k: v.tolist() if v.dtype == object else v for k, v in columns.items()}
        table = pyarrow.table(plain)
        write_atomically(path, lambda file: pyarrow.parquet.write_table(table, file))
        return
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    if header:
        rows.writerow(columns)
    rows.writerows(zip(*map(_cells, columns.values()), strict=True))
    write_atomically(path, text.getvalue().encode("utf-8"))


def _cells(column: np.ndarray) -> list[object]:
    """Give the cells of a column as CSV has them: "" for a gap, each float in its own precision."""
    if column.dtype.kind in "mM":
        return ["" if np.isnat(cell) else str(cell).replace("T", " ") for cell in column]
    if column.dtype.kind == "f":
        return ["" if np.isnan(cell) else str(cell) for cell in column]
    return ["" if cell is None else cell for cell in column.tolist()]


def write_picture(path: Path, picture: Image.Image) -> None:
    """Write a `.png` file."""
    write_atomically(path, _png(picture))


def write_folder(path: Path, pictures: Sequence[Image.Image]) -> None:
    """Write a folder of 00000.png, 00001.png, ...; it appears whole, or not at all."""
    path = Path(os.path.normpath(path))
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    old = path.with_name(f".{path.name}.old-{os.getpid()}")
    try:
        temporary.mkdir()
        for index, picture in enumerate(pictures):
            write_atomically(temporary / f"{index:05}.png", _png(picture))
        if path.is_dir():
            os.rename(path, old)
        os.rename(temporary, path)
    except OSError as error:
        if old.is_dir() and not path.exists():
            os.rename(old, path)
        if isinstance(error, OutputError):
            raise OutputError(str(error).replace(os.fspath(temporary), os.fspath(path))) from error
        raise OutputError(
            f"cannot write {path}: {(error.strerror or str(error)).lower()}"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)


def _png(picture: Image.Image) -> Callable[[BinaryIO], None]:
    return lambda file: picture.save(file, format="PNG")
