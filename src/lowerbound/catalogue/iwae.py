"""The VAE trained on the importance-weighted bound."""

from lowerbound.catalogue.guided import guided
from lowerbound.catalogue.parts import Parts
from lowerbound.catalogue.recipe import recipe
from lowerbound.data import Schema
from lowerbound.models import VAE
from lowerbound.objectives import IWAE, Objective


@recipe(
    "iwae",
    title="Importance-weighted autoencoder",
    year=2016,
    source="Burda, Grosse & Salakhutdinov, arXiv 1509.00519",
    formula=IWAE.formula,
    use="A higher likelihood from the same networks, for `samples` times the work.",
    avoid="When q(z|x) is what is wanted: as `samples` grows, the encoder's gradient drowns in "
    "noise (Rainforth et al., arXiv 1802.04537).",
    differs="As vae; under a warm-up the weights are p(x|z) (p(z) / q(z|x))^beta, where the paper "
    "does not anneal.",
)
def iwae(
    schema: Schema, parts: Parts, *, samples: int = 5, beta_warm_up: float = 0.0
) -> tuple[VAE, Objective]:
    """The VAE, trained on a tighter bound."""
    return parts.assemble(schema), guided(IWAE(samples), beta_warm_up)
