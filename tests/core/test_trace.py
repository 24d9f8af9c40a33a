"""A trace whose densities are computed when they are read."""

import dataclasses

import pytest
import torch
from torch.distributions import Normal

from lowerbound.core import Latent, Trace
from lowerbound.distributions import Independent
from lowerbound.objectives import ELBO, IWAE
from lowerbound.testing.traces import made


class Law(Independent):
    """A standard normal that counts how often its density is asked for, or refuses."""

    def __init__(self, forbidden: bool = False) -> None:
        super().__init__(Normal(torch.zeros(2, 1), torch.ones(2, 1)), 1)
        self.calls, self.forbidden = 0, forbidden

    def log_prob(self, value, observed=None):
        if self.forbidden:
            raise AssertionError("nobody needs it")
        self.calls += 1
        return super().log_prob(value, observed)


def trace(p: Law, q: Law) -> Trace:
    log_px = torch.full((1, 2), -3.0, dtype=torch.float64)
    return Trace(log_px, {"z": Latent(torch.zeros(1, 2, 1), p, q)})


def test_a_density_is_computed_once_and_only_when_it_is_read():
    p = Law()
    given = trace(p, Law(forbidden=True))
    assert p.calls == 0
    first = given.log_pz
    assert torch.equal(first, Normal(0.0, 1.0).log_prob(torch.zeros(1, 2)).double())
    assert given.log_pz is first
    assert p.calls == 1
    with pytest.raises(AssertionError, match="nobody"):
        _ = given.log_qz


def test_a_closed_rate_reads_neither_density_and_a_drawn_one_both():
    bound = ELBO().reduce(trace(Law(forbidden=True), Law(forbidden=True)))
    assert bound.value.tolist() == [-3.0, -3.0]
    assert (bound.distortion.tolist(), bound.rate.tolist()) == ([3.0, 3.0], [0.0, 0.0])
    for objective in (ELBO(analytic=False), IWAE(1)):
        for forbidden in ((True, False), (False, True)):
            with pytest.raises(AssertionError, match="nobody"):
                objective.reduce(trace(*(Law(one) for one in forbidden)))


def test_a_trace_with_another_term_keeps_the_rest():
    ones = torch.ones(1, 2)
    changed = dataclasses.replace(made(0 * ones, ones, 2 * ones), log_px=3 * ones)
    assert torch.equal(changed.log_weight, 2 * ones)
    with pytest.raises(dataclasses.FrozenInstanceError):
        changed.log_px = ones  # type: ignore[misc]


def test_groups_add_up_and_each_without_a_closed_rate_is_drawn():
    one = made(torch.zeros(2, 3), torch.full((2, 3), -1.0), torch.full((2, 3), 0.5)).latents["z"]
    kl = torch.tensor([[[1.0, 2.0]]], dtype=torch.float64).expand(1, 3, 2)
    other = Latent.known(one.z, one.log_p, 4 * one.log_q, one.p, one.q, kl)
    given = Trace(torch.zeros(2, 3), {"top": one, "below": other})
    assert torch.equal(given.log_pz, torch.full((2, 3), -2.0))
    assert torch.equal(given.log_qz, torch.full((2, 3), 2.5))
    assert list(given.kl) == ["below"]
    assert ELBO(2).reduce(given).rate.tolist() == [1.5 + 3.0] * 3
    assert ELBO(2, analytic=False).reduce(given).rate.tolist() == [1.5 + 3.0] * 3


def test_a_rate_by_groups_is_not_taken_where_they_are_inferred_in_another_order():
    kl = torch.ones(1, 2, 1, dtype=torch.float64)
    given = made(torch.zeros(1, 2), torch.zeros(1, 2), torch.full((1, 2), 7.0), kl)
    assert ELBO().reduce(given).rate.tolist() == [1.0, 1.0]
    other = dataclasses.replace(given, ordered=False)
    assert other.kl == {}
    assert ELBO().reduce(other).rate.tolist() == [7.0, 7.0]


def test_draws_are_averaged_for_a_single_example_too():
    draws = torch.tensor([[-1.0], [-2.0], [-6.0]], dtype=torch.float64)
    bound = ELBO(3, analytic=False).reduce(made(3 * draws, draws, 2 * draws))
    assert bound.value.tolist() == [-6.0]
    assert bound.rate.tolist() == [-3.0]
