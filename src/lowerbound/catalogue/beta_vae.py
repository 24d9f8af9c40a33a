"""The VAE with a weighted rate."""

from typing import Any

from lowerbound.catalogue.flat import flat
from lowerbound.catalogue.guided import guided
from lowerbound.catalogue.recipe import recipe
from lowerbound.core import Model
from lowerbound.data import Schema
from lowerbound.objectives import BetaELBO, Objective


@recipe(
    "beta-vae",
    title="Beta-VAE",
    year=2017,
    source="Higgins et al., ICLR 2017; Alemi et al., arXiv 1711.00464",
    formula=BetaELBO.formula,
    use="Fewer, more independent latents (beta > 1), or sharper reconstructions (beta < 1).",
    avoid="To maximise the likelihood: for any beta but 1 something else is maximised, and for "
    "beta < 1 it is no lower bound on log p(x).",
    differs="As vae; beta weighs nats against nats, whatever the likelihood and the image size.",
)
def beta_vae(
    schema: Schema,
    *,
    beta: float = 4.0,
    samples: int = 1,
    beta_warm_up: float = 0.0,
    free_bits: float = 0.0,
    **parts: Any,
) -> tuple[Model, Objective]:
    """Assemble a VAE that is trained with its rate weighted by beta.

    Args:
        schema: That of the data.
        beta: Weight of the rate, nats against nats.
        samples: Draws of z for each example.
        beta_warm_up: Fraction of the training over which the weight of the rate rises to beta.
        free_bits: Floor of each unit's rate, nats; 0 for none.
        **parts: Of the model: see `flat`.
    """
    return flat(schema, **parts), guided(BetaELBO(beta, samples), beta_warm_up, free_bits)
