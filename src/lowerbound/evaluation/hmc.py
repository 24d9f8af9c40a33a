"""Hamiltonian transitions that leave a density unchanged, for many chains at once."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

#: log-density of points `(K, B, D)`, `(K, B)`, nats.
LogDensity = Callable[[Tensor], Tensor]


class Moved(NamedTuple):
    """Points of the chains after a transition, and the acceptance of each proposal."""

    z: Tensor  # (K, B, D)
    acceptance: Tensor  # (K, B), a probability


def hamiltonian(
    log_density: LogDensity, z: Tensor, scale: Tensor, step: Tensor, leapfrog: int
) -> Moved:
    """Make one transition of Hamiltonian Monte Carlo with a Metropolis correction.

    Args:
        log_density: Up to a constant; differentiable, each chain on its own.
        z: Where the chains are, `(K, B, D)`.
        scale: About how wide the density is in each direction, `(B, D)`: lengths are measured
            in it.
        step: Length of a leapfrog step in units of `scale`, `(B,)`.
        leapfrog: Steps of one trajectory.

    Returns:
        The chains' next points. The law with `log_density` is invariant whatever the step.

    Source: Duane et al. (1987); Neal (2011), section 5.3, arXiv 1206.1901.
    """
    length = step.unsqueeze(-1) * scale
    momentum = torch.randn_like(z)
    before, force = _with_gradient(log_density, z)
    start = before - _kinetic(momentum)
    point, value = z, before
    momentum = momentum + 0.5 * length * force
    for turn in range(leapfrog):
        point = point + length * momentum
        value, force = _with_gradient(log_density, point)
        momentum = momentum + (1.0 if turn < leapfrog - 1 else 0.5) * length * force
    # a trajectory that left the numbers is refused: nan compares as false
    difference = value - _kinetic(momentum) - start
    accept = torch.log(torch.rand_like(difference)) < difference
    acceptance = difference.clamp(max=0.0).exp().nan_to_num(nan=0.0)
    return Moved(torch.where(accept.unsqueeze(-1), point, z), acceptance)


def _kinetic(momentum: Tensor) -> Tensor:
    return 0.5 * momentum.double().square().sum(dim=-1)


def _with_gradient(log_density: LogDensity, z: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        leaf = z.detach().requires_grad_()
        value = log_density(leaf)
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient
