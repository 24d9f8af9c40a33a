"""The classifier two-sample test: how often it is wrong, and what it sees."""

import pytest
import torch

from lowerbound.errors import DataError, ShapeError
from lowerbound.evaluation.quality import two_sample_test
from lowerbound.testing import assert_mean, assert_mean_at_most


@pytest.mark.slow
def test_under_one_law_it_rejects_as_seldom_as_it_says():
    # 100 pairs of sets. It would see 25 % of rejections for 5 %, and a mean p-value off by 0.25.
    p_values = []
    for seed in range(100):
        a, b = torch.randn(2, 40, 3)
        p_values.append(two_sample_test(a, b, seed=seed).p_value)
    p = torch.tensor(p_values)
    assert_mean(p, 0.5, resolves=0.25, name="the p-value")
    rejected = (p < 0.05).double()
    assert_mean_at_most(rejected, 0.05, resolves=0.2, name="the share rejected")


def test_it_sees_a_shift_every_time():
    # optimal accuracy 0.84 of 200: 9.6 standard errors from chance, and never below p = 0.001
    for seed in range(10):
        a, b = torch.randn(2, 200, 4)
        found = two_sample_test(a + torch.tensor([2.0, 0, 0, 0]), b, seed=seed)
        assert found.p_value < 1e-3
        assert found.tested == 200


def test_it_sees_a_narrower_law_with_the_same_mean():
    a, b = torch.randn(2, 400, 10)
    found = two_sample_test(0.5 * a, b)
    assert found.accuracy > 0.75
    assert found.p_value < 1e-10
    expected = (found.accuracy * (1 - found.accuracy) / 400) ** 0.5
    assert found.standard_error == pytest.approx(expected)


def test_copies_on_both_sides_are_no_evidence():
    # the halves are of examples, not of pairs: a memorised half helps nobody
    x = torch.randn(300, 5)
    assert two_sample_test(x, x.clone()).p_value > 1e-3


def test_it_repeats_and_leaves_the_random_state_alone():
    a, b = torch.randn(2, 40, 3)
    state = torch.get_rng_state()
    assert two_sample_test(a, b, seed=5) == two_sample_test(a, b, seed=5)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_feature_that_never_varies_does_no_harm():
    a, b = torch.randn(2, 100, 3)
    a[:, 1] = b[:, 1] = 4.0
    assert 0 <= two_sample_test(a, b).accuracy <= 1


def test_too_few_examples_or_two_spaces_are_refused():
    with pytest.raises(DataError, match="at least 20"):
        two_sample_test(torch.zeros(19, 2), torch.zeros(50, 2))
    with pytest.raises(ShapeError, match="one space"):
        two_sample_test(torch.zeros(50, 3), torch.zeros(50, 2))
