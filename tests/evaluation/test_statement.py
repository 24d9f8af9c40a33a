"""Which figures follow from values for each example, by hand."""

import json
import math
from dataclasses import replace

import pytest
import torch

from lowerbound.data import Examples
from lowerbound.evaluation import ACTIVE_THRESHOLD, Estimate, Rung, convergence, evaluate
from lowerbound.evaluation.evidence import Evidence
from lowerbound.evaluation.statement import bits_per_dimension, known, summarize
from lowerbound.testing import LinearGaussian

F64 = torch.float64


def found(count: int = 3, samples: int = 2, **other) -> Evidence:
    """Values that are all different."""
    bound = -torch.arange(1.0, count + 1, dtype=F64)
    ladder = {1: bound - 1.5, samples: bound}
    lacking = torch.full((count,), math.nan, dtype=F64)
    values = {
        "elbo": bound - 2, "log_likelihood": bound, "distortion": 3 - bound, "rate": 0.1 * -bound,
        "unit_rate": torch.tensor([0.25, 0.5], dtype=F64),
        "means": torch.stack([bound, 0.01 * bound], dim=1), "samples": samples, "ladder": ladder,
        "ladder_variance": {1: lacking, samples: bound.abs() / 10},
        "elbo_variance": bound.abs() / 5, "effective_samples": bound.abs() / 2, "tail": lacking,
    }  # fmt: skip
    return Evidence(**{**values, **other})


def test_every_figure_is_the_mean_of_its_values():
    values, x = found(), torch.zeros(3, 2, 4)
    stated = summarize(values, Examples(x), True)
    assert (stated.data, stated.split, stated.examples, stated.samples) == ("data", "all", 3, 2)
    assert stated.elbo == Estimate.of(values.elbo, draw_variance=values.elbo_variance)
    drawn = values.ladder_variance[2]
    assert stated.log_likelihood == Estimate.of(values.log_likelihood, draw_variance=drawn)
    assert stated.log_evidence == Estimate.of(values.log_evidence, draw_variance=drawn)
    assert stated.rate == Estimate.of(values.rate)
    assert stated.distortion == Estimate.of(values.distortion)
    assert stated.bits_per_dimension.mean == pytest.approx(2 / (8 * math.log(2)))
    assert stated.bits_per_dimension.unit == "bits per dimension"
    assert stated.bits_per_dimension_reason is None
    assert (stated.latents, stated.unit_rate) == (2, (0.25, 0.5))
    assert (stated.active_units, stated.threshold) == (1, ACTIVE_THRESHOLD)
    assert stated.ladder == (
        Rung(1, Estimate.of(values.ladder[1])),
        Rung(2, Estimate.of(values.ladder[2], draw_variance=drawn)),
    )
    expected = convergence(values.ladder, values.effective_samples, values.tail)
    assert stated.convergence == expected
    named = summarize(values, Examples(x), False, "mine", "test")
    assert (named.data, named.split) == ("mine", "test")
    assert summarize(found(unit_rate=None), Examples(x), True).unit_rate is None


def test_an_error_over_draws_is_stated_where_it_is_known():
    lacking = torch.full((3,), math.nan, dtype=F64)
    values = found(samples=1, elbo_variance=lacking, ladder_variance={1: lacking})
    stated = summarize(values, Examples(torch.zeros(3, 2)), True)
    assert stated.log_evidence is None
    assert stated.elbo.draw_error is None
    assert stated.log_likelihood.draw_error is None
    assert stated.ladder[0].bound.draw_error is None
    assert known(lacking) is None
    assert known(torch.tensor([1.0, math.nan])) is None
    variance = torch.ones(2)
    assert known(variance) is variance


def test_a_unit_is_active_beyond_the_threshold_and_not_at_it(monkeypatch):
    assert ACTIVE_THRESHOLD == 0.01
    monkeypatch.setattr("lowerbound.evaluation.statement.ACTIVE_THRESHOLD", 0.25)
    two = torch.tensor([[0.5, 0.625, 2.0], [-0.5, -0.625, -2.0]], dtype=F64)
    stated = summarize(found(2, means=two), Examples(torch.zeros(2, 2)), True)
    assert (stated.active_units, stated.latents) == (2, 3)  # over N, not N - 1: 0.25, 0.39, 4
    assert stated.threshold == 0.25
    alone = summarize(found(1, means=two[:1]), Examples(torch.zeros(1, 2)), True)
    assert (alone.active_units, alone.latents) == (0, 3)


@pytest.mark.parametrize(
    ("observed", "discrete", "reason"),
    [
        (True, True, "some cells are missing, so examples have different numbers of dimensions"),
        (False, None, "the likelihood does not say whether it is a probability or a density"),
        (False, False,
         "x is continuous: log p(x) is a density and depends on the unit of measurement"),
    ],
)  # fmt: skip
def test_why_bits_are_not_stated_is_said(observed, discrete, reason):
    x = torch.zeros(2, 3)
    examples = Examples(x, x == 0 if observed else None)
    assert bits_per_dimension(torch.zeros(2), examples, discrete) == (None, reason)
    assert summarize(found(2), examples, discrete).bits_per_dimension_reason == reason


def test_a_statement_in_json_has_all_of_it():
    stated = evaluate(LinearGaussian.random(2, 3).vae(), torch.randn(4, 3).double(), samples=2)
    plain = json.loads(json.dumps(stated.to_json()))
    assert plain["quality"] is None
    assert plain["ladder"][1]["bound"]["mean"] == stated.ladder[1].bound.mean
    assert plain["information"]["mismatch"]["upper"]["mean"] == (
        stated.information.mismatch.upper.mean
    )
    assert set(plain) == set(stated.__dataclass_fields__)

    class Quality:
        def to_json(self):
            return {"kind": "draws"}

    assert replace(stated, quality=Quality()).to_json()["quality"] == {"kind": "draws"}
