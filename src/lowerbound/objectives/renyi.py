"""Bounds between the evidence lower bound and the importance-weighted one."""

import math
from dataclasses import dataclass

from lowerbound.core.trace import Bound, Trace
from lowerbound.errors import SettingError
from lowerbound.objectives.elbo import penalty_of, rate_of
from lowerbound.objectives.iwae import IWAE
from lowerbound.objectives.objective import Objective


@dataclass(frozen=True)
class Renyi(Objective):
    """The variational Renyi bound, 1/(1-a) log 1/K sum_k (p(x, z_k) / q(z_k|x))^(1-a).

    It falls as a rises: at a = 0 it is `IWAE`, at a = 1 the drawn ELBO. For a < 0 it is no lower
    bound on log p(x).

    Args:
        samples: Draws `K` of z for each example.
        alpha: a.

    Raises:
        SettingError: `alpha` is not finite.

    Source: Li & Turner (2016), equations 7 and 14, arXiv 1602.02311.
    Differs: under annealing (`beta` other than 1) the weights are p(x|z) (p(z) / q(z|x))^beta.
    """

    samples: int = 5
    alpha: float = 0.5
    formula = "1/(1-a) log 1/K sum_k (p(x, z_k) / q(z_k|x))^(1-a)"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not math.isfinite(self.alpha):
            raise SettingError(f"alpha must be a finite number, got {self.alpha!r}")

    @property
    def is_bound(self) -> bool:  # type: ignore[override]
        """For a >= 0: a power mean of order 1 - a <= 1 is at most the mean of the weights."""
        return self.alpha >= 0

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`. Distortion and rate are those of the ELBO on the same draws."""
        log_weight = trace.log_px + beta * (trace.log_pz - trace.log_qz)
        order = 1.0 - self.alpha
        value = log_weight.mean(dim=0)
        if order:
            value = ((order * log_weight).logsumexp(dim=0) - math.log(len(log_weight))) / order
        return Bound(value - penalty_of(trace), -trace.log_px.mean(dim=0), rate_of(trace))


@dataclass(frozen=True)
class CIWAE(Objective):
    """A mean of the importance-weighted bound and the ELBO: (1 - b) IWAE_K + b ELBO.

    Args:
        samples: Draws `K` of z for each example.
        share: b, in [0, 1], the weight of the ELBO.

    Raises:
        SettingError: `share` is outside [0, 1].

    Source: Rainforth et al. (2018), equation 11, arXiv 1802.04537.
    """

    samples: int = 5
    share: float = 0.5
    formula = "(1 - b) log 1/K sum_k w_k + b/K sum_k log w_k"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.share <= 1:
            raise SettingError(f"share must lie in [0, 1], got {self.share!r}")

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`."""
        tight = IWAE(self.samples).reduce(trace, beta)
        loose = (trace.log_px + beta * (trace.log_pz - trace.log_qz)).mean(dim=0)
        value = (1 - self.share) * tight.value + self.share * (loose - penalty_of(trace))
        return Bound(value, tight.distortion, tight.rate)
