"""Counts of single cells: how likely are those held out, and do latents tell the kinds of cells?

Trained are VAEs of counts given their total, by law, on 700 blood cells of which 765 genes were
kept (10x Genomics, Zheng et al. 2017; CC BY 4.0), which the package scanpy brings. Its file holds
log1p of counts per ten thousand; the counts are whole numbers again after rounding, which is
checked. Beside the held-out bound stand the measures of Lopez et al. (2018) for latents of all
cells: silhouette (ASW) of the labelled kinds, and k-means against them (ARI, NMI).

    pip install --no-deps scanpy h5py     # or unzip its wheel
    python benchmarks/cells.py --cells scanpy/datasets/10x_pbmc68k_reduced.h5ad
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import results
from sklearn.cluster import KMeans
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    silhouette_score,
)

import lowerbound as lb
from lowerbound.applications import encode
from lowerbound.catalogue import assemble
from lowerbound.data.read.cells import write_h5ad
from lowerbound.evaluation import evaluate
from lowerbound.training import fit

LAWS = ("negative-binomial", "zero-inflated-negative-binomial", "poisson")


def main() -> None:
    """Train one model a law, and write benchmarks/results/cells.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", required=True)
    parser.add_argument("--epochs", type=int, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pbmc.h5ad"
        kinds = recover(Path(given.cells), path)
        data = lb.read(path)
        rows = {law: study(data, path, kinds, law, given.epochs) for law in LAWS}
    results.write("cells", {"cells": len(kinds), "genes": data.schema.dimensions, "laws": rows})


def recover(source: Path, out: Path) -> np.ndarray:
    """Write the counts that a file of logarithms was made of; return the kinds of its cells."""
    with h5py.File(source) as file:
        raw, obs = file["raw.X"], file["obs"][()]
        dense = np.zeros((len(obs), len(file["raw.var"])))
        rows = np.repeat(np.arange(len(obs)), np.diff(raw["indptr"][()]))
        dense[rows, raw["indices"][()]] = raw["data"][()]
        genes = tuple(name.decode() for name in file["raw.var"][()]["index"])
    counts = np.expm1(dense) * obs["n_counts"][:, None] / 1e4
    assert np.abs(counts - counts.round()).max() < 0.1, "these are not counts per ten thousand"
    write_h5ad(out, counts.round().astype(np.int32), genes, obs["index"].astype(str).astype(object))
    return obs["bulk_labels"]


def study(data: Any, path: Path, kinds: np.ndarray, law: str, epochs: int) -> dict[str, float]:
    """Train under one law, and measure what is held out and what latents tell."""
    settings = {"likelihood": law, "epochs": epochs}
    made = assemble("count-vae", data.schema, settings, examples=len(data.train), seed=0)
    fitted = fit(made.model, made.objective, data, replace(made.training, patience=None), seed=0)
    told = evaluate(made.model, data, samples=100)
    z = encode(made.model, lb.data.read_examples(path, data.schema)[0]).mean.numpy()
    found = KMeans(len(np.unique(kinds)), n_init=10, random_state=0).fit_predict(z)
    row = {
        "log_likelihood": round(told.log_likelihood.mean, 2),
        "standard_error": round(told.log_likelihood.standard_error or 0.0, 2),
        "elbo": round(told.elbo.mean, 2),
        "silhouette": round(float(silhouette_score(z, kinds)), 3),
        "ari": round(float(adjusted_rand_score(kinds, found)), 3),
        "nmi": round(float(normalized_mutual_info_score(kinds, found)), 3),
        "seconds": round(fitted.history[-1].seconds, 1),
    }
    print(law, row)
    return row


if __name__ == "__main__":
    main()
