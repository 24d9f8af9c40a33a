"""The recipe for somebody who has data and no opinion."""

from lowerbound.catalogue.parts import Parts
from lowerbound.catalogue.recipe import recipe
from lowerbound.catalogue.start import IN_WORDS
from lowerbound.catalogue.vae import vae
from lowerbound.data import Schema
from lowerbound.models import VAE
from lowerbound.objectives import ELBO, Objective


@recipe(
    "auto",
    title="Chosen from the data",
    year=2014,
    source="as vae",
    formula=ELBO.formula,
    use="The default: a VAE whose likelihood, networks and sizes follow from the schema.",
    avoid="To repeat a published result: say what is wanted, since the choices follow the data.",
    differs="As vae.",
)
def auto(
    schema: Schema,
    parts: Parts,
    *,
    samples: int = 1,
    beta_warm_up: float = 0.0,
    free_bits: float = 0.0,
) -> tuple[VAE, Objective]:
    """The recipe `vae`, with every part chosen from the schema.

    Args:
        schema: What the data is.
        parts: Of the model.
        samples: Draws of z for each example.
        beta_warm_up: Fraction of the training over which the weight of the rate rises to 1.
        free_bits: Floor of each unit's rate, nats; 0 for none.
    """
    return vae(schema, parts, samples=samples, beta_warm_up=beta_warm_up, free_bits=free_bits)


#: How the sentence about them begins.
FIRST_WEIGHTS = "First weights"


def in_words(schema: Schema, parts: Parts) -> tuple[str, ...]:
    """Why these parts, one sentence each; `parts` are as chosen for the schema."""
    reasons = {
        "bernoulli": "every value is 0 or 1, so each cell is a Bernoulli",
        "gaussian": "values are real numbers, so each cell is a Gaussian with a learned scale",
        "discretized-logistic": f"values are whole levels, so each cell is a logistic integrated "
        f"over {schema.levels} bins",
        "categorical": f"each cell is one of {schema.levels} classes",
    }
    networks = {
        "residual": "a residual convolutional pair, because the data is images of some size",
        "mlp": f"fully connected layers of {' and '.join(map(str, parts.hidden)) or 'no'} units, "
        f"because the data is {'small images' if schema.is_image else 'vectors'}",
    }
    return (
        f"The data is {schema.describe()}.",
        f"Likelihood {parts.likelihood}: {reasons[parts.likelihood]}.",
        f"Networks: {networks[parts.network]}.",
        f"{parts.latents} latent units: those the data does not need stay idle.",
        f"{FIRST_WEIGHTS} '{parts.init}': {IN_WORDS[parts.init]}.",
    )
