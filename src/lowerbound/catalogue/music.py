"""A VAE of tunes: that of texts, over notes."""

from typing import Any

from lowerbound.catalogue.recipe import recipe
from lowerbound.catalogue.text import TRAINING, sequences
from lowerbound.core import Model
from lowerbound.data import Schema
from lowerbound.objectives import BetaELBO, Objective, Staged


@recipe(
    "music-vae",
    title="VAE of tunes, its decoder taught first",
    year=2018,
    source="Roberts et al., arXiv 1803.05428; stages: Li et al., arXiv 1909.00868",
    formula=BetaELBO.formula,
    use="Melodies of a few bars: MIDI files or piano rolls.",
    avoid="For several voices at once: each track is read as one voice, its highest notes.",
    differs="One recurrent decoder in place of two, trained alone before the encoder joins; tunes "
    "end by a token; beta is 1, which makes the objective a bound.",
    parts=sequences,
    training=TRAINING,
)
def music_vae(
    schema: Schema,
    *,
    beta: float = 1.0,
    alone: float = 0.2,
    cheap: float = 0.5,
    full: float = 0.85,
    price: float = 0.1,
    floor: float = 0.15,
    **parts: Any,
) -> tuple[Model, Objective]:
    """Assemble a VAE of tunes that is trained in stages (`objectives.Staged`).

    Args:
        schema: Schema of the data.
        beta: Price of a nat of rate in the end: below 1 tunes come back more exactly, and what is
            maximised is no bound.
        alone: Fraction of the training that the decoder is alone.
        cheap: Fraction up to which a nat of rate costs `price` of that.
        full: Fraction from which it costs all of it.
        price: Of a nat of rate until then.
        floor: Free bits of each latent unit until the end, nats; 0 for none.
        **parts: Of the model: see `sequences`.
    """
    return sequences(schema, **parts), Staged(BetaELBO(beta), alone, cheap, full, price, floor)
