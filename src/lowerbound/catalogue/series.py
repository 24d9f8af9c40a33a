"""The VAE of series: windows of sensors, one z for each window."""

from typing import Any

from lowerbound.catalogue.flat import flat
from lowerbound.catalogue.guided import guided
from lowerbound.catalogue.policy import MOST_TOGETHER
from lowerbound.catalogue.recipe import recipe
from lowerbound.core import Model
from lowerbound.data import Schema
from lowerbound.errors import SettingError
from lowerbound.likelihoods import AutocorrelatedGaussian, Fields, Gaussian
from lowerbound.objectives import ELBO, Objective

#: Updates of a training, unless that goes through more windows than the second number: with few
#: windows the usual 2,500 end before the bound of held-out ones is at its best
#: (benchmarks/results/series.json).
UPDATES, SEEN = 6000, 140_000
#: Steps before that a deviation from the mean follows on from.
USUAL_ORDER = 8


@recipe(
    "series-vae",
    title="VAE of series",
    year=2019,
    source="as vae; gaps in the encoder by a mask: Mattei & Frellsen, arXiv 1812.02633",
    formula=ELBO.formula,
    use="Windows of sensors and other series of one length, with gaps or without.",
    avoid="For series whose lengths differ much, and for texts.",
    differs="Deviations from the mean are a vector autoregression, of which z says only how large "
    "those of each channel are; cells and stretches of some examples are hidden in training.",
    training={
        "hide": 0.1,
        "batch_size": 64,
        "average": 0.99,
        "clip": 10.0,
        "patience": None,
        "updates": UPDATES,
        "seen": SEEN,
    },
    refit="mixture",
)
def series_vae(
    schema: Schema, *, order: int | None = None, beta_warm_up: float = 0.1, **parts: Any
) -> tuple[Model, Objective]:
    """Assemble a VAE of series, which is trained on the ELBO.

    Args:
        schema: Schema of the data: series.
        order: Steps before that a deviation from the mean follows on from, where values are reals
            of a Gaussian law; 0 for independent ones. 8 if none, for windows of 1,024 cells at
            most: the law is of all of them together.
        beta_warm_up: Fraction of the training over which the weight of the rate rises to 1.
        **parts: Of the model: see `flat`.

    Raises:
        SettingError: The data is no series.
    """
    if not schema.is_series:
        raise SettingError(f"series-vae is for series, the data is {schema.describe()}; use vae")
    model = flat(schema, **parts)
    law = model.likelihood
    if order is None:
        order = USUAL_ORDER if schema.dimensions <= MOST_TOGETHER else 0
    if order and isinstance(law, Fields) and isinstance(cells := law.parts[0], Gaussian):
        steps, channels = schema.shape
        latents = sum(space.units for space in model.latents.values())
        told = 0 if model.told is None else model.told.size
        model.likelihood = AutocorrelatedGaussian(
            law.network, (steps, channels), order, latents + told, cells.location, cells.unit
        )
    return model, guided(ELBO(), beta_warm_up)
