"""Single cells by the command line: trained, taken up, encoded, denoised, drawn, judged."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import io, sparse

import lowerbound as lb
from lowerbound.cli import main

GENES = 20


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells") / "10x"
    folder.mkdir()
    rng = np.random.default_rng(0)
    kinds = rng.gamma(0.5, 20.0, (2, GENES))
    counts = rng.poisson(kinds[rng.integers(0, 2, 80)])
    io.mmwrite(folder / "matrix.mtx", sparse.coo_array(counts.T))
    (folder / "genes.tsv").write_text("".join(f"ENS{i}\tG{i}\n" for i in range(GENES)))
    (folder / "barcodes.tsv").write_text("".join(f"AC{i}\n" for i in range(80)))
    run = folder.parent / "run"
    tiny = ["--epochs", "2", "--set", "hidden=8", "--set", "prior=mixture"]
    assert main(["fit", str(folder), "--out", str(run), "--quiet", *tiny]) == 0
    return folder, run


def test_the_run_is_of_the_recipe_of_counts_and_goes_on(lowerbound, cells):
    _, run = cells
    spec = json.loads((run / "spec.json").read_text())
    assert spec["recipe"] == "count-vae"
    assert (run / "report.html").is_file()
    assert lowerbound("fit", "--resume", run, "--epochs", 3, "--quiet").code == 0


def test_latents_carry_barcodes_and_components(lowerbound, cells):
    folder, run = cells
    done = lowerbound("encode", run, folder, "--out", "z.csv", "--clusters")
    assert done.code == 0 and "components in use" in done.err + done.out
    head, first, *_ = Path("z.csv").read_text().splitlines()
    assert head.startswith("cell,z0,z1") and head.endswith("component,chance")
    assert first.startswith("AC0,")


def test_denoised_means_sum_to_the_totals_and_drawn_cells_are_counts(lowerbound, cells):
    folder, run = cells
    assert lowerbound("reconstruct", run, folder, "--out", "means.npy").code == 0
    counts = io.mmread(folder / "matrix.mtx").toarray().T
    assert np.allclose(np.load("means.npy").sum(axis=1), counts.sum(axis=1), rtol=1e-4)
    done = lowerbound("generate", run, "--count", 50, "--condition", "total=500", "--out", "x.npy")
    x = np.load("x.npy")
    assert done.code == 0 and x.dtype.kind == "i" and 300 < x.sum(axis=1).mean() < 700
    assert lowerbound("generate", run, "--count", 5, "--out", "x.csv").code == 0
    assert Path("x.csv").read_text().startswith("G0,G1,")


def test_odd_cells_are_found_and_other_cells_judged(lowerbound, cells):
    folder, run = cells
    assert lowerbound("anomalies", run, folder).code == 0
    found = lowerbound("evaluate", run, "--data", folder, "--samples", 5, "--json")
    assert found.code == 0 and json.loads(found.out)["log_likelihood"]["mean"] < 0


def test_h5ad_is_written_and_read_again(lowerbound, cells):
    pytest.importorskip("h5py")
    _, run = cells
    assert lowerbound("generate", run, "--count", 30, "--out", "new.h5ad").code == 0
    assert lb.read("new.h5ad").schema.is_cells
    assert lowerbound("encode", run, "new.h5ad", "--out", "z.npy").code == 0
