"""The VAE of counts whose total is told: single cells and their genes."""

from typing import Any

from lowerbound.catalogue.flat import flat
from lowerbound.catalogue.guided import guided
from lowerbound.catalogue.recipe import recipe
from lowerbound.core import Model
from lowerbound.data import Schema
from lowerbound.objectives import ELBO, Objective


@recipe(
    "count-vae",
    title="VAE of counts given their total",
    year=2018,
    source="Lopez et al. (scVI), Nature Methods 15, 1053",
    formula=ELBO.formula,
    use="Counts of single cells (.h5ad, .mtx), with a batch that is told or without.",
    avoid="For counts whose total is itself of interest: it is told, and not explained.",
    differs="The total is as observed, not a latent; counts are negative binomial without further "
    "zeros unless asked for.",
    training={"untold": 0.0, "weight_decay": 0.01},
    refit="mixture",
)
def count_vae(
    schema: Schema, *, samples: int = 1, beta_warm_up: float = 0.0, **parts: Any
) -> tuple[Model, Objective]:
    """Assemble a VAE for counts.

    Args:
        schema: Schema of the data.
        samples: Draws of z for each example.
        beta_warm_up: Fraction of the training over which the weight of the rate rises to 1.
        **parts: Of the model: see `flat`.
    """
    return flat(schema, **parts), guided(ELBO(samples), beta_warm_up)
