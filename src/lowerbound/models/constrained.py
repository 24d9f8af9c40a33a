"""A model and a multiplier that is learned beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.core import Batch, Choose, Conditional, Factor, Model, Space, Trace
from lowerbound.core.trace import Pick


@dataclass(frozen=True)
class Multiplied(Trace):
    """A trace, and the logarithm of a multiplier, a scalar that has a gradient."""

    log_multiplier: Tensor = field(default_factory=lambda: torch.zeros(()))


class Constrained(Model):
    """A model whose traces carry a multiplier, for `objectives.GECO`; otherwise it is the model.

    The multiplier is one of its weights: it is saved, resumed and shared among processes with them.

    Args:
        model: That does everything.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self.log_multiplier = nn.Parameter(torch.zeros(()))

    @property
    def latents(self) -> Mapping[str, Space]:
        """Latents of the model inside."""
        return self.model.latents

    def descend(
        self, choose: Choose, batch: Batch | None = None, condition: Tensor | None = None
    ) -> Distribution:
        """See `Model.descend`."""
        return self.model.descend(choose, batch, condition)

    def trace_by(self, pick: Pick, batch: Batch) -> Trace:
        """See `Model.trace_by`; with the multiplier."""
        trace = super().trace_by(pick, batch)
        return Multiplied(
            trace.log_px, trace.latents, trace.penalties, log_multiplier=self.log_multiplier
        )

    def check(self, x: Tensor, observed: Tensor | None = None, name: str = "x") -> None:
        """See `Model.check`."""
        self.model.check(x, observed, name)

    def with_prior(self, prior: Conditional) -> Model:
        """See `Model.with_prior`."""
        made = Constrained(self.model.with_prior(prior))
        made.log_multiplier = self.log_multiplier
        return made

    def __str__(self) -> str:
        """What the model inside says of itself."""
        return str(self.model)

    def describe(self) -> list[Factor]:
        """List the factors of the model inside."""
        return self.model.describe()
