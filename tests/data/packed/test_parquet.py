"""Parquet left on disk: by row groups, the same as in memory, and refused where it is not sound."""

import builtins
from pathlib import Path

import numpy as np
import pytest
import torch

from lowerbound.data import read
from lowerbound.data.stored import memory, window
from lowerbound.errors import DataError, MissingExtraError

pyarrow = pytest.importorskip("pyarrow")
import pyarrow.parquet as parquet  # noqa: E402


def write(path: Path, values: np.ndarray, rows: int = 30, **columns) -> Path:
    table = {f"c{i}": values[:, i] for i in range(values.shape[1])} | columns
    parquet.write_table(pyarrow.table(table), path, row_group_size=rows)
    return path


def same(one, other) -> None:
    assert other.stored and not one.stored
    assert one.schema.describe() == other.schema.describe()
    assert one.schema.columns == other.schema.columns
    assert one.split == other.split and one.notes == other.notes
    for part in ("validation", "test"):
        assert torch.equal(one.part(part).load().x, other.part(part).load().x)
    rows = [sorted(map(tuple, data.train.load().x.tolist())) for data in (one, other)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("dtype", ["f8", "f4", "i4", "?"])
def test_the_same_as_in_memory(tmp_path, numbers, dtype):
    values = (numbers > np.median(numbers, 0)) if dtype == "?" else numbers.astype(dtype)
    if dtype == "?":
        values = np.concatenate([values, values[::-1] ^ values], axis=1)
    path = write(tmp_path / "t.parquet", values)
    same(read(path, stream=False), read(path, stream=True))


def test_columns_that_never_vary_are_left_out(tmp_path, numbers):
    path = write(tmp_path / "t.parquet", numbers, still=np.full(len(numbers), 3))
    one, other = read(path, stream=False), read(path, stream=True)
    same(one, other)
    assert other.schema.constants[0].name == "still"


def test_a_folder_is_its_files_one_after_the_other(tmp_path, numbers):
    (tmp_path / "t").mkdir()
    for i in range(4):
        write(tmp_path / "t" / f"{i}.parquet", numbers[250 * i : 250 * (i + 1)])
    one, other = read(write(tmp_path / "t.parquet", numbers)), read(tmp_path / "t")
    same(one, other)


def test_every_row_comes_once_while_few_groups_are_open(tmp_path, numbers, monkeypatch):
    monkeypatch.setattr(window, "WINDOW_BYTES", 5 * 30 * 40)
    train = read(write(tmp_path / "t.parquet", numbers), stream=True).train
    found = torch.cat([batch.x for batch in train.batches(64)])
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, train.load().x.tolist()))


def test_row_groups_too_large_to_mix_are_refused(tmp_path, numbers, monkeypatch):
    monkeypatch.setattr(window, "WINDOW_BYTES", 3 * 100 * 40)
    train = read(write(tmp_path / "t.parquet", numbers, 100), stream=True).train
    with pytest.raises(DataError, match=r"too large to mix 4 of them.*lowerbound data pack"):
        train.batches(64)


def test_it_is_left_on_disk_by_itself_when_it_is_large(tmp_path, numbers, monkeypatch):
    path = write(tmp_path / "t.parquet", numbers)
    assert not read(path).stored
    monkeypatch.setattr(memory, "available", lambda: 100_000)
    assert read(path).stored


def test_unsound_files_are_refused(tmp_path, numbers):
    (tmp_path / "t").mkdir()
    write(tmp_path / "t" / "0.parquet", numbers)
    path = tmp_path / "t" / "1.parquet"
    parquet.write_table(pyarrow.table({"c0": numbers[:, 0], "other": numbers[:, 1]}), path)
    with pytest.raises(DataError, match=r"'1.parquet' has the columns c0, other, '0.parquet' has"):
        read(tmp_path / "t")
    parquet.write_table(pyarrow.table({"a": ["x", "y"]}), path)
    with pytest.raises(DataError, match=r"column 'a' of '1.parquet' is not numeric: it holds st"):
        read(path, stream=True)
    holes = pyarrow.table({"a": pyarrow.array([1.0, None] * 20)})
    parquet.write_table(holes, path)
    with pytest.raises(DataError, match="missing"):
        read(path, stream=True)
    whole = write(path, numbers).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cannot read '1.parquet' as Parquet.*write it again"):
        read(path, stream=True)


def test_a_file_that_changes_is_noticed(tmp_path, numbers):
    path = write(tmp_path / "t.parquet", numbers)
    train = read(path, stream=True).train
    write(path, numbers + 1)
    with pytest.raises(DataError, match="was changed while it was being read"):
        list(train.batches(50))


def test_without_pyarrow_the_extra_is_named(tmp_path, numbers, monkeypatch):
    path, plain = write(tmp_path / "t.parquet", numbers), builtins.__import__

    def absent(name, *rest):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return plain(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtraError, match=r"lowerbound\[parquet\]"):
        read(path, stream=True)
