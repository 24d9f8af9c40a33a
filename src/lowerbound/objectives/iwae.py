"""The importance-weighted bound, under its own and the doubly reparameterised gradient."""

import math
from dataclasses import dataclass

from lowerbound.core.trace import Bound, Gradient, Trace
from lowerbound.errors import SettingError
from lowerbound.objectives.elbo import penalty_of, rate_of
from lowerbound.objectives.objective import Objective


@dataclass(frozen=True)
class IWAE(Objective):
    """Importance-weighted lower bound on log p(x), tight as `samples` grows.

    log (1/K) sum_k p(x, z_k) / q(z_k|x) with z_1 ... z_K ~ q(z|x). It is the ELBO at K = 1.

    Args:
        samples: Draws `K` of z for each example.
        gradient: "total", or "path" to leave out the score of q(z|x): at one draw the
            sticking-the-landing estimator; for more the encoder's gradient is biased then, which
            `DReG` mends (Tucker et al. 2019, section 3, arXiv 1810.04152).

    Source: Burda, Grosse & Salakhutdinov (2016), equation 8, arXiv 1509.00519.
    Differs: under annealing (`beta` other than 1) the weights are
        p(x|z) (p(z) / q(z|x))^beta; the paper does not anneal.
    """

    samples: int = 5
    gradient: Gradient = "total"
    formula = "log 1/K sum_k p(x, z_k) / q(z_k|x)"

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`. Distortion and rate are those of the ELBO on the same draws."""
        log_weight = trace.log_px + beta * (trace.log_pz - trace.log_qz)
        # logsumexp before mean: the mean is over weights, not over their logs
        value = log_weight.logsumexp(dim=0) - math.log(log_weight.shape[0])
        return Bound(value - penalty_of(trace), -trace.log_px.mean(dim=0), rate_of(trace))


@dataclass(frozen=True)
class DReG(Objective):
    """The importance-weighted bound, its encoder's gradient freed of the score of q(z|x).

    Value and decoder's gradient are those of `IWAE` on the same draws. With w_k the weights and
    s_k = w_k / sum_j w_j their shares, the encoder receives

        sum_k s_k^2  d log w_k / d z_k  d z_k / d phi,

    the same in expectation, where `IWAE` adds the score of q(z|x), whose noise drowns the gradient
    as `samples` grows. At one draw it is `StickingTheLanding`.

    The shares reach the encoder by a hook on z, so that a trace whose gradient was taken
    over here serves no other objective after.

    Args:
        samples: Draws `K` of z for each example.

    Raises:
        SettingError: The model has more than one group of latents, of which each has its own factor
            (Bauer & Mnih 2021, arXiv 2101.11046; raised by `reduce`).

    Source: Tucker, Lawson, Gu & Maddison (2019), equation 8, arXiv 1810.04152.
    Differs: under annealing (`beta` other than 1) the weights are p(x|z) (p(z) / q(z|x))^beta, as
        in `IWAE`, and the factor s_k^2 becomes s_k (1 - beta (1 - s_k)), by the same steps.
    """

    samples: int = 5
    formula = IWAE.formula
    gradient = "path"

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`: `IWAE`, and what comes back through z rescaled."""
        log_weight = trace.log_px + beta * (trace.log_pz - trace.log_qz)
        if len(trace.latents) > 1:
            raise SettingError(
                "the doubly reparameterised gradient is for one group of latents, and this model "
                f"has {len(trace.latents)}; use gradient=path or gradient=total"
            )
        (z,) = (latent.z for latent in trace.latents.values())
        if z.requires_grad:
            # detached: the shares weigh a gradient, they are not differentiated themselves
            shares = log_weight.detach().softmax(dim=0)
            factor = (1 - beta * (1 - shares)).to(z.dtype)
            factor = factor.reshape(*factor.shape, *(1,) * (z.ndim - factor.ndim))
            z.register_hook(lambda gradient: gradient * factor)
        return IWAE(self.samples).reduce(trace, beta)
