"""A Hamiltonian transition, by hand from the same noise."""

import math

import pytest
import torch
from torch import Tensor

from lowerbound.evaluation.hmc import hamiltonian
from lowerbound.testing import assert_mean

CENTRE = torch.tensor([[0.5, -1.0], [2.0, 0.0], [-0.3, 0.7]], dtype=torch.float64)  # (B, D)


def log_density(z: Tensor) -> Tensor:
    return -0.25 * (z - CENTRE).pow(4).sum(dim=-1)


def force(z: Tensor) -> Tensor:
    return -(z - CENTRE).pow(3)


@pytest.mark.parametrize("leapfrog", [1, 2, 5])
def test_every_step_of_a_trajectory_is_the_one_of_the_book(leapfrog):
    # Neal (2011), figure 2, with a step of its own for each example and direction
    z = CENTRE + torch.randn(40, 3, 2, dtype=torch.float64)
    scale = torch.tensor([[1.0, 0.5], [0.7, 1.5], [0.2, 0.9]], dtype=torch.float64)
    step = torch.tensor([0.9, 0.5, 1.4], dtype=torch.float64)
    torch.manual_seed(7)
    found = hamiltonian(log_density, z, scale, step, leapfrog)
    torch.manual_seed(7)
    p = torch.randn(40, 3, 2, dtype=torch.float64)
    uniform = torch.rand(40, 3, dtype=torch.float64)
    length, q = step[:, None] * scale, z.clone()
    energy = log_density(q) - p.square().sum(dim=-1) / 2
    for _ in range(leapfrog):
        p = p + length / 2 * force(q)
        q = q + length * p
        p = p + length / 2 * force(q)
    ratio = (log_density(q) - p.square().sum(dim=-1) / 2 - energy).exp()
    assert torch.allclose(found.acceptance, ratio.clamp(max=1.0), rtol=1e-10)
    taken = uniform < ratio
    assert 0 < int(taken.sum()) < taken.numel()
    assert torch.allclose(found.z, torch.where(taken[..., None], q, z), rtol=1e-10)
    assert not found.z.requires_grad
    with torch.no_grad():  # the gradient is its own affair
        torch.manual_seed(7)
        assert torch.equal(hamiltonian(log_density, z, scale, step, leapfrog).z, found.z)


def test_a_trajectory_that_leaves_the_numbers_is_refused():
    def cliff(z: Tensor) -> Tensor:
        return torch.where(z[..., 0] > 3.0, math.nan, -0.5 * z.square().sum(dim=-1))

    z = torch.zeros(2000, 1, 1, dtype=torch.float64)
    one = torch.ones(1, 1, dtype=torch.float64)
    found = hamiltonian(cliff, z, one, 5 * one[0], 1)  # half of the proposals land beyond 3
    assert bool(found.z.isfinite().all())
    assert float(found.z.max()) <= 3.0
    assert bool(found.acceptance.isfinite().all())
    assert_mean((found.acceptance == 0.0).double(), 0.2743, resolves=0.12)  # P(5 p > 3)


def test_the_kinetic_energy_of_float32_chains_is_summed_in_float64():
    z = torch.randn(50, 3, 2)
    scale, step = torch.ones(3, 2), torch.full((3,), 0.8)
    found = hamiltonian(lambda z: log_density(z.double()), z, scale, step, 2)
    assert (found.z.dtype, found.acceptance.dtype) == (torch.float32, torch.float64)
