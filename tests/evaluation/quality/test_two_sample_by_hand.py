"""The classifier two-sample test with a classifier that says what it is told to."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from lowerbound.errors import DataError
from lowerbound.evaluation.quality import two_sample_test
from lowerbound.evaluation.quality.two_sample import EPOCHS, FEWEST, above, at_least

MODULE = sys.modules[two_sample_test.__module__]


class Parrot:
    """A classifier that is wrong about the first few, and writes down what it is shown."""

    def __init__(self, monkeypatch, wrong: int) -> None:
        self.wrong, self.asked = wrong, []
        monkeypatch.setattr(MODULE, "perceptron", self)

    def __call__(self, x, label, hidden, *, epochs, seed):
        self.asked.append(SimpleNamespace(x=x, label=label, settings=(hidden, epochs, seed)))
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        self.asked[-1].tested = torch.from_numpy(x)
        truth = np.arange(2).repeat(len(x) // 2)
        truth[: self.wrong] = 1 - truth[: self.wrong]
        return truth


@pytest.mark.parametrize("wrong", [0, 7, 15])
def test_halves_of_as_many_of_each_are_taken_at_random_and_standardised(wrong, monkeypatch):
    parrot = Parrot(monkeypatch, wrong)
    a = torch.arange(45.0)[:, None] * torch.tensor([1.0, 10.0, 0.01]) + 3
    b = 100 - torch.arange(31.0)[:, None] * torch.tensor([2.0, 1.0, 0.0])
    b[:, 2] = 3  # a deviation below one
    found = two_sample_test(a, b, seed=6)
    generator = torch.Generator().manual_seed(6)
    kinds = [x[torch.randperm(len(x), generator=generator)[:31]] for x in (a, b)]
    train = torch.cat([x[15:] for x in kinds]).double()
    test = torch.cat([x[:15] for x in kinds]).double()
    (asked,) = parrot.asked
    mean, spread = train.mean(dim=0), train.std(dim=0)
    assert torch.allclose(asked.x, (train - mean) / spread)
    assert torch.allclose(asked.tested, ((test - mean) / spread).float())
    assert asked.tested.dtype == torch.float32
    assert asked.label.tolist() == [0] * 16 + [1] * 16
    assert asked.settings == ((64,), 20, 6)
    right = 30 - wrong
    assert (found.tested, found.accuracy) == (30, pytest.approx(right / 30))
    assert found.standard_error == pytest.approx((right * wrong / 30**3) ** 0.5)
    assert found.p_value == at_least(right, 30)


def test_the_seed_is_0_unless_another_is_given(monkeypatch):
    parrot, (a, b) = Parrot(monkeypatch, 3), torch.randn(2, 30, 2)
    for options in ({}, {"seed": 0}, {"seed": 1}):
        two_sample_test(a, b, **options)
    plain, same, other = parrot.asked
    assert torch.equal(plain.x, same.x)
    assert not torch.equal(plain.x, other.x)
    assert [asked.settings[2] for asked in parrot.asked] == [0, 0, 1]


def test_a_feature_that_was_constant_in_training_is_bounded_where_it_is_not(monkeypatch):
    parrot = Parrot(monkeypatch, 0)
    a, b = torch.randn(40, 2), torch.randn(40, 2)
    a[:, 1] = b[:, 1] = 4.0
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(40, generator=generator)
    a[order[0], 1], a[order[1], 1], a[order[2], 1] = 1e5, -1e5, 6.0  # examples that are tested
    two_sample_test(a, b)
    (asked,) = parrot.asked
    assert asked.x[:, 1].tolist() == [0] * 40
    assert asked.tested[:4, 1].tolist() == [100, -100, 2, 0]


def test_twenty_of_each_are_enough(monkeypatch):
    Parrot(monkeypatch, 0)
    assert two_sample_test(torch.randn(20, 2), torch.randn(20, 2)).tested == 20
    for few in ((19, 20), (20, 19)):
        with pytest.raises(DataError, match="at least 20"):
            two_sample_test(*(torch.randn(count, 2) for count in few))
    assert (FEWEST, EPOCHS) == (20, 20)


@pytest.mark.parametrize("of", [1, 2, 7, 40, 3000])
def test_the_probability_of_heads_is_the_binomials(of):
    for hits in {0, 1, of // 2, of // 2 + 1, of - 1, of}:
        exact = stats.binom.sf(hits - 1, of, 0.5)
        assert at_least(hits, of) == pytest.approx(exact, rel=1e-9, abs=1e-300)
        assert at_least(hits, of) <= 1


def test_the_probability_beyond_a_score_is_the_normals():
    for score in (-3.0, -0.5, 0.0, 1.0, 4.0):
        assert above(score) == pytest.approx(stats.norm.sf(score), rel=1e-9)
