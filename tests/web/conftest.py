"""Runs that the tests of the web share: models of small data, as they are before training."""

from pathlib import Path

import numpy as np
import pyarrow
import pytest

from lowerbound.catalogue import assemble
from lowerbound.data import read
from lowerbound.runs import Run, Spec
from lowerbound.web.explorer import Explorer


def _vectors(rng):
    return rng.normal(size=(60, 3)), {}


def _images(rng):
    x = np.zeros((80, 1, 8, 8), np.uint8)
    for one, (row, column) in zip(x, rng.integers(0, 5, (80, 2)), strict=True):
        one[0, row : row + 4, column : column + 4] = 200
    return x, {}


def _table(rng):
    sizes = rng.normal(10, 2, 80).round(2)
    days = np.datetime64("2020-01-01") + rng.integers(0, 900, 80)
    return pyarrow.table({
        "kind": [("oak", "elm", "ash")[code] for code in rng.integers(0, 3, 80)],
        "size": [None if rng.random() < 0.2 else size for size in sizes.tolist()],
        "planted": [str(day) for day in days],
    }), {}  # fmt: skip


def _texts(rng):
    words = ["red", "blue", "häuser", "cat"]
    return [" ".join(words[code] for code in row) for row in rng.integers(0, 4, (80, 3))], {}


def _series(rng):
    phase = rng.random((80, 1, 1)) * 6
    return np.sin(np.arange(12)[None, :, None] / 2 + phase), {"axes": "tc"}


def _tunes(rng):
    rolls = np.zeros((80, 32, 128), np.uint8)
    for roll in rolls:
        roll[
            np.arange(32), 60 + rng.integers(0, 8) + np.arange(32) // 4 * rng.integers(1, 5) % 7
        ] = 1
    return rolls, {"axes": "roll"}


def made(make, recipe="auto", **settings):
    """Return a run on some data, untrained, and its test examples."""
    source, options = make(np.random.default_rng(0))
    data = read(source, **options)
    one = assemble(recipe, data.schema, settings, examples=len(data.train), seed=0)
    spec = Spec(
        recipe=one.recipe.name, settings=one.settings, training={}, schema=data.schema,
        data={}, seed=0,
    )  # fmt: skip
    return Run(Path("run"), one.model.eval(), one.objective, data.schema, spec, ()), data.test


@pytest.fixture(scope="session")
def run():
    """A run on vectors of three numbers, of two latent units."""
    return made(_vectors, latents=2)[0]


class Lazily(dict):
    """A table whose values are made when they are first asked for."""

    def __init__(self, make):
        self.make = make

    def __missing__(self, key):
        self[key] = self.make(key)
        return self[key]


KINDS = {
    "image": lambda: made(_images, latents=4),
    "row": lambda: made(_table, latents=2),
    "text": lambda: made(_texts, "text-vae", hidden=16),
    "tune": lambda: made(_tunes, "music-vae", hidden=16, latents=3),
    "series": lambda: made(_series, latents=2),
    "vector": lambda: made(_vectors, latents=2),
}


@pytest.fixture(scope="session")
def shown():
    """Runs with their test examples, by the kind of the data."""
    return Lazily(lambda kind: KINDS[kind]())


@pytest.fixture(scope="session")
def explorers(shown):
    """Explorers of these runs, likewise."""
    return Lazily(lambda kind: Explorer(*shown[kind]))
