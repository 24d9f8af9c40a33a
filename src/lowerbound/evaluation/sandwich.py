"""Data simulated from the model, whose log p(x) is then held between two bounds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lowerbound.core import Model, flatten, on
from lowerbound.data import Examples
from lowerbound.evaluation.annealed import Annealing, annealed
from lowerbound.evaluation.estimate import Estimate
from lowerbound.evaluation.evidence import evidence
from lowerbound.objectives.objective import whole
from lowerbound.seeding import seeded

#: Standard errors over draws that are added on either side: 1 in 1,000 lies beyond each.
REACH = 3.09
#: Rows simulated at a time.
ROWS_AT_ONCE = 500


@dataclass(frozen=True)
class Sandwich:
    """Bounds on the mean log p(x) of simulated examples, from below and from above.

    Attributes:
        examples: How many were simulated.
        importance_weighted: The bound of importance weighting, from below.
        lower: The bound of annealed importance sampling, from below in expectation.
        upper: That of the ways back, from above in expectation.
        interval: `lower` and `upper`, each with 3.09 standard errors over draws: as far as these
            are normal it misses the truth in at most 1 of 500 runs.
        gap: `upper` - `lower`, nats: what nobody knows of these examples' log p(x).
        acceptance: Mean acceptance of the transitions.
    """

    examples: int
    importance_weighted: Estimate
    lower: Estimate
    upper: Estimate
    interval: tuple[float, float]
    gap: float
    acceptance: float


def sandwich(
    model: Model,
    count: int = 50,
    annealing: Annealing | None = None,
    *,
    joint: tuple[Tensor, Tensor] | None = None,
    samples: int = 1000,
    seed: int | None = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Sandwich:
    """Hold log p(x) of simulated examples between two bounds (bidirectional Monte Carlo).

    z* ~ p(z), x ~ p(x|z*): then z* is an exact draw from p(z|x), and annealing backwards from it
    bounds log p(x) from above. How far the bounds are apart says how well the bounds from below
    do, also on real data as far as that resembles the simulated.

    Args:
        model: With continuous latents.
        count: Examples to simulate, at least 2.
        annealing: Its settings; the defaults if None.
        joint: z, all groups in a row, `(N, D)` and x `(N, *event)` that were simulated from this
            model elsewhere, in place of `count` new ones.
        samples: Draws of the importance-weighted bound beside it.
        seed: Of simulation and draws; None for a fresh one.
        progress: Called with (examples done, examples in all), over both directions.

    Raises:
        SettingError: `count` is less than 2, or a group of latents is discrete.

    Source: Grosse, Ghahramani & Adams (2015), arXiv 1511.02543; Wu et al. (2017), section 4.3,
        arXiv 1611.04273.
    """
    whole("count", count, 2)
    with seeded(seed, stream="sandwich"):
        ahead, behind, beside, made = torch.randint(2**31, (4,)).tolist()
    z, x = simulated(model, count, seed=made) if joint is None else joint
    examples = Examples(x)

    def report(offset: int) -> Callable[[int, int], None]:
        def on(done: int, of: int) -> None:
            if progress is not None:
                progress(offset + done, 2 * of)

        return on

    forward = annealed(model, examples, annealing, seed=ahead, progress=report(0))
    back = annealed(model, examples, annealing, truth=z, seed=behind, progress=report(len(x)))
    weighted = evidence(model, examples, samples, seed=beside)
    lower = Estimate.of(forward.bound, draw_variance=forward.draw_variance)
    # the ways back from one z* are not independent of each other, examples are: their spread
    # around the bound from below, whose own noise it contains, is no smaller than that around p(x)
    apart = (back.bound - forward.bound).var() / len(x)
    upper = replace(Estimate.of(back.bound), draw_error=float(apart.sqrt()))
    reach = [REACH * (side.draw_error or 0.0) for side in (lower, upper)]
    return Sandwich(
        examples=len(x),
        importance_weighted=Estimate.of(
            weighted.log_likelihood, draw_variance=weighted.draw_variance
        ),
        lower=lower,
        upper=upper,
        interval=(lower.mean - reach[0], upper.mean + reach[1]),
        gap=upper.mean - lower.mean,
        acceptance=float(forward.acceptance.mean()),
    )


@torch.no_grad()
def simulated(model: Model, count: int, *, seed: int | None = 0) -> tuple[Tensor, Tensor]:
    """Draw `N` times z ~ p(z) and x ~ p(x|z), a few rows at a time.

    Returns:
        z, all groups in a row, `(N, D)`, and x `(N, *event)`, on the CPU.
    """
    latents: list[Tensor] = []
    examples: list[Tensor] = []
    with on(model) as device, seeded(seed, device, stream="simulation"):
        for first in range(0, count, ROWS_AT_ONCE):
            drawn = model.sample(min(ROWS_AT_ONCE, count - first))
            latents.append(flatten(drawn.latents, model.latents).cpu())
            examples.append(drawn.law.sample().cpu())
    return torch.cat(latents), torch.cat(examples)
