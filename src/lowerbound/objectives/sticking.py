"""The ELBO under the sticking-the-landing gradient."""

from dataclasses import dataclass

from lowerbound.core.trace import Bound, Trace
from lowerbound.objectives.elbo import ELBO
from lowerbound.objectives.objective import Objective, positive_samples


@dataclass(frozen=True)
class StickingTheLanding(Objective):
    """The ELBO, its encoder learning through the draws alone: noise-free where q is exact.

    The value is the ELBO with a drawn rate. Of its gradient the score of q(z|x) is left out, whose
    mean is zero: at q(z|x) = p(z|x) what is left is zero in every draw, not only on average.

    Args:
        samples: Draws `K` of z for each example.

    Raises:
        SettingError: `samples` is less than 1.

    Source: Roeder, Wu & Duvenaud (2017), equation 8, arXiv 1703.09194.
    """

    samples: int = 1
    formula = ELBO.formula
    gradient = "path"

    def __post_init__(self) -> None:
        positive_samples(self.samples)

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`: the ELBO with a rate estimated from the draws."""
        return ELBO(analytic=False).reduce(trace, beta)
