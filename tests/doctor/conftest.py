"""Runs made ill on purpose, and healthy ones, each trained once and for seconds."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lowerbound as lb
from lowerbound.catalogue.assemble import assemble
from lowerbound.data import Data, Examples
from lowerbound.doctor import Examination, examine
from lowerbound.runs.load import spec_of
from lowerbound.runs.writer import save

SMALL = {"hidden": [32, 32], "batch_size": 64, "learning_rate": 0.02, "patience": 30}

SLOWLY = {"batch_size": 32, "learning_rate": 0.005}
#: Epochs, batches and rate as the program chooses them itself.
AS_CHOSEN = {"hidden": [128, 128]}


def factors(rows=400, columns=8, factors=2, noise=0.5, seed=0) -> np.ndarray:
    """Rows of a linear factor model: something for latents to explain."""
    generator = np.random.default_rng(seed)
    loadings = generator.normal(size=(factors, columns))
    signal = generator.normal(size=(rows, factors)) @ loadings
    return signal + noise * generator.normal(size=(rows, columns))


def digits(rows: int = 1797, binary: bool = False) -> np.ndarray:
    """The first handwritten digits of 8 x 8 grey levels."""
    from sklearn.datasets import load_digits

    images = load_digits()["images"][:rows].astype(np.int16)
    return (images > 8).astype(np.int16) if binary else images


def table(seed: int) -> np.ndarray:
    """Columns of a joint law with curved dependence, in different units."""
    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=(2, 600))
    columns = [a, a**2 + 0.5 * generator.normal(size=600), b, np.sin(2 * b), a + b]
    columns = np.stack(columns, axis=1) + 0.3 * generator.normal(size=(600, 5))
    return columns * np.array([1.0, 10.0, 0.1, 2.0, 300.0])


def near_copies() -> np.ndarray:
    """Every fourth row once more, remeasured."""
    x = factors()
    again = x[::4] + 1e-3 * np.random.default_rng(1).normal(size=x[::4].shape)
    return np.concatenate([x, again])


def constant_in_training(data: Data) -> Data:
    """A column that varies on held-out examples alone."""
    x = data.train.x.clone()
    x[:, 0] = 1.0
    return replace(data, train=Examples(x))


def counts() -> np.ndarray:
    rates = np.exp(factors(columns=5, noise=0.1) / 2).clip(max=5)
    return np.random.default_rng(2).poisson(rates).clip(max=9).astype(np.float64)


def classes() -> np.ndarray:
    """Indicators of four classes beside real columns."""
    x = factors(columns=4)
    return np.concatenate([x, np.eye(4)[(x[:, :2] > 0) @ [1, 2]]], axis=1)


def with_copy() -> np.ndarray:
    x = factors(columns=5)
    return np.concatenate([x, 3 - 2 * x[:, :1]], axis=1)


#: Data, recipe, settings.
RUNS: dict[str, tuple[Callable[[], np.ndarray], str, dict[str, Any]]] = {
    # ill
    "collapsed": (factors, "beta-vae", {"beta": 100.0, "epochs": 12}),
    "too many units": (factors, "vae", {"latents": 24, "epochs": 120}),
    "rate for nothing": (factors, "beta-vae", {"beta": 0.0, "epochs": 50}),
    "scale fixed": (factors, "vae", {"scale": "fixed", "sigma": 1.5, "epochs": 25}),
    "copied column": (with_copy, "vae", {"epochs": 20}),
    "constant column": (factors, "vae", {"epochs": 15}),
    "overfit": (
        lambda: factors(120, 20, 4, 1.0),
        "vae",
        {
            "hidden": [128, 128],
            "batch_size": 16,
            "epochs": 100,
            "learning_rate": 0.01,
            "patience": None,
        },
    ),
    "one epoch": (factors, "vae", {"epochs": 1}),
    "few epochs": (factors, "vae", {"epochs": 12}),
    "spiky": (
        factors,
        "vae",
        {"epochs": 20, "learning_rate": 0.3, "final_rate": 1.0, "clip": None, "average": None},
    ),
    "whole numbers": (counts, "vae", {"epochs": 20}),
    "classes as numbers": (classes, "vae", {"epochs": 40}),
    "grey levels as floats": (lambda: digits(300)[:, None] / 16, "vae", {"epochs": 5}),
    "leaking": (near_copies, "vae", {"epochs": 5}),
    # healthy
    "digits": (digits, "vae", AS_CHOSEN),
    "binary": (lambda: digits(binary=True), "auto", AS_CHOSEN),
    "gaussian": (factors, "auto", {"epochs": 60}),
    "table": (lambda: table(0), "iwae", {"epochs": 120}),
    "weighted": (
        lambda: factors(600, 10, 3, 0.5, 1),
        "beta-vae",
        {"beta": 2.0, "epochs": 150, **SLOWLY},
    ),
}
CHANGED: dict[str, Callable[[Data], Data]] = {"constant column": constant_in_training}


def trained(folder: Path, name: str, seed: int = 0) -> tuple[Path, Data]:
    """Train and save one of the runs; where it is, and its data."""
    values, recipe, settings = RUNS[name]
    place, out = folder / f"{name}.npy", folder / f"{name}-{seed}"
    np.save(place, values())
    data = CHANGED.get(name, lambda data: data)(lb.read(place))
    chosen = settings if settings is AS_CHOSEN else SMALL | settings
    assembly = assemble(recipe, data.schema, chosen, examples=len(data.train), seed=seed)
    fit = lb.fit(assembly.model, assembly.objective, data, assembly.training, seed=seed)
    save(out, spec_of(assembly, data, seed, location=str(place)), fit)
    return out, data


@pytest.fixture(scope="session")
def ill_or_healthy(tmp_path_factory) -> Callable[[str], tuple[Path, Data]]:
    """A run by name, trained when it is first asked for, and its data."""
    folder = tmp_path_factory.mktemp("doctor")
    return cache(lambda name: trained(folder, name))


@pytest.fixture(scope="session")
def examined(ill_or_healthy) -> Callable[[str], Examination]:
    """What the doctor says of a run by name."""

    @cache
    def found(name: str) -> Examination:
        path, data = ill_or_healthy(name)
        return examine(path, data if name in CHANGED else None)

    return found
