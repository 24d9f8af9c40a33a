"""The deep Markov model: a latent for each step of a series of any length."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import softplus

from lowerbound.core import Batch, Choose, Conditional, Factor, Model, Space, View
from lowerbound.distributions import Markov
from lowerbound.distributions.markov import gated
from lowerbound.networks.steps import LEAST, Transition


class DeepMarkov(Model):
    """p(x, z) = prod_t p(z_t|z_{t-1}) p(x|z), with q(z_t|z_{t-1}, x) in place of the posterior.

    z is one group of shape `(T, Z)`. A series ends with the last step of which a cell is observed;
    of later steps nothing is known, so that q is p there and they are in no density. Cells that
    were not observed before that are missing as anywhere.

    Args:
        transition: p(z_t|z_{t-1}).
        reader: As `StepReader`: gate, shift and spread of q at each step, `(3, Z)` numbers.
        likelihood: p(x|z), from z flattened to `(..., T Z)`.
        view: The reader's view of a batch: `(B, n T, C)`, cells and their mask one below the
            other.
        steps: T of series that are drawn; others are as long as they are.
        units: Z.

    Source: Krishnan, Shalit & Sontag (2017), arXiv 1609.09869.
    Differs: q(z_t|z_{t-1}, x) is linear in z_{t-1}, with a gate that x chooses, so that all of its
        numbers are computed at once.
    """

    def __init__(
        self,
        transition: Transition,
        reader: nn.Module,
        likelihood: Conditional,
        view: View,
        steps: int,
        units: int,
    ) -> None:
        super().__init__()
        self.transition, self.reader = transition, reader
        self.likelihood, self.view = likelihood, view
        self.steps, self.units = steps, units

    @property
    def latents(self) -> Mapping[str, Space]:
        """The one group, "z", `(T, Z)`."""
        return {"z": Space((self.steps, self.units))}

    def descend(
        self, choose: Choose, batch: Batch | None = None, condition: Tensor | None = None
    ) -> Distribution:
        """See `Model.descend`: ask for the latents of all steps, return p(x|z)."""
        counts = q = None
        zero = self.transition.first.new_zeros(self.steps, self.units)
        if batch is not None:
            counts = _lasting(batch)
            zero = zero.new_zeros(()).expand(*batch.x.shape[:2], self.units)
            q = self._posterior(batch, zero, counts)
        z = choose("z", Markov(self.transition, zero, counts), q)
        return self.likelihood(z.flatten(start_dim=-2))

    def _posterior(self, batch: Batch, zero: Tensor, counts: Tensor | None) -> Markov:
        def numbers() -> tuple[Tensor, Tensor, Tensor]:
            seen = self.view(batch).unflatten(1, (-1, batch.x.shape[1]))
            seen = seen.transpose(1, 2).flatten(start_dim=2).to(zero.dtype)
            lengths = None if counts is None else counts.sum(dim=1)
            gate, shift, wide = self.reader(seen, lengths).unbind(dim=-2)
            # all at 0 is near the prior's start: half of the step before, a spread of about 1
            return torch.sigmoid(gate), shift, LEAST + softplus(wide + 0.54)

        return Markov(gated(numbers), zero, counts, after=self.transition)

    def describe(self) -> list[Factor]:
        """List prior, likelihood and posterior."""
        formula = self.likelihood.formula or type(self.likelihood).__name__
        return [
            Factor("prior", "p(z_t|z_t-1)", "N(A z + f(z), s(z)^2)", _count(self.transition)),
            Factor("likelihood", "p(x|z)", formula, _count(self.likelihood)),
            Factor("posterior", "q(z_t|z_t-1,x)", "N(g(x) z + c(x), s(x)^2)", _count(self.reader)),
        ]

    def __str__(self) -> str:
        """The factorisation, and how large each factor is."""
        lines = [f"deep Markov model: {self.units} latents a step, and q(z|x) approximates p(z|x)"]
        for one in self.describe():
            size = f"{one.parameters:,} parameters"
            lines.append(f"  {one.name:<10} {one.symbol:<14} = {one.formula:<36} {size:>18}")
        return "\n".join(lines)

    def check(self, x: Tensor, observed: Tensor | None = None, name: str = "x") -> None:
        """See `Model.check`: the likelihood knows."""
        self.likelihood.check(x, observed, name)


def _count(part: nn.Module) -> int:
    return sum(parameter.numel() for parameter in part.parameters())


def _lasting(batch: Batch) -> Tensor | None:
    """Tell which steps of `(B, T)` are not after the end of their series; None if all are."""
    if batch.observed is None:
        return None
    seen = batch.observed.any(dim=-1)
    return seen.flip(1).cummax(dim=1).values.flip(1)
