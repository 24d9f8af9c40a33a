"""The VAE of a table: columns of many kinds, with gaps."""

from typing import Any

from lowerbound.catalogue.flat import flat
from lowerbound.catalogue.guided import guided
from lowerbound.catalogue.recipe import recipe
from lowerbound.core import Model
from lowerbound.data import Schema
from lowerbound.objectives import ELBO, IWAE, Objective


@recipe(
    "table",
    title="VAE of a table",
    year=2020,
    source="Nazabal et al., arXiv 1807.03653; Mattei & Frellsen, arXiv 1812.02633",
    formula=ELBO.formula,
    use="Tables of mixed columns, with gaps or without.",
    avoid="For images and series, whose cells have neighbours.",
    differs="Cells have softmax laws over bins measured in training, some are hidden at random, "
    "and the rate is warmed up.",
    # the held-out bound falls while the rate is warmed up: no patience with that
    training={
        "weight_decay": 0.02,
        "hide": 0.15,
        "batch_size": 256,
        "seen": 320_000,  # more learns large tables by heart
        "average": 0.99,
        "patience": None,
    },
    refit="mixture",
)
def table(
    schema: Schema, *, samples: int = 4, beta_warm_up: float = 0.3, **parts: Any
) -> tuple[Model, Objective]:
    """Assemble a VAE for the columns of a table.

    Args:
        schema: Schema of the data.
        samples: Draws of z for each example; of more than one the importance-weighted bound is
            made, which takes more time and learns more.
        beta_warm_up: Fraction of the training over which the weight of the rate rises to 1.
        **parts: Of the model: see `flat`.
    """
    return flat(schema, **parts), guided(ELBO() if samples == 1 else IWAE(samples), beta_warm_up)
