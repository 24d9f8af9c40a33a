"""The ELBO of bits, its encoder's gradient by pairs of draws that mirror each other."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution

from lowerbound.core.batch import Batch
from lowerbound.core.trace import Bound, Trace, Traceable
from lowerbound.distributions import Independent
from lowerbound.errors import SettingError
from lowerbound.objectives.elbo import ELBO, mean_of_draws, penalty_of
from lowerbound.objectives.objective import Objective


@dataclass(frozen=True)
class Mirrored(Trace):
    """A trace of pairs of draws: the second half of them mirrors the first."""


@dataclass(frozen=True)
class DisARM(Objective):
    """The ELBO of bits, its encoder's gradient by antithetic pairs of draws.

    A pair comes from one uniform number u a bit: b = 1[u < s] and b' = 1[1 - u < s], s the chance
    of 1. With f = log p(x, z) - log q(z|x) the logit of a bit receives

        1/2 (f(b) - f(b')) (-1)^b' 1[b != b'] sigmoid(|logit|),

    averaged over pairs: unbiased, and less noisy than scores of independent draws.

    Args:
        samples: Draws `K` of z for each example, an even number: half as many pairs.

    Raises:
        SettingError: `samples` is odd; or the latents are no single group of bits (raised by
            `trace`).

    Source: Dong, Mnih & Tucker (2020), arXiv 2006.10680.
    """

    samples: int = 4
    formula = ELBO.formula
    scores = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples % 2:
            raise SettingError(f"samples must be an even number, got {self.samples}")

    def trace(self, model: Traceable, batch: Batch) -> Trace:
        """See `Objective.trace`; pairs of draws, for bits alone."""

        def pick(name: str, p: Distribution, q: Distribution) -> tuple[Tensor, Distribution]:
            base = q.base_dist if isinstance(q, Independent) else None
            if not isinstance(base, Bernoulli):
                raise SettingError(
                    f"group '{name}' is none of bits, which are mirrored; use another estimator"
                )
            rows, units = base.logits.shape
            # rows first: several processes then share the noise of the whole batch
            u = torch.rand((rows, self.samples // 2, units), device=base.logits.device)
            u = u.to(base.logits.dtype).movedim(1, 0)
            pair = torch.cat([u, 1 - u])
            return (pair < base.logits.detach().sigmoid()).to(u.dtype), q

        trace = model.trace_by(pick, batch)
        if len(trace.latents) > 1:
            raise SettingError("pairs are drawn of one group of bits; use estimator=rloo")
        return Mirrored(trace.log_px, trace.latents, trace.penalties)

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`: the drawn ELBO, and a term of value 0 that has the gradient."""
        log_qz = trace.log_qz.detach()  # its own score has the mean 0
        f = trace.log_px + beta * (trace.log_pz - log_qz)
        score = 0.0
        if isinstance(trace, Mirrored):
            ((_, latent),) = trace.latents.items()
            logits = latent.q.base_dist.logits  # type: ignore[attr-defined]
            apart = f.detach()[: len(f) // 2] - f.detach()[len(f) // 2 :]
            one, other = latent.z.chunk(2)
            weight = 0.5 * (one - other) * logits.detach().abs().sigmoid()
            # (-1)^b' 1[b != b'] is b - b'
            score = (apart * (weight * (logits - logits.detach())).sum(dim=-1)).mean(dim=0)
        rate = mean_of_draws(log_qz - trace.log_pz)
        return Bound(f.mean(dim=0) + score - penalty_of(trace), -trace.log_px.mean(dim=0), rate)
