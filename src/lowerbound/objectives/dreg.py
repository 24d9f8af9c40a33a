"""The importance-weighted bound under the doubly reparameterised gradient."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from lowerbound.core.trace import Bound, Trace
from lowerbound.errors import SettingError
from lowerbound.objectives.iwae import IWAE
from lowerbound.objectives.objective import Objective, positive_samples


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
        SettingError: `samples` is less than 1; or the model has more than one group of latents, of
            which each has its own factor (Bauer & Mnih 2021, arXiv 2101.11046; raised by `reduce`).

    Source: Tucker, Lawson, Gu & Maddison (2019), equation 8, arXiv 1810.04152.
    Differs: under annealing (`beta` other than 1) the weights are p(x|z) (p(z) / q(z|x))^beta, as
        in `IWAE`, and the factor s_k^2 becomes s_k (1 - beta (1 - s_k)), by the same steps.
    """

    samples: int = 5
    formula = IWAE.formula
    gradient = "path"

    def __post_init__(self) -> None:
        positive_samples(self.samples)

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
            z.register_hook(_scaled_by(1 - beta * (1 - shares)))
        return IWAE(self.samples).reduce(trace, beta)


def _scaled_by(factor: Tensor) -> Callable[[Tensor], Tensor]:
    """A hook that multiplies a gradient `(K, B, ...)` by a factor `(K, B)`."""

    def hook(gradient: Tensor) -> Tensor:
        axes = gradient.ndim - factor.ndim
        return gradient * factor.to(gradient.dtype).reshape(*factor.shape, *(1,) * axes)

    return hook
