"""A small stand-in for MNIST, and an entry that is trained on it in a second."""

import dataclasses

import numpy as np
import pytest

from lowerbound.data import Data, Raw, build
from lowerbound.data.rows import ArrayRows
from lowerbound.reproduce import Entry, entry_named


@pytest.fixture
def data() -> Data:
    generator = np.random.default_rng(0)
    levels = generator.integers(0, 256, (80, 28, 28)).astype(np.uint8)
    levels[:, :14] = 0
    part = np.repeat([0, 1, 2], [48, 8, 24]).astype(np.int8)
    return build(Raw("small", ArrayRows(levels), part=part), binarize="dynamic")


@pytest.fixture
def entry() -> Entry:
    whole = entry_named("burda-iwae-5-dynamic")
    model = {**whole.model, "hidden": (8,), "latents": 2}
    training = {**whole.training, "epochs": 4, "batch_size": 16}
    return dataclasses.replace(whole, model=model, training=training, samples=200)
