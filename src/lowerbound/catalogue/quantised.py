"""VAEs whose encoder gives one code to each example."""

from typing import Any

from lowerbound.catalogue.flat import flat
from lowerbound.catalogue.guided import guided
from lowerbound.catalogue.recipe import recipe
from lowerbound.catalogue.slots import Posterior, Prior
from lowerbound.core import Model
from lowerbound.data import Schema
from lowerbound.objectives import ELBO, Objective

_FORMULA = "log p(x|z) + log p(z), z the code of x"


@recipe(
    "fsq",
    title="VAE of rounded latents (FSQ)",
    year=2024,
    source="Mentzer et al., arXiv 2309.15505",
    formula=_FORMULA,
    use="Codes to store, search or model further; the simplest discrete autoencoder.",
    avoid="For the highest bound: one code for each x leaves nothing of q(z|x) to chance.",
    differs="Codes have a prior, learned here and refitted afterwards: the bound is a likelihood.",
    refit="autoregressive",
)
def fsq(
    schema: Schema,
    *,
    latents: int = 32,
    prior: Prior = "codes",
    posterior: Posterior = "fsq",
    beta_warm_up: float = 0.0,
    **parts: Any,
) -> tuple[Model, Objective]:
    """Assemble a VAE of rounded latents.

    Args:
        schema: That of the data.
        latents: Number of units, each on one of `posterior.levels`.
        prior: p(z), the chances of codes.
        posterior: The code of x.
        beta_warm_up: Fraction of the training over which the weight of the rate rises to 1.
        **parts: Of the model: see `flat`.
    """
    model = flat(schema, latents=latents, prior=prior, posterior=posterior, **parts)
    return model, guided(ELBO(), beta_warm_up)


@recipe(
    "vq",
    title="Vector-quantised VAE",
    year=2017,
    source="van den Oord, Vinyals & Kavukcuoglu, arXiv 1711.00937",
    formula=_FORMULA,
    use="A vocabulary of learned vectors for parts of x.",
    avoid="Where numbered levels do: fsq has no codebook that could go unused.",
    differs="Gradients are turned to the code (arXiv 2410.06424), unused codes revived; codes have "
    "a prior, learned here and refitted afterwards: the bound is a likelihood.",
    refit="autoregressive",
)
def vq(
    schema: Schema,
    *,
    latents: int = 64,
    prior: Prior = "codes",
    posterior: Posterior = "vq",
    **parts: Any,
) -> tuple[Model, Objective]:
    """Assemble a vector-quantised VAE.

    Args:
        schema: That of the data.
        latents: Numbers in all vectors, `posterior.size` each.
        prior: p(z), the chances of codes.
        posterior: The code of x.
        **parts: Of the model: see `flat`.
    """
    return flat(schema, latents=latents, prior=prior, posterior=posterior, **parts), ELBO()
