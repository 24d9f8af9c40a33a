"""The deep Markov model of series: a latent a step, for series of any length."""

from typing import Any

from lowerbound.catalogue.flat import start_at_mean, view_of
from lowerbound.catalogue.guided import guided
from lowerbound.catalogue.laws import laws_for, sites_of
from lowerbound.catalogue.policy import UNITS_OF_STEP
from lowerbound.catalogue.recipe import recipe
from lowerbound.catalogue.slots import Choice, Likelihood
from lowerbound.core import Conditional, Model
from lowerbound.data import Schema
from lowerbound.errors import SettingError
from lowerbound.likelihoods import Fields, RollLikelihood, outputs_of
from lowerbound.models import DeepMarkov
from lowerbound.networks import PerStep, RollWriter, StepReader, Transition
from lowerbound.objectives import ELBO, Objective, Staged


def deep_markov(
    schema: Schema,
    *,
    latents: int | None = None,
    likelihood: Likelihood = "auto",
    hidden: int = 128,
    context: bool = False,
    writer: int = 300,
    dropout: float = 0.3,
) -> DeepMarkov:
    """Assemble a deep Markov model.

    Args:
        schema: Schema of the data: series.
        latents: Latent units of a step; 16 if none.
        likelihood: p(x|z): one law for all cells, or that of their kind if "auto".
        hidden: Units of each direction of the encoder, and of the hidden layers.
        context: Whether a step is also given the steps before it, and each of its cells those of
            the channels before, which are zeros and ones: notes.
        writer: Units of the network that reads the steps before.
        dropout: Share of its states that a training leaves out.

    Raises:
        SettingError: The data is no series, or `context` is asked for and it is not binary.
    """
    if not schema.is_series:
        raise SettingError(f"dmm is for series, the data is {schema.describe()}; use vae")
    if context and schema.kind != "binary":
        raise SettingError(
            f"context=yes is for zeros and ones, the data is {schema.describe()}; leave it out"
        )
    steps, channels = schema.shape
    units = latents or UNITS_OF_STEP
    law: Conditional
    if context:
        law = RollLikelihood(RollWriter(units, channels, writer, dropout=dropout))
    else:
        about = Choice.of(likelihood)
        laws = laws_for(schema, about)
        (cells,) = laws.values()
        decoder = PerStep(units, outputs_of(cells, schema.shape), hidden)
        decoder.start_small()
        if not decoder.past.weight.is_meta:
            start_at_mean(decoder, laws, sites_of(schema, about.name), by_channel=False)
        law = Fields(decoder, cells)
    view = view_of(schema)
    seen = view.shape(schema.shape)[0] // steps * channels
    reader = StepReader(seen, (3, units), hidden)
    return DeepMarkov(Transition(units, hidden), reader, law, view, steps, units)


@recipe(
    "dmm",
    title="Deep Markov model",
    year=2017,
    source="Krishnan, Shalit & Sontag, arXiv 1609.09869",
    formula=ELBO.formula,
    use="Series whose lengths differ, long ones, and rolls of notes.",
    avoid="Where one vector is to stand for a whole series: use series-vae.",
    differs="The transition is a linear map and a network beside it, without a gate; "
    "q(z_t|z_{t-1}, x) is linear in z_{t-1}.",
    parts=deep_markov,
    training={
        "batch_size": 64, "average": 0.99, "clip": 10.0, "compile": "off", "patience": None
    },
)  # fmt: skip
def dmm(
    schema: Schema,
    *,
    beta_warm_up: float = 0.2,
    alone: float = 0.5,
    **parts: Any,
) -> tuple[Model, Objective]:
    """Assemble a deep Markov model that is trained on the ELBO.

    Args:
        schema: Schema of the data.
        beta_warm_up: Fraction of the training over which the weight of the rate rises to 1.
        alone: With `context`, the fraction that the decoder is trained alone, in place of that.
        **parts: Of the model: see `deep_markov`.
    """
    if parts.get("context"):
        return deep_markov(schema, **parts), Staged(ELBO(), alone, alone, alone, 1.0, 0.0)
    return deep_markov(schema, **parts), guided(ELBO(), beta_warm_up)
