"""The numbers behind the diagnoses, against known answers."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy import stats

import lowerbound as lb
from lowerbound.doctor.gather import some
from lowerbound.doctor.gather.belief import independent_cells
from lowerbound.doctor.gather.cells import grid_of, structure_of
from lowerbound.doctor.gather.neighbours import neighbours_of


def read(x: np.ndarray):
    return lb.read(torch.from_numpy(x))


def test_independent_gaussians_are_those_of_scipy() -> None:
    x = np.random.default_rng(0).normal(3, 2, size=(200, 4))
    data = read(x)
    (found,) = independent_cells(data.schema, data.train, data.test)
    train, test = data.train.x.numpy(), data.test.x.numpy()
    expected = stats.norm(train.mean(0), train.std(0)).logpdf(test).sum(axis=1)
    np.testing.assert_allclose(found.numpy(), expected)


def test_independent_histograms_sum_to_one_and_count() -> None:
    data = read(np.random.default_rng(0).integers(0, 2, size=(400, 6)))
    every = torch.tensor(list(product((0, 1), repeat=6)), dtype=torch.uint8)
    every = lb.data.Examples(every)
    (found,) = independent_cells(data.schema, data.train, every)
    assert float(found.exp().sum()) == pytest.approx(1.0)
    share = data.train.x.double().mean(dim=0)
    assert float(found[-1]) == pytest.approx(float(share.log().sum()), abs=0.01)


def test_structure_is_standard_normal_without_dependence_and_large_with_it() -> None:
    generator = np.random.default_rng(0)
    scores = []
    for _ in range(200):
        found = structure_of(read(generator.exponential(size=(60, 10))))
        assert found is not None
        scores.append(found.score)
    # mean 0 within 4.9 standard errors of 200 draws; a score of 0.7 too much would be seen
    assert abs(np.mean(scores)) < 4.9 * np.std(scores) / math.sqrt(200) < 0.7
    assert np.std(scores) < 2
    common = generator.normal(size=(60, 1)) + generator.normal(size=(60, 10))
    found = structure_of(read(common))
    assert found is not None and found.score > 20
    assert found.correlation == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("columns", [1, 2, 5, 40])
@pytest.mark.parametrize("law", ["normal", "lognormal", "clusters"])
def test_ordinary_rows_are_no_copies(columns: int, law: str) -> None:
    generator = np.random.default_rng(columns)
    x = generator.normal(size=(2000, columns))
    if law == "lognormal":
        x = np.exp(2 * x)
    if law == "clusters":
        x = 0.02 * x + generator.integers(0, 5, size=(2000, columns)) * 1.0
    found = neighbours_of(read(x))
    assert found is not None
    assert found.copies <= max(2, found.chance + 4.9 * math.sqrt(found.chance))


@pytest.mark.parametrize("columns", [2, 5, 40])
@pytest.mark.parametrize("share", [0.2, 1.0])
def test_near_copies_are_counted(columns: int, share: float) -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(1000, columns))
    again = x[: int(share * 1000)] + 1e-4 * generator.normal(size=(int(share * 1000), columns))
    found = neighbours_of(read(np.concatenate([x, again])))
    assert found is not None
    # of 2 share / (1 + share) rows with a copy, four fifths have it in the training split
    expected = found.held_out * 0.8 * 2 * share / (1 + share)
    assert found.copies == pytest.approx(expected, abs=4.9 * math.sqrt(expected) + 1)


def test_a_grid_is_seen_and_reals_are_none() -> None:
    generator = np.random.default_rng(0)
    bytes_ = generator.integers(0, 256, size=(200, 6, 6))
    grid = grid_of(read((bytes_ / 255).astype(np.float32)[:, None]))
    assert grid is not None and grid.levels == 256 and grid.step == pytest.approx(1 / 255, rel=2e-3)
    whole = grid_of(read(generator.poisson(3, size=(300, 5)).astype(float)))
    assert whole is not None and whole.step == 1
    assert grid_of(read(generator.normal(size=(300, 5)))) is None
    assert grid_of(read(generator.normal(size=(300, 5)).round(1))) is None
    assert grid_of(read(bytes_)) is None  # bytes are modelled as bytes


def test_some_examples_are_evenly_spaced() -> None:
    examples = lb.data.Examples(torch.arange(100.0).unsqueeze(-1))
    assert some(examples, 3).x.flatten().tolist() == [0, 49, 99]
    assert some(examples, 200) is examples
