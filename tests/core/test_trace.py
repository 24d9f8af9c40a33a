"""A trace whose densities are computed when they are read."""

import dataclasses

import pytest
import torch
from torch.distributions import Normal

from lowerbound.core.trace import Trace, later
from lowerbound.objectives import ELBO, IWAE


def trace(log_pz, log_qz, kl=None) -> Trace:
    return Trace(
        log_px=torch.full((1, 2), -3.0, dtype=torch.float64),
        log_pz=log_pz,
        log_qz=log_qz,
        z=torch.zeros(1, 2, 1),
        posterior=Normal(torch.zeros(2, 1), torch.ones(2, 1)),
        kl={} if kl is None else {"z": kl},
    )


def never() -> torch.Tensor:
    raise AssertionError("nobody needs it")


def test_a_density_is_computed_once_and_only_when_it_is_read():
    calls = []

    def compute():
        calls.append(1)
        return torch.full((1, 2), -1.5)

    given = trace(later(compute), later(never))
    assert calls == []
    assert torch.equal(given.log_pz, torch.full((1, 2), -1.5))
    assert given.log_pz is given.log_pz
    assert calls == [1]
    with pytest.raises(AssertionError, match="nobody"):
        _ = given.log_qz


def test_a_closed_rate_reads_neither_density_and_a_drawn_one_both():
    kl = torch.full((1, 2, 1), 0.25, dtype=torch.float64)
    bound = ELBO().reduce(trace(later(never), later(never), kl))
    assert bound.value.tolist() == [-3.25, -3.25]
    assert (bound.distortion.tolist(), bound.rate.tolist()) == ([3.0, 3.0], [0.25, 0.25])
    for objective in (ELBO(analytic=False), IWAE(1)):
        with pytest.raises(AssertionError, match="nobody"):
            objective.reduce(trace(later(never), torch.zeros(1, 2), kl))


def test_a_trace_with_another_term_keeps_the_rest():
    ones = torch.ones(1, 2)
    changed = dataclasses.replace(trace(later(lambda: ones), 2 * ones), log_px=3 * ones)
    assert torch.equal(changed.log_weight, 2 * ones)
    with pytest.raises(dataclasses.FrozenInstanceError):
        changed.log_pz = ones


def test_draws_are_averaged_for_a_single_example_too():
    draws = torch.tensor([[-1.0], [-2.0], [-6.0]], dtype=torch.float64)
    given = dataclasses.replace(trace(draws, 2 * draws), log_px=3 * draws)
    bound = ELBO(3, analytic=False).reduce(given)
    assert bound.value.tolist() == [-6.0]
    assert bound.rate.tolist() == [-3.0]
