"""What a model believes of a few training and validation examples."""

import torch
from torch import Tensor

from lowerbound.core import Model, flatten, on
from lowerbound.data import Data, Examples
from lowerbound.doctor.gather.baseline import independent_cells
from lowerbound.doctor.symptoms import Belief
from lowerbound.evaluation import Estimate, Evidence, evidence
from lowerbound.evaluation.tails import heavy
from lowerbound.seeding import seeded

#: Draws for the training examples, of which the ELBO alone is wanted.
FEW_DRAWS = 10
#: Draws from the prior that its moments are estimated from.
PRIOR_DRAWS = 4096

#: Most cells of training examples on disk that the laws of single cells are taken from.
MOST_CELLS = 2**26


def belief_of(
    model: Model, data: Data, train: Examples, held_out: Examples, samples: int, seed: int
) -> Belief:
    """Bounds, rates and weights on some examples, against independent cells.

    Args:
        model: In evaluation mode.
        data: Whose whole training part the independent cells are fitted to.
        train: `N` of its training examples.
        held_out: `M` of its validation examples.
        samples: Draws for each validation example.
        seed: Of the draws.

    Raises:
        DataError: A bound is not finite.
    """
    found = evidence(model, held_out, samples, seed=seed)
    learned = evidence(model, train, FEW_DRAWS, seed=seed)
    no_model, no_model_train = independent_cells(data.schema, _learned_from(data), held_out, train)
    gain = Estimate.of(found.elbo - no_model)
    train_gain = Estimate.of(learned.elbo - no_model_train)
    known = ~found.tail.isnan()
    variances = found.means.var(dim=0, unbiased=False)
    return Belief(
        rate=float(found.rate.mean()),
        variances=tuple(variances.tolist()),
        elbo=float(found.elbo.mean()),
        train_elbo=float(learned.elbo.mean()),
        over_baseline=gain.mean,
        over_baseline_error=gain.standard_error or 0.0,
        train_over_baseline=train_gain.mean,
        train_over_baseline_error=train_gain.standard_error or 0.0,
        spread=tuple(spread_of(model, train, seed).tolist()),
        heavy=(
            float((found.tail[known] > heavy(samples)).double().mean())
            if bool(known.any())
            else 0.0
        ),
        effective_samples=float(found.effective_samples.median()),
        samples=samples,
        last_doubling=_last_doubling(found),
        gap=float((found.log_likelihood - found.elbo).mean()),
        error=float(found.log_likelihood.std()) / len(data.validation) ** 0.5,
        examples=len(held_out),
        groups={name: space.units for name, space in model.latents.items()},
    )


def _last_doubling(found: Evidence) -> float:
    half = max(1, found.samples // 2)
    return float((found.log_likelihood - found.ladder[half]).mean())


@torch.no_grad()
def spread_of(model: Model, train: Examples, seed: int) -> Tensor:
    """Return the mean square of each unit under q(z), 1 where it is that under the prior.

    Args:
        model: A model.
        train: `N` training examples.
        seed: Of the draws.

    Returns:
        `(D,)`, float64, all groups in a row: about the prior's mean, in units of its variance.
    """
    with on(model) as device, seeded(seed, device, stream="doctor"):
        trace = model.trace(train.batch(slice(None)).to(device), 1)
        own = {name: latent.z[0] for name, latent in trace.latents.items()}
        prior = model.sample(PRIOR_DRAWS).latents
        z, drawn = (flatten(some, model.latents).double().cpu() for some in (own, prior))
    return (z - drawn.mean(dim=0)).square().mean(dim=0) / drawn.var(dim=0)


def _learned_from(data: Data) -> Examples:
    """The training examples, or as many of those on disk as say what single cells are like."""
    few = max(1, min(len(data.train), MOST_CELLS // data.schema.dimensions))
    return data.train.few(few) if data.stored else data.train.load()
