"""The importance-weighted bound."""

import math
from dataclasses import dataclass

from lowerbound.core.trace import Bound, Gradient, Trace
from lowerbound.objectives.elbo import penalty_of, rate_of
from lowerbound.objectives.objective import Objective, positive_samples


@dataclass(frozen=True)
class IWAE(Objective):
    """Importance-weighted lower bound on log p(x), tight as `samples` grows.

    log (1/K) sum_k p(x, z_k) / q(z_k|x) with z_1 ... z_K ~ q(z|x). It is the ELBO at K = 1.

    Args:
        samples: Draws `K` of z for each example.
        gradient: "total", or "path" to leave out the score of q(z|x): at one draw the
            sticking-the-landing estimator; for more the encoder's gradient is biased then, which
            `DReG` mends (Tucker et al. 2019, section 3, arXiv 1810.04152).

    Raises:
        SettingError: `samples` is less than 1.

    Source: Burda, Grosse & Salakhutdinov (2016), equation 8, arXiv 1509.00519.
    Differs: under annealing (`beta` other than 1) the weights are
        p(x|z) (p(z) / q(z|x))^beta; the paper does not anneal.
    """

    samples: int = 5
    gradient: Gradient = "total"
    formula = "log 1/K sum_k p(x, z_k) / q(z_k|x)"

    def __post_init__(self) -> None:
        positive_samples(self.samples)

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`. Distortion and rate are those of the ELBO on the same draws."""
        log_weight = trace.log_px + beta * (trace.log_pz - trace.log_qz)
        # logsumexp before mean: the mean is over weights, not over their logs
        value = log_weight.logsumexp(dim=0) - math.log(log_weight.shape[0])
        return Bound(value - penalty_of(trace), -trace.log_px.mean(dim=0), rate_of(trace))
