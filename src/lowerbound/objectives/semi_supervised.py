"""A bound for examples of which some have a class, the class of the others summed out."""

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.core import UNTOLD, Batch, Bound, Trace, Traceable
from lowerbound.distributions.codes import every_value
from lowerbound.errors import SettingError
from lowerbound.objectives.batch_mean import batch_mean
from lowerbound.objectives.elbo import ELBO, penalty_of
from lowerbound.objectives.objective import Objective


@dataclass(frozen=True)
class Classes(Trace):
    """A trace at every class, `(C, B)`, and the codes of the classes that are known, `(B,)`."""

    codes: Tensor = field(default_factory=lambda: torch.empty(0))


@dataclass(frozen=True)
class SemiSupervised(Objective):
    """L(x, y) where y is known, sum_y q(y|x) (L(x, y) - log q(y|x)) else; and y is learned.

    L(x, y) = E_q(z|x,y)[log p(x|z, y)] - KL(q(z|x, y) || p(z)) + log p(y). To every example the
    mean of log q(y|x) over the examples whose y is known is added, times `weight`: the first two
    terms alone do not teach q(y|x) of labels.

    Args:
        weight: Of the classifier.
        labels: Whether known classes are used; without, it is a bound on log p(x) for all.
        analytic: Use a closed form of the KL where there is one.

    Raises:
        SettingError: The weight is negative; or the model's first group is no class (by `trace`).

    Source: Kingma et al. (2014), equations 6, 7 and 9, arXiv 1406.5298.
    """

    weight: float = 1.0
    labels: bool = True
    analytic: bool = True
    samples: int = 1
    formula = "L(x, y) + a log q(y|x), or sum_y q(y|x) (L(x, y) - log q(y|x))"
    scores = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise SettingError(f"weight must be a number of at least 0, got {self.weight!r}")

    @property
    def is_bound(self) -> bool:  # type: ignore[override]
        """Without labels."""
        return not self.labels

    @property
    def criterion(self) -> Objective:
        """The bound on log p(x), labels unused."""
        return replace(self, labels=False)

    def trace(self, model: Traceable, batch: Batch) -> Trace:
        """Trace the model at every class, with one draw of z for each."""
        groups: list[str] = []

        def pick(name: str, p: Distribution, q: Distribution) -> tuple[Tensor, Distribution]:
            groups.append(name)
            if len(groups) > 1:
                return q.rsample(), q
            if q.has_rsample:
                raise SettingError(f"group '{name}' is no class; use recipe semi-supervised")
            return every_value(q).unsqueeze(1).expand(-1, len(batch), -1), q

        trace = model.trace_by(pick, batch)
        codes = torch.full((len(batch),), UNTOLD, device=batch.x.device)
        if self.labels and batch.condition is not None:
            codes = batch.condition[:, 0]
        return Classes(trace.log_px, trace.latents, trace.penalties, codes=codes)

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`."""
        if not isinstance(trace, Classes):
            return ELBO().reduce(trace, beta)
        y, *others = trace.latents.values()
        rate = -y.log_p
        for z in others:
            closed = z.kl if self.analytic else None
            rate = rate + (z.log_q - z.log_p if closed is None else closed.sum(dim=-1))
        known, own = trace.codes != UNTOLD, trace.codes.clamp(min=0).unsqueeze(0)
        chance = y.log_q.exp()

        def where_known(values: Tensor, open_: Tensor) -> Tensor:
            return torch.where(known, values.gather(0, own).squeeze(0), (chance * open_).sum(dim=0))

        distortion = where_known(-trace.log_px, -trace.log_px)
        rate = where_known(rate, rate + y.log_q)
        value = -distortion - beta * rate - penalty_of(trace)
        if self.labels:
            found = torch.where(known, y.log_q.gather(0, own).squeeze(0), 0.0)
            mean, share = batch_mean(torch.stack([found, known.to(found.dtype)], dim=-1)[None])
            value = value + self.weight * mean / share.clamp(min=1e-12)
        return Bound(value, distortion, rate)
