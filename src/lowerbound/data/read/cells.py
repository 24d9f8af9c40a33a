"""Counts of single cells: `.h5ad` files, and `.mtx` files with their lists of genes and cells."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import io, sparse

from lowerbound.data.field import Field
from lowerbound.data.kinds import LARGEST_COUNT
from lowerbound.data.notes import Note
from lowerbound.data.raw import Raw
from lowerbound.data.read.files import Entry
from lowerbound.data.reading import Reading
from lowerbound.data.sparse import SparseRows
from lowerbound.errors import DataError, MissingExtraError, UnknownNameError

CELLS = (".h5ad", ".mtx")
#: Genes that are kept where nobody says how many.
GENES = 2000
#: Cells that variable genes are chosen by, and the size r of the law they are held against.
LOOKED_AT, SIZE = 5000, 100.0
#: Columns of the cells that are taken for their classes, the first that there is.
CLASSES = ("cell_type", "celltype", "bulk_labels", "cell_type1", "labels", "louvain", "leiden")
#: Names of the lists beside a matrix; without their endings.
GENE_LISTS, CELL_LISTS = ("features.tsv", "genes.tsv"), ("barcodes.tsv",)
#: Column of the total, which a model is told by itself.
TOTAL = "total"


@dataclass(frozen=True)
class Counts:
    """A matrix of counts, cells in rows, and what is known of both sides.

    Args:
        matrix: `(N, D)`, sparse.
        genes: Names of the columns.
        cells: Names of the rows; None where there are none.
        about: Columns of words about cells, as codes `(N,)`, -1 where unknown, and the words.
    """

    matrix: Any
    genes: tuple[str, ...]
    cells: tuple[str, ...] | None = None
    about: Mapping[str, tuple[np.ndarray, tuple[str, ...]]] = field(default_factory=dict)


def read_cells(path: Path, key: str | None, options: Reading, where: str) -> Raw:
    """Read counts of single cells; those of the most variable genes are kept.

    Args:
        path: A `.h5ad` or `.mtx` file.
        key: Of a `.h5ad` file, the matrix: "layers/counts"; None for the first that holds counts.
        options: How many genes are kept, or their names; the column that a model is told.
        where: Name of the source in messages.

    Raises:
        DataError: There are no counts, or genes of the training are missing.
        MissingExtraError: h5py is not installed.
        UnknownNameError: There is no such column about cells.
    """
    found = _h5ad(path, key) if path.suffix.lower() == ".h5ad" else _mtx(path)
    matrix: Any = sparse.csr_array(found.matrix)
    if not _counts(matrix.data):
        raise DataError(f"{where} holds other numbers than counts; models need raw ones")
    matrix = matrix.astype(np.int32)
    genes, notes = _kept(matrix, found.genes, options, where)
    place = {name: i for i, name in enumerate(found.genes)}
    matrix = sparse.csr_array(matrix[:, [place[name] for name in genes]])
    totals = np.asarray(matrix.sum(axis=1)).ravel().astype(np.int64)
    told = [(Field(TOTAL, "count", role="condition", whole=True), totals)]
    if options.condition is not None and options.condition in found.about:
        codes, words = found.about[options.condition]
        own = Field(options.condition, "categorical", (), len(words), words, role="condition")
        told.insert(0, (own, codes))
    elif options.condition is not None and not options.recorded:
        raise UnknownNameError("column about cells", options.condition, found.about)
    label, names = found.about.get(next((n for n in CLASSES if n in found.about), ""), (None, None))
    label = None if label is None or (label < 0).any() else label
    return Raw(
        where,
        SparseRows(matrix),
        label=label,
        label_names=None if label is None else names,
        kind="count",
        row_names=found.cells,
        row_label="cell",
        notes=notes,
        reading=replace(options, genes=tuple(genes)),
        conditions=tuple(one for one, _ in told),
        condition=np.stack([codes for _, codes in told], axis=1),
    )


def holds_cells(path: Path) -> bool:
    """Whether a path is a file of single cells, or a folder with one in it."""
    files = path.iterdir() if path.is_dir() else [path]
    return any(Entry(file.name, file).suffix in CELLS for file in files)


def write_h5ad(path: Path, values: np.ndarray, genes: tuple[str, ...], cells: np.ndarray) -> None:
    """Write `(N, D)` counts or means, and the names of both sides, as `.h5ad`."""
    matrix = sparse.csr_array(values)
    with _h5py().File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        x = file.create_group("X")
        x.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        x.attrs["shape"] = np.array(matrix.shape)
        for name in ("data", "indices", "indptr"):
            x.create_dataset(name, data=getattr(matrix, name), compression="gzip")
        for group, names in (("obs", cells), ("var", np.array(genes, object))):
            table = file.create_group(group)
            table.attrs.update({"encoding-type": "dataframe", "encoding-version": "0.2.0"})
            table.attrs["_index"], table.attrs["column-order"] = "_index", np.array([], "S1")
            index = table.create_dataset("_index", data=names.astype("S"))
            index.attrs.update({"encoding-type": "string-array", "encoding-version": "0.2.0"})


def _counts(values: np.ndarray) -> bool:
    """Whether all numbers are whole ones from 0 on."""
    if values.dtype.kind in "iub":
        return bool(len(values) == 0 or (values.min() >= 0 and values.max() <= LARGEST_COUNT))
    return bool(((values >= 0) & (values <= LARGEST_COUNT) & (values == np.round(values))).all())


def _kept(
    matrix: Any, genes: tuple[str, ...], options: Reading, where: str
) -> tuple[list[str], tuple[Note, ...]]:
    """Choose the genes: those of the training, or the most variable ones."""
    if options.genes:
        missing = [name for name in options.genes if name not in set(genes)]
        if missing:
            raise DataError(
                f"{where} lacks {len(missing)} of the {len(options.genes)} genes of the training, "
                f"such as {missing[0]!r}"
            )
        return list(options.genes), ()
    most = GENES if options.most_genes is None else options.most_genes
    score = _variability(matrix)
    order = np.argsort(-score, kind="stable")[: min(most, int((score > 0).sum()))]
    if not len(order):
        raise DataError(f"{where} holds no gene that varies")
    kept = [genes[i] for i in np.sort(order)]
    what = f"{len(kept):,} of {len(genes):,} genes kept, the most variable; --most-genes changes it"
    return kept, (Note(what),) if len(kept) < len(genes) else ()


def _variability(matrix: Any) -> np.ndarray:
    """Return the variance of each gene's Pearson residuals, 0 where it never varies, `(D,)`.

    Source: Lause, Berens & Kobak (2021), Genome Biology 22, 258, equations 3 to 5.
    Differs: by some thousand cells, evenly spaced.
    """
    some = matrix[:: max(1, matrix.shape[0] // LOOKED_AT)]
    depth = np.asarray(some.sum(axis=1)).ravel()
    share = np.asarray(some.sum(axis=0)).ravel() / max(1, depth.sum())
    score, bound = np.zeros(len(share)), np.sqrt(len(depth))
    for start in range(0, len(share), 1000):
        own = slice(start, start + 1000)
        mean = np.outer(depth, share[own]) + 1e-12
        residuals = (some[:, own].toarray() - mean) / np.sqrt(mean + mean**2 / SIZE)
        score[own] = np.clip(residuals, -bound, bound).var(axis=0)
    return np.where(share > 0, score, 0.0)


def _mtx(path: Path) -> Counts:
    """Read a matrix, and the lists of genes and cells beside it; genes are its rows, as of 10x."""
    try:
        matrix: Any = sparse.coo_array(io.mmread(path))
    except ValueError as error:
        raise DataError(f"cannot read {path.name!r}: {error}") from error
    genes, cells = _list(path, GENE_LISTS, 1), _list(path, CELL_LISTS, 0)
    if genes is None:
        genes = tuple(f"gene {i + 1}" for i in range(matrix.shape[0]))
    if (len(genes), len(cells or ())) == matrix.shape[::-1] and cells is not None:
        matrix = matrix.T
    if len(genes) != matrix.shape[0] or (cells is not None and len(cells) != matrix.shape[1]):
        raise DataError(
            f"{path.name!r} has {matrix.shape[0]} genes and {matrix.shape[1]} cells, the lists "
            f"beside it {len(genes)} and {len(cells or ())}"
        )
    return Counts(matrix.T, _apart(genes), cells)


def _list(path: Path, names: tuple[str, ...], column: int) -> tuple[str, ...] | None:
    """Read one column of the list beside a matrix: its last, where it has fewer."""
    for name in names:
        for file in (path.with_name(name), path.with_name(f"{name}.gz")):
            if file.is_file():
                text = file.read_bytes()
                text = gzip.decompress(text) if file.suffix == ".gz" else text
                fields = [line.split("\t") for line in text.decode("utf-8").splitlines()]
                return tuple(one[min(column, len(one) - 1)] for one in fields)
    return None


def _apart(names: tuple[str, ...]) -> tuple[str, ...]:
    """Number names that occur more than once, from the second on."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, -1) + 1
        found.append(f"{name}-{seen[name]}" if seen[name] else name)
    return tuple(found)


def _h5ad(path: Path, key: str | None) -> Counts:
    with _h5py().File(path, "r") as file:
        layers = [f"layers/{name}" for name in file.get("layers", ())]
        layers.sort(key=lambda name: name != "layers/counts")
        known = [name for name in ("X", *layers, "raw/X", "raw.X") if name in file]
        if key is not None and key not in known:
            raise UnknownNameError("matrix", key, known)
        for name in known if key is None else [key]:
            matrix = _matrix(file[name])
            if _counts(matrix.data):
                break
        else:
            raise DataError(
                f"{path.name!r} holds no raw counts, only other numbers in {', '.join(known)}; "
                "save the counts as .X or as a layer"
            )
        var = file["var" if name[:3] != "raw" else name.replace("X", "var")]
        genes, cells = _index(var), _index(file["obs"])
        return Counts(matrix, _apart(genes), cells, _about(file["obs"], file))


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("reading and writing .h5ad files", "h5py", "cells") from error
    return h5py


def _matrix(item: Any) -> Any:
    """Read a matrix, dense or in either order, as rows of cells."""
    if not hasattr(item, "keys"):
        return sparse.csr_array(item[()])
    kind = _text(item.attrs.get("encoding-type", item.attrs.get("h5sparse_format", "csr")))
    shape = tuple(item.attrs.get("shape", item.attrs.get("h5sparse_shape")))
    made = sparse.csc_array if kind.startswith("csc") else sparse.csr_array
    return sparse.csr_array(made(tuple(item[n][()] for n in ("data", "indices", "indptr")), shape))


def _index(table: Any) -> tuple[str, ...]:
    """Read the names of a table's rows, as written today or before 2020."""
    if hasattr(table, "keys"):
        return _texts(table[_text(table.attrs.get("_index", "index"))][()])
    return _texts(table[()][table.dtype.names[0]])


def _about(obs: Any, file: Any) -> dict[str, tuple[np.ndarray, tuple[str, ...]]]:
    """Read the columns of words about cells, as written today or before 2020."""
    found = {}
    if not hasattr(obs, "keys"):
        for name in obs.dtype.names:
            words = file.get(f"uns/{name}_categories")
            if words is not None:
                found[name] = obs[()][name].astype(np.int64), _texts(words[()])
    else:
        older = obs.get("__categories", {})
        for name, column in obs.items():
            if hasattr(column, "keys") and "categories" in column:
                found[name] = column["codes"][()].astype(np.int64), _texts(column["categories"][()])
            elif name in older:
                found[name] = column[()].astype(np.int64), _texts(older[name][()])
            elif not name.startswith("_") and column.dtype.kind in "OS":
                words, codes = np.unique(np.array(_texts(column[()])), return_inverse=True)
                found[name] = codes.astype(np.int64), tuple(words.tolist())
    return {name: one for name, one in found.items() if 2 <= len(one[1]) <= 1000}


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(_text(value) for value in values)


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
