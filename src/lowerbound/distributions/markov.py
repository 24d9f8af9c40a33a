"""Latents of a step each, every one given the one before it."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from lowerbound.distributions.centre import endless, expected, spread, tempered
from lowerbound.distributions.independent import accumulate
from lowerbound.distributions.normal import LOG_NORMALIZER

#: From z_{t-1}, `(..., n, Z)`, and the places of the steps t to the mean and the standard
#: deviation of z_t. The step before the first is 0.
Step = Callable[[Tensor, slice], tuple[Tensor, Tensor]]


class Markov(Distribution):
    """p(z) = prod_t N(z_t; m_t(z_{t-1}), s_t(z_{t-1})^2), event `(T, Z)`.

    Steps that do not count are in no density: a series that has ended says nothing of them. They
    are drawn by `after` all the same, so that the law of x goes on where nothing was seen.

    Args:
        step: The mean and spread of each step.
        zero: Zeros, `(*batch, T, Z)`: they say the shape, the type and the device.
        counts: Which steps count, bool `(*batch, T)`; None for all.
        after: Draws those that do not, in place of `step`.
        temperature: Multiplies the spread of draws; densities are those at 1.

    Source: Krishnan, Shalit & Sontag (2017), section 3, arXiv 1609.09869.
    """

    has_rsample = True

    def __init__(
        self,
        step: Step,
        zero: Tensor,
        counts: Tensor | None = None,
        after: Step | None = None,
        temperature: float = 1.0,
    ) -> None:
        self.step, self.zero, self.counts = step, zero, counts
        self.after, self.temperature = after, temperature
        super().__init__(zero.shape[:-2], zero.shape[-2:], validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """None."""
        return {}

    @property
    def support(self) -> constraints.Constraint:
        """All reals."""
        return constraints.independent(constraints.real, 2)  # pyright: ignore[reportReturnType]

    def expand(self, batch_shape, _instance=None):  # type: ignore[no-untyped-def]
        """Return the same law under a larger batch shape."""
        zero = self.zero.expand(*batch_shape, *self.event_shape)
        return Markov(self.step, zero, self.counts, self.after, self.temperature)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draw from the first step on, `(*sample_shape, *batch, T, Z)`."""
        shape = torch.Size(sample_shape) + self.zero.shape
        noise = torch.randn(shape, dtype=self.zero.dtype, device=self.zero.device)
        return self._walk(noise * self.temperature)[0]

    @property
    def mean(self) -> Tensor:
        """The way along the mean of each step given the mean of the one before."""
        return self._walk(torch.zeros_like(self.zero))[0]

    @property
    def stddev(self) -> Tensor:
        """The spread of each step given the mean of the one before."""
        return self._walk(torch.zeros_like(self.zero))[1]

    def _walk(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        steps, scales = [], []
        before = torch.zeros_like(noise[..., :1, :])
        lasting = None if self.counts is None else self.counts.flatten(end_dim=-2).all(dim=0)
        for t in range(noise.shape[-2]):
            at = slice(t, t + 1)
            mean, scale = self.step(before, at)
            z = mean + scale * noise[..., at, :]
            if self.counts is not None and self.after and lasting is not None and not lasting[t]:
                with torch.no_grad():  # nothing that is observed depends on it
                    mean, wide = self.after(before, at)
                    free = mean + wide * noise[..., at, :]
                known = self.counts[..., at, None]
                z, scale = torch.where(known, z, free), torch.where(known, scale, wide)
            before = z
            steps.append(z)
            scales.append(scale.expand_as(z))
        return torch.cat(steps, dim=-2), torch.cat(scales, dim=-2)

    def parameters(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and spread of each step given the one before it in z, `(..., T, Z)`."""
        first = torch.zeros_like(z[..., :1, :])
        before = torch.cat([first, z[..., :-1, :]], dim=-2)
        return self.step(before, slice(0, z.shape[-2]))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density of the steps that count, `(...)`, nats, float64."""
        mean, scale = self.parameters(value)
        cells = ((value - mean) / scale).square() * -0.5 - scale.log() - LOG_NORMALIZER
        return accumulate(self._counted(cells), 2)

    def kl_along(self, p: "Markov", z: Tensor) -> Tensor:
        """Return KL(q(z_t|z_{t-1}) || p(z_t|z_{t-1})) of each step and unit, `(..., T Z)`, nats.

        Each is a closed form given the step before it, as that of a group of latents is given the
        groups above. Their sum over a draw of q has the mean KL(q || p).

        Args:
            p: The prior, of the same event.
            z: A draw of this law, `(..., T, Z)`.
        """
        mean, scale = self.parameters(z)
        centre, wide = p.parameters(z)
        apart = ((mean - centre) / wide).square()
        ratio = (scale / wide).square()
        cells = 0.5 * (ratio + apart - 1.0 - ratio.log())
        return accumulate(self._counted(cells), 0).flatten(start_dim=-2)

    def endless(self) -> "Markov":
        """Return the same law with a density of all steps, those that do not count by `after`.

        What a draw weighs under the laws of series of other lengths can be compared in it alone.
        """
        if self.counts is None:
            return self
        counts, after = self.counts.unsqueeze(-1), self.after or self.step

        def step(before: Tensor, at: slice) -> tuple[Tensor, Tensor]:
            pairs = zip(self.step(before, at), after(before, at), strict=True)
            mean, scale = (torch.where(counts[..., at, :], *pair) for pair in pairs)
            return mean, scale

        return Markov(step, self.zero, temperature=self.temperature)

    def _counted(self, cells: Tensor) -> Tensor:
        return cells if self.counts is None else torch.where(self.counts[..., None], cells, 0.0)


@endless.register
def _(distribution: Markov) -> Distribution:
    return distribution.endless()


@expected.register
def _(distribution: Markov) -> Tensor:
    return distribution.mean


@spread.register
def _(distribution: Markov) -> Tensor:
    return distribution.stddev


@tempered.register
def _(distribution: Markov, temperature: float) -> Distribution:
    own = distribution
    return Markov(own.step, own.zero, own.counts, own.after, own.temperature * temperature)


def gated(numbers: Callable[[], tuple[Tensor, Tensor, Tensor]]) -> Step:
    """Return z_t ~ N(g_t z_{t-1} + c_t, s_t^2).

    The posterior of a linear Gaussian state space model with independent units has this form.

    Args:
        numbers: Returns g, c and s, `(..., T, Z)` each; called when a density or draw is wanted.
    """
    once = cache(numbers)
    # cut once: the gradient of a slice is as long as the series, and there is one for each step
    each = cache(lambda: list(zip(*(part.split(1, dim=-2) for part in once()), strict=True)))

    def step(before: Tensor, at: slice) -> tuple[Tensor, Tensor]:
        if at.stop - at.start == 1:
            gate, shift, scale = each()[at.start]
        else:
            gate, shift, scale = (part[..., at, :] for part in once())
        return gate * before + shift, scale

    return step
