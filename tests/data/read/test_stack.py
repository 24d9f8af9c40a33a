"""Folders of arrays and tables: a file is an example, or holds rows."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from lowerbound.data.raw import Raw
from lowerbound.data.read.source import open_source
from lowerbound.data.reading import reading
from lowerbound.errors import DataError

rng = np.random.default_rng(0)
SCANS = rng.normal(size=(20, 9, 8)).astype(np.float32)


def opened(path: Path, **told: object) -> Raw:
    return open_source(path, reading(**told))


def said(raw: Raw) -> str:
    return "; ".join(str(note) for note in raw.notes)


def save(folder: Path, arrays) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, array in enumerate(arrays):
        np.save(folder / f"s{i:02}.npy", array)


def tables(folder: Path, arrays, header: str = "a,b,c") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, array in enumerate(arrays):
        lines = [header, *(",".join(map(repr, map(float, row))) for row in array)]
        (folder / f"w{i:02}.csv").write_text("\n".join(lines) + "\n")


def test_arrays_of_one_shape_are_an_example_each(tmp_path: Path):
    save(tmp_path / "x", SCANS)
    (tmp_path / "x" / "notes.txt").write_text("hello")
    raw = opened(tmp_path / "x")
    assert (raw.values[:, 0] == SCANS).all()
    assert raw.row_names == tuple(f"s{i:02}.npy" for i in range(20))
    assert "20 files of shape (9, 8): each is one example; --files rows" in said(raw)
    assert "1 file skipped: not arrays (notes.txt)" in said(raw)
    rows = opened(tmp_path / "x", files="rows")
    assert (rows.values == SCANS.reshape(-1, 8)).all()
    assert rows.row_names is not None
    assert rows.row_names[10] == "s01.npy#2"


def test_a_zip_of_arrays_and_sub_folders_as_classes(tmp_path: Path):
    save(tmp_path / "x" / "sick", SCANS[:8])
    save(tmp_path / "x" / "well", SCANS[8:])
    shutil.make_archive(str(tmp_path / "x"), "zip", tmp_path / "x")
    raw = opened(tmp_path / "x.zip")
    assert (raw.values[:, 0] == SCANS).all()
    assert raw.label_names == ("sick", "well")
    assert raw.label is not None
    assert raw.label.tolist() == [0] * 8 + [1] * 12


def test_vectors_are_examples(tmp_path: Path):
    save(tmp_path / "x", SCANS[:, 0])
    raw = opened(tmp_path / "x")
    assert (raw.values == SCANS[:, 0]).all()


def test_arrays_of_other_lengths_hold_rows(tmp_path: Path):
    save(tmp_path / "x", (SCANS[0], SCANS[1, :4], SCANS[2, :7]))
    raw = opened(tmp_path / "x")
    assert (raw.values == np.concatenate([SCANS[0], SCANS[1, :4], SCANS[2, :7]])).all()
    assert raw.row_names is not None
    assert raw.row_names[9] == "s01.npy#1"
    assert "their rows are the examples" in said(raw)
    with pytest.raises(DataError, match=r"have the shapes"):
        opened(tmp_path / "x", files="examples")


def test_arrays_of_other_shapes_are_refused(tmp_path: Path):
    save(tmp_path / "x", (SCANS[0], SCANS[1, :, :3]))
    with pytest.raises(DataError, match=r"have the shapes .* give them one shape"):
        opened(tmp_path / "x")
    (tmp_path / "x" / "s00.npy").write_bytes(b"\x80nothing")
    with pytest.raises(DataError, match=r"'s00.npy' holds pickled"):
        opened(tmp_path / "x")


WINDOWS = np.round(rng.normal(size=(12, 24, 3)), 3)


def test_tables_of_one_length_are_series(tmp_path: Path):
    tables(tmp_path / "x", WINDOWS)
    raw = opened(tmp_path / "x")
    assert raw.rows.shape == (24, 3)
    assert (raw.values == WINDOWS).all()
    assert raw.row_names is not None
    assert raw.row_names[3] == "w03.csv"
    assert "--files rows" in said(raw)
    assert "their channels: a, b, c" in said(raw)
    rows = opened(tmp_path / "x", files="rows")
    assert rows.names == ("a", "b", "c")
    assert (rows.values == WINDOWS.reshape(-1, 3)).all()


def test_tables_of_other_lengths_are_one_table_decided_once(tmp_path: Path):
    """A column of whole numbers in one file and of words in another is one of words."""
    (tmp_path / "a.csv").write_text("x,shop\n1.5,7\n2.5,8\n3.5,7\n")
    (tmp_path / "b.csv").write_text("shop,x\nweb,1\n7,2\nweb,9\nweb,4\nold,5\nnew,3\n")
    raw = opened(tmp_path)
    assert raw.names == ("x", "shop")
    assert raw.values[:, 0].tolist() == [1.5, 2.5, 3.5, 1, 2, 9, 4, 5, 3]
    assert raw.table is not None
    assert raw.table[1].categories == ("7", "8", "new", "old", "web")
    assert raw.row_names is not None
    assert raw.row_names[3] == "b.csv#1"


def test_tables_of_other_columns_are_refused(tmp_path: Path):
    tables(tmp_path, WINDOWS[:2])
    (tmp_path / "z.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"'z.csv' has other columns than 'w00.csv'"):
        opened(tmp_path)


def test_a_folder_of_one_table_is_that_table(tmp_path: Path):
    tables(tmp_path, WINDOWS[:1])
    raw = opened(tmp_path)
    assert raw.names == ("a", "b", "c")
    assert raw.row_names is None
