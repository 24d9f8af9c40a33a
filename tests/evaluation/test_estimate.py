"""A figure, its two errors and its interval, by hand."""

import math

import pytest
import torch
from scipy import stats

from lowerbound.evaluation.estimate import CONFIDENCE, NORMAL_FROM, Estimate
from lowerbound.evaluation.evidence import Evidence

F64 = torch.float64


def test_the_interval_reaches_the_quantile_of_95_percent_to_either_side():
    assert pytest.approx(stats.norm.ppf(0.975), abs=1e-6) == CONFIDENCE
    low, high = Estimate(-3.0, 0.5).interval
    assert low == pytest.approx(-3.0 - 0.5 * stats.norm.ppf(0.975), abs=1e-6)
    assert high == pytest.approx(-3.0 + 0.5 * stats.norm.ppf(0.975), abs=1e-6)
    assert Estimate(-3.0, None).interval is None
    # of the fewest examples that count as many it is at most 5 % shorter than Student's
    assert stats.t.ppf(0.975, NORMAL_FROM - 1) < 1.05 * CONFIDENCE
    assert NORMAL_FROM == 30


def test_both_errors_are_those_of_a_mean():
    values, variances = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([0.5, 1.5, 2.0])
    found = Estimate.of(values, draw_variance=variances)
    assert found.mean == pytest.approx(3.0)
    assert found.standard_error == pytest.approx(math.sqrt(7.0 / 3))  # sample variance 7
    assert found.draw_error == pytest.approx(math.sqrt(4.0) / 3)  # of a sum, over N
    assert Estimate.of(values).draw_error is None


def test_a_figure_is_in_nats_per_example_unless_it_is_told_otherwise():
    assert Estimate(1.0, None).unit == Estimate.of(torch.ones(2)).unit == "nats per example"
    assert Estimate.of(torch.ones(2), "bits").unit == "bits"


@pytest.mark.parametrize(
    ("samples", "effective", "added"),
    [(4, 2.0, 0.5 * 0.25 * 4 / 3), (2, 1.0, 0.5 * 0.5 * 2), (4, 4.0, 0.0), (1, 1.0, 0.0)],
)
def test_the_bias_of_the_bound_is_that_of_the_relative_variance_of_its_weights(
    samples, effective, added
):
    zero = torch.zeros(1, dtype=F64)
    found = Evidence(
        elbo=zero, log_likelihood=zero - 7, distortion=zero, rate=zero, unit_rate=None,
        means=zero, samples=samples, ladder={}, ladder_variance={}, elbo_variance=zero,
        effective_samples=zero + effective, tail=zero,
    )  # fmt: skip
    assert found.log_evidence.item() == pytest.approx(-7 + added, rel=1e-12)


def test_a_figure_is_written_with_its_error_where_it_has_one():
    assert str(Estimate(-1.234, 0.056)) == "-1.23 ± 0.06 nats per example"
    assert str(Estimate(2.0, None, "bits")) == "2.00 bits"
    values = torch.tensor([1.0, 2.0])
    assert Estimate.of(values).standard_error == pytest.approx(0.5)  # two are enough for one
    assert Estimate.of(values[:1]).standard_error is None
