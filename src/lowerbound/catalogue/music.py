"""A VAE of tunes: every place of a few bars is told by z alone."""

from typing import Any

from lowerbound.catalogue.guided import guided
from lowerbound.catalogue.recipe import recipe
from lowerbound.catalogue.slots import SLOTS, Choice, Posterior, Prior
from lowerbound.catalogue.text import TRAINING
from lowerbound.core import Model
from lowerbound.data import Schema
from lowerbound.errors import SettingError
from lowerbound.likelihoods import Autoregressive
from lowerbound.models import VAE
from lowerbound.networks import TuneReader, TuneWriter
from lowerbound.objectives import BetaELBO, Objective
from lowerbound.priors import Site


def tunes(
    schema: Schema,
    *,
    latents: int | None = None,
    prior: Prior = "standard-normal",
    posterior: Posterior = "diagonal",
    hidden: int = 256,
    embedding: int = 64,
    channels: int = 64,
    dropout: float = 0.0,
) -> VAE:
    """Assemble a VAE of tunes.

    Args:
        schema: Schema of the data: tunes.
        latents: Number of latent units; 64 if none.
        prior: p(z), the law that latents are drawn from.
        posterior: q(z|x), the law that stands for p(z|x).
        hidden: Units of the fully connected layers.
        embedding: Numbers a token is looked up as, and a place told from.
        channels: Of the convolutions over time.
        dropout: Share of the fully connected units that a training leaves out.

    Raises:
        SettingError: The data is no tunes.
    """
    if not schema.is_sequence or schema.is_text:
        raise SettingError(f"music-vae is for tunes, the data is {schema.describe()}")
    latents = latents or 64
    levels, (longest,) = schema.levels or 2, schema.shape
    sizes = (hidden, embedding, channels, dropout)
    about = Choice.of(posterior)
    family: Any = SLOTS["posterior"].builders[SLOTS["posterior"].check(about.name)]
    encoder = TuneReader(levels, longest, family.parameters_shape(latents), *sizes)
    encoder.start_small()
    q = family(encoder, **about.settings)
    top = Choice.of(prior)
    build = SLOTS["prior"].builders[SLOTS["prior"].check(top.name)]
    p = build(Site(latents, schema.shape, q), **top.settings)
    return VAE(p, q, Autoregressive(TuneWriter(latents, levels, longest, *sizes), longest))


@recipe(
    "music-vae",
    title="VAE of tunes, all places told at once",
    year=2018,
    source="as vae; tunes as tokens, and beta: Roberts et al., arXiv 1803.05428",
    formula=BetaELBO.formula,
    use="Melodies of a few bars: MIDI files or piano rolls.",
    avoid="For several voices at once: each track is read as one voice, its highest notes.",
    differs="Convolutions that tell all places from z, in place of decoders that see the notes "
    "before; tunes end by a token; beta is 1, which makes the objective a bound.",
    parts=tunes,
    training=TRAINING,
    refit="mixture",
)
def music_vae(
    schema: Schema, *, beta: float = 1.0, beta_warm_up: float = 0.1, **parts: Any
) -> tuple[Model, Objective]:
    """Assemble a VAE of tunes.

    Args:
        schema: Schema of the data.
        beta: Price of a nat of rate: below 1 tunes come back more exactly, and what is maximised
            is no bound.
        beta_warm_up: Fraction of the training over which the rate's weight rises to that.
        **parts: Of the model: see `tunes`.
    """
    return tunes(schema, **parts), guided(BetaELBO(beta), beta_warm_up)
