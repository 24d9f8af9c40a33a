"""Counts of single cells: how likely are those held out, and do latents tell the kinds of cells?

Trained are VAEs of counts given their total, by law, on 700 blood cells of which 765 genes were
kept (10x Genomics, Zheng et al. 2017; CC BY 4.0), which the package scanpy brings. Its file holds
log1p of counts per ten thousand; the counts are whole numbers again after rounding, which is
checked. Beside the held-out bound, before and after the prior is refitted, stand the measures of
Lopez et al. (2018) for latents of all cells: silhouette (ASW) of the labelled kinds, and k-means
against them (ARI, NMI). What principal components of logarithms get is told for comparison.

    python benchmarks/cells.py [--epochs E] [--seeds S]
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import peers
import results
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    silhouette_score,
)

import lowerbound as lb
from lowerbound.applications import encode
from lowerbound.catalogue import assemble
from lowerbound.catalogue.refit import apply, refit
from lowerbound.data.read.cells import write_h5ad
from lowerbound.evaluation import evaluate

LAWS = ("negative-binomial", "zero-inflated-negative-binomial", "poisson")
FILE = ("scanpy==1.11.5", "scanpy/datasets/10x_pbmc68k_reduced.h5ad")


def main() -> None:
    """Train one model a law and seed, and write benchmarks/results/cells.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, help="the default of the recipe if none")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pbmc.h5ad"
        kinds = recover(path)
        data = lb.read(path)
        rows = [
            study(data, path, kinds, law, given.epochs, seed)
            for law in LAWS
            for seed in range(given.seeds)
        ]
        counts = lb.data.read_examples(path, data.schema)[0].load().x.numpy()
    share = counts / counts.sum(axis=1, keepdims=True)
    components = PCA(10, random_state=0).fit_transform(np.log1p(1e4 * share))
    record = {
        "cells": len(kinds),
        "genes": data.schema.dimensions,
        "unit": "nats of log p(x | total) per cell of the test part",
        "test_cells": len(data.test),
        "rows": rows,
        "ten principal components of logarithms": told_apart(components, kinds),
    }
    results.write("cells", record)


def recover(out: Path) -> np.ndarray:
    """Write the counts that a file of logarithms was made of; return the kinds of its cells."""
    with h5py.File(peers.file_of(*FILE)) as file:
        raw, obs = file["raw.X"], file["obs"][()]
        dense = np.zeros((len(obs), len(file["raw.var"])))
        rows = np.repeat(np.arange(len(obs)), np.diff(raw["indptr"][()]))
        dense[rows, raw["indices"][()]] = raw["data"][()]
        genes = tuple(name.decode() for name in file["raw.var"][()]["index"])
    counts = np.expm1(dense) * obs["n_counts"][:, None] / 1e4
    assert np.abs(counts - counts.round()).max() < 0.1, "these are not counts per ten thousand"
    write_h5ad(out, counts.round().astype(np.int32), genes, obs["index"].astype(str).astype(object))
    return obs["bulk_labels"]


def study(
    data: Any, path: Path, kinds: np.ndarray, law: str, epochs: int | None, seed: int
) -> dict[str, Any]:
    """Train under one law, and measure what is held out and what latents tell."""
    settings = {"likelihood": law} if epochs is None else {"likelihood": law, "epochs": epochs}
    began = time.process_time()
    made = assemble("count-vae", data.schema, settings, examples=len(data.train), seed=seed)
    fitted = lb.fit(made.model, made.objective, data, made.training, seed=seed)
    model = fitted.model
    trained = time.process_time() - began
    found = refit(model, data, made.refit, seed=seed)
    plain = evaluate(model, data, samples=100)
    better = plain if found is None else evaluate(apply(model, found), data, samples=100)
    z = encode(model, lb.data.read_examples(path, data.schema)[0]).mean.numpy()
    row = {
        "law": law,
        "seed": seed,
        "elbo": round(plain.elbo.mean, 2),
        "log_likelihood": round(plain.log_likelihood.mean, 2),
        "elbo, refitted": round(better.elbo.mean, 2),
        "log_likelihood, refitted": round(better.log_likelihood.mean, 2),
        "standard_error_over_cells": round(plain.log_likelihood.standard_error or 0.0, 2),
        **told_apart(z, kinds),
        "epochs": len(fitted.history),
        "cpu_seconds": round(trained, 1),
    }
    print(row, flush=True)
    return row


def told_apart(z: np.ndarray, kinds: np.ndarray) -> dict[str, float]:
    """Measure how well the labelled kinds are told from codes `(N, D)`."""
    found = KMeans(len(np.unique(kinds)), n_init=10, random_state=0).fit_predict(z)
    return {
        "silhouette": round(float(silhouette_score(z, kinds)), 3),
        "ari": round(float(adjusted_rand_score(kinds, found)), 3),
        "nmi": round(float(normalized_mutual_info_score(kinds, found)), 3),
    }


if __name__ == "__main__":
    main()
