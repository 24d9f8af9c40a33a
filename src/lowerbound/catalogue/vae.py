"""The variational autoencoder as it was first published."""

from lowerbound.catalogue.guided import guided
from lowerbound.catalogue.parts import Parts
from lowerbound.catalogue.recipe import recipe
from lowerbound.data import Schema
from lowerbound.models import VAE
from lowerbound.objectives import ELBO, Objective, StickingTheLanding
from lowerbound.trace import Gradient


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

    Its gradient is "total", its rate in closed form, or "path" for `StickingTheLanding`.
    """
    objective = ELBO(samples) if gradient == "total" else StickingTheLanding(samples)
    return parts.assemble(schema), guided(objective, beta_warm_up, free_bits)
