"""The variational autoencoder as it was first published, and the default that is made of it."""

from typing import Any

from lowerbound.catalogue.flat import flat
from lowerbound.catalogue.guided import guided
from lowerbound.catalogue.recipe import recipe
from lowerbound.core import Gradient, Model
from lowerbound.data import Schema
from lowerbound.objectives import ELBO, Objective, StickingTheLanding


@recipe(
    "auto",
    title="Chosen from the data",
    year=2014,
    source="as vae",
    formula=ELBO.formula,
    use="The default: a recipe whose likelihood, networks and sizes follow from the schema.",
    avoid="To repeat a published result: give every setting, since the choices follow the data.",
    differs="As vae.",
    refit="mixture",
)
@recipe(
    "vae",
    title="Variational autoencoder",
    year=2014,
    source="Kingma & Welling, arXiv 1312.6114; Rezende, Mohamed & Wierstra, arXiv 1401.4082",
    formula=ELBO.formula,
    use="The baseline that every other model is measured against.",
    avoid="When the likelihood itself counts and time does not: iwae gets more from the networks.",
    differs="Networks and optimiser are this library's, sized from the data; weights are averaged, "
    "and those with the best held-out bound are kept.",
)
def vae(
    schema: Schema,
    *,
    samples: int = 1,
    gradient: Gradient = "total",
    beta_warm_up: float = 0.0,
    free_bits: float = 0.0,
    cycles: int = 0,
    **parts: Any,
) -> tuple[Model, Objective]:
    """Assemble a VAE that is trained on the ELBO.

    Args:
        schema: That of the data.
        samples: Draws of z for each example.
        gradient: "total", with the rate in closed form, or "path", without the score of q(z|x)
            (`StickingTheLanding`).
        beta_warm_up: Fraction of the training over which the weight of the rate rises to 1.
        free_bits: Floor of each unit's rate, nats; 0 for none.
        cycles: How often the weight of the rate rises from 0 again, each time over `beta_warm_up`
            of the cycle, or half; 0 for once.
        **parts: Of the model: see `flat`.
    """
    objective = ELBO(samples) if gradient == "total" else StickingTheLanding(samples)
    return flat(schema, **parts), guided(objective, beta_warm_up, free_bits, cycles)
