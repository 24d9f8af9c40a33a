"""Counts of single cells: what files hold, by name, sparse until a batch, with their totals."""

import gzip
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import io, sparse

import lowerbound as lb
from lowerbound.core import UNTOLD
from lowerbound.data import Data, condition_codes, read_examples
from lowerbound.data.packed.examples import StoredExamples
from lowerbound.data.read.cells import write_h5ad
from lowerbound.errors import DataError, MissingExtraError, SettingError, UnknownNameError

GENES = tuple(f"G{i}" for i in range(12))
BATCHES = ("first", "second", "third")


def counts_of(cells=60, seed=0):
    rng = np.random.default_rng(seed)
    return rng.poisson(rng.gamma(1.0, 2.0, (cells, 12)) + 0.2).astype(np.int32)


def as_10x(folder, counts, genes=GENES):
    folder.mkdir()
    with gzip.open(folder / "matrix.mtx.gz", "wb") as file:
        io.mmwrite(file, sparse.coo_array(counts.T))
    with gzip.open(folder / "features.tsv.gz", "wt") as file:
        file.writelines(f"ENS{i}\t{name}\tGene Expression\n" for i, name in enumerate(genes))
    (folder / "barcodes.tsv").write_text("".join(f"AC{i}\n" for i in range(len(counts))))
    return folder


def as_h5ad(path, counts, genes=GENES, batch=None):
    h5py = pytest.importorskip("h5py")
    write_h5ad(path, counts, genes, np.array([f"c{i}" for i in range(len(counts))], object))
    if batch is not None:
        with h5py.File(path, "a") as file:
            group = file["obs"].create_group("batch")
            group["codes"], group["categories"] = batch, np.array(BATCHES, "S")
    return path


@pytest.fixture
def folder(tmp_path):
    return as_10x(tmp_path / "10x", counts_of())


def every(data: Data):
    parts = [part.load() for part in (data.train, data.validation, data.test)]
    rows = {n: r for part in parts for n, r in zip(part.row_names, part.x.tolist(), strict=True)}
    return np.array([rows[f"AC{i}"] for i in range(len(rows))])


def test_a_10x_folder_has_cells_in_rows_and_genes_by_name(folder):
    data = lb.read(folder)
    assert data.schema.is_cells and data.schema.reading.genes == GENES
    assert (every(data) == counts_of()).all()
    assert data.schema.describe() == "counts of 12 genes in single cells"


def test_counts_stay_sparse_until_a_batch_which_is_told_its_totals(folder):
    data = lb.read(folder)
    assert isinstance(data.train, StoredExamples)
    assert sparse.issparse(data.train.raw.rows.matrix)
    for batch in (*data.train.batches(16), data.test.batch(slice(0, 3))):
        assert torch.equal(batch.condition[:, 0], batch.x.sum(dim=1))
    seen = torch.cat([batch.x for batch in data.train.batches(7)])
    assert sorted(map(tuple, seen.tolist())) == sorted(map(tuple, data.train.load().x.tolist()))


def test_totals_are_measured_on_the_training_part(folder):
    data = lb.read(folder)
    (total,) = data.schema.told
    logs = data.train.load().x.sum(dim=1).double().log()
    assert total.mean[0] == pytest.approx(float(logs.mean()))
    assert total.scale[0] == pytest.approx(float(logs.std(correction=0)))


def test_totals_that_are_not_told_are_drawn(folder):
    schema = lb.read(folder).schema
    codes = condition_codes(None, schema, 4000, seed=0)[:, 0].double()
    (total,) = schema.told
    # 4.9 standard errors; rounding to whole numbers moves the mean of logs by less than one more
    assert abs(float(codes.log().mean()) - total.mean[0]) < 4.9 * total.scale[0] / 4000**0.5 + 1e-3
    assert condition_codes("total=40", schema, 2).tolist() == [[40], [40]]
    with pytest.raises(SettingError, match="total is a whole number"):
        condition_codes("total=-3", schema, 2)


def test_genes_of_new_cells_are_matched_by_name(folder, tmp_path):
    schema, order = lb.read(folder).schema, np.random.default_rng(1).permutation(12)
    counts = counts_of(5, seed=2)
    names = (*(GENES[i] for i in order), "more")
    wide = np.concatenate([counts[:, order], np.full((5, 1), 9)], axis=1)
    found, _ = read_examples(as_10x(tmp_path / "new", wide, names), schema)
    assert (found.load().x.numpy() == counts).all()
    assert (found.batch(slice(0, 5)).condition[:, 0].numpy() == counts.sum(axis=1)).all()
    with pytest.raises(DataError, match="lacks 1 of the 12 genes of the training, such as 'G0'"):
        read_examples(as_10x(tmp_path / "less", counts[:, 1:], GENES[1:]), schema)


def test_an_array_of_counts_is_told_its_own_totals(folder):
    found, _ = read_examples(counts_of(5, seed=2), lb.read(folder).schema)
    totals = found.batch(slice(0, 5)).condition[:, 0]
    assert (totals.numpy() == counts_of(5, seed=2).sum(axis=1)).all()


def test_the_most_variable_genes_are_kept(tmp_path):
    rng = np.random.default_rng(0)
    counts = rng.poisson(5.0, (400, 12))
    counts[:200, [3, 8]] *= 4  # two kinds of cells
    data = lb.read(as_10x(tmp_path / "10x", counts), most_genes=2)
    assert data.schema.reading.genes == ("G3", "G8")
    assert any("2 of 12 genes kept" in str(note) for note in data.notes)


def test_h5ad_comes_back_as_written_and_a_column_is_told(tmp_path):
    counts, batch = counts_of(), np.arange(60) % 3
    path = as_h5ad(tmp_path / "a.h5ad", counts, batch=batch)
    data = lb.read(path, condition="batch")
    assert [field.name for field in data.schema.told] == ["batch", "total"]
    test = data.test.load()
    rows = [int(name[1:]) for name in test.row_names]
    assert (test.x.numpy() == counts[rows]).all()
    assert (test.condition.numpy() == np.stack([batch, counts.sum(axis=1)], axis=1)[rows]).all()
    with pytest.raises(UnknownNameError, match="column about cells"):
        lb.read(path, condition="btach")


def test_a_batch_that_training_never_saw_is_not_told(tmp_path):
    schema = lb.read(as_h5ad(tmp_path / "a.h5ad", counts_of(), batch=np.arange(60) % 3),
                     condition="batch").schema  # fmt: skip
    seen = tuple(replace(f, categories=("third", "x", "y")) if f.name == "batch" else f
                 for f in schema.fields)  # fmt: skip
    found, _ = read_examples(tmp_path / "a.h5ad", replace(schema, fields=seen))
    codes = found.batch(slice(0, 3)).condition[:, 0]
    assert codes.tolist() == [UNTOLD, UNTOLD, 0]


def test_counts_in_a_layer_are_found_and_fractions_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = as_h5ad(tmp_path / "a.h5ad", counts_of() / 3)
    with pytest.raises(DataError, match="holds no raw counts, only other numbers in X"):
        lb.read(path)
    with h5py.File(path, "a") as file:
        file.create_dataset("layers/counts", data=counts_of().astype(float))
    assert lb.read(path).schema.is_cells
    with pytest.raises(DataError, match="holds no raw counts, only other numbers in X"):
        lb.read(f"{path}#X")


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    (tmp_path / "a.h5ad").write_bytes(b"\x89HDF")
    with pytest.raises(MissingExtraError, match=r"pip install 'lowerbound\[cells\]'"):
        lb.read(tmp_path / "a.h5ad")
