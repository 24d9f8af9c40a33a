"""Copies of training examples: distances, the Mann-Whitney test, equal rows."""

import math

import pytest
import scipy.stats
import torch

from lowerbound.errors import DataError, ShapeError
from lowerbound.evaluation.quality import copies, mann_whitney, memorisation, nearest
from lowerbound.testing import assert_mean


def test_the_score_is_scipys_with_and_without_ties():
    for a, b in (
        (torch.randn(30), torch.randn(50) + 0.3),
        (torch.randint(0, 5, (30,)).float(), torch.randint(1, 6, (50,)).float()),
    ):
        found = memorisation(a, b)
        expected = scipy.stats.mannwhitneyu(
            a.double(), b.double(), use_continuity=False, method="asymptotic", alternative="less"
        )
        assert found.score == mann_whitney(a, b)
        assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_a_case_by_hand():
    samples, held_out = torch.tensor([0.0, 1.0, 4.0]), torch.tensor([1.0, 2.0, 3.0, 9.0, 8.0])
    found = memorisation(samples, held_out)
    assert (found.samples, found.held_out, found.ratio) == (1, 3, pytest.approx(1 / 3))
    assert found.closer == pytest.approx(2 / 3)  # the nearest held-out example is at 1
    assert found.closer_held_out == pytest.approx(1 / 5)
    # ranks 1, 2.5 and 6 of 8: 9.5, four below 13.5; the variance 15 / 12 (9 - 6 / 56)
    assert found.score == pytest.approx(-4 / math.sqrt(15 / 12 * (9 - 6 / 56)))


def test_equal_distances_are_no_evidence():
    found = memorisation(torch.ones(5), torch.ones(9))
    assert (found.score, found.p_value) == (0, 0.5)
    assert math.isnan(memorisation(torch.ones(5), torch.zeros(9)).ratio)


def test_for_draws_of_the_datas_law_the_score_is_standard_normal():
    # 400 sets of samples against one training set each. It would see a mean of 0.5, or a variance
    # of 0.3 or 1.7: an error of a quarter in the standard deviation.
    scores = []
    for _ in range(400):
        train, held_out, samples = torch.randn(3, 40, 2).double()
        scores.append(memorisation(nearest(samples, train), nearest(held_out, train)).score)
    score = torch.tensor(scores)
    assert_mean(score, 0.0, resolves=0.5, name="the score")
    assert_mean(score.square(), 1.0, resolves=0.7, name="its square")


def test_a_tenth_of_near_copies_is_seen():
    # of 500 samples 50 are copies but for a trifle: the median hardly moves, the share does
    train, held_out, samples = torch.randn(3, 500, 4).double()
    samples[:50] = train[:50] + 1e-3
    found = memorisation(nearest(samples, train), nearest(held_out, train))
    assert found.closer >= 0.1
    assert found.closer - found.closer_held_out > 4.9 * found.closer_error
    assert found.ratio > 0.8


def test_copies_are_counted_whatever_the_sign_of_nought():
    train = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    samples = torch.tensor([[-0.0, 1.0], [2.0, 3.0], [2.0, 3.0], [3.0, 2.0]])
    assert copies(samples, train) == 3
    images = torch.randint(0, 256, (5, 1, 4, 4), dtype=torch.uint8)
    assert copies(images[2:], images) == 3
    assert copies(images ^ 1, images) == 0


def test_what_does_not_compare_is_refused():
    with pytest.raises(ShapeError, match="one kind"):
        copies(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ShapeError, match="one kind"):
        copies(torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.uint8))
    with pytest.raises(ShapeError, match="vectors"):
        memorisation(torch.zeros(3, 1), torch.zeros(3))
    with pytest.raises(DataError, match="at least 2"):
        mann_whitney(torch.zeros(1), torch.zeros(3))
