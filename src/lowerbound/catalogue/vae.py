"""The variational autoencoder as it was first published."""

from lowerbound.catalogue.guided import guided
from lowerbound.catalogue.parts import Parts
from lowerbound.catalogue.recipe import recipe
from lowerbound.core.trace import Gradient
from lowerbound.data import Schema
from lowerbound.models import VAE
from lowerbound.objectives import ELBO, Objective, StickingTheLanding


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
    parts: Parts,
    *,
    samples: int = 1,
    gradient: Gradient = "total",
    beta_warm_up: float = 0.0,
    free_bits: float = 0.0,
) -> tuple[VAE, Objective]:
    """Gaussian prior and posterior, trained on the ELBO.

    Args:
        schema: What the data is.
        parts: Of the model.
        samples: Draws of z for each example.
        gradient: "total", with the rate in closed form, or "path", without the score of q(z|x)
            (`StickingTheLanding`).
        beta_warm_up: Fraction of the training over which the weight of the rate rises to 1.
        free_bits: Floor of each unit's rate, nats; 0 for none.
    """
    objective = ELBO(samples) if gradient == "total" else StickingTheLanding(samples)
    return parts.assemble(schema), guided(objective, beta_warm_up, free_bits)
