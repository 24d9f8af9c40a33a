"""A VAE of sequences: what is said as a whole in z, the words by a decoder that sees the past."""

from typing import Any

from lowerbound.catalogue.recipe import recipe
from lowerbound.catalogue.slots import SLOTS, Choice, Posterior, Prior
from lowerbound.core import Model
from lowerbound.data import Schema
from lowerbound.distributions.pieces import BYTES, Pieces
from lowerbound.errors import SettingError
from lowerbound.likelihoods import Autoregressive
from lowerbound.models import VAE
from lowerbound.networks import Reader, Writer
from lowerbound.objectives import ELBO, Objective, Staged
from lowerbound.priors import Site

#: How sequences are trained. Their lengths differ, which a compiled pass does not allow.
TRAINING = {
    "learning_rate": 3e-3,
    "clip": 5.0,
    "average": 0.99,
    "batch_size": 64,
    "compile": "off",
}


def sequences(
    schema: Schema,
    *,
    latents: int | None = None,
    prior: Prior = "standard-normal",
    posterior: Posterior = "diagonal",
    hidden: int = 384,
    embedding: int = 64,
    dropout: float = 0.1,
    tokens: int = 256,
) -> VAE:
    """Assemble a VAE of sequences.

    Args:
        schema: Schema of the data: texts or tunes.
        latents: Number of latent units; 32 if none.
        prior: p(z), the law that latents are drawn from.
        posterior: q(z|x), the law that stands for p(z|x).
        hidden: Units of the decoder; each direction of the encoder has a third of them, of tunes
            half.
        embedding: Numbers a token is looked up as.
        dropout: Share of the decoder's inputs and states that a training leaves out.
        tokens: Of texts: 256 are bytes; more are bytes and pieces of words that often stand
            together, and make training faster.

    Raises:
        SettingError: The data is no sequence of tokens, or there are no more pieces.
    """
    if not schema.is_sequence:
        raise SettingError(
            f"text-vae is for texts and tunes, the data is {schema.describe()}; use vae"
        )
    latents = latents or 32
    levels, (longest,) = schema.levels or 2, schema.shape
    pieces = pieces_of(schema, tokens)
    levels = levels if pieces is None else pieces.levels
    about = Choice.of(posterior)
    family: Any = SLOTS["posterior"].builders[SLOTS["posterior"].check(about.name)]
    encoder = Reader(
        levels, family.parameters_shape(latents), max(1, hidden // (3 if schema.is_text else 2)),
        embedding, pieces and pieces.cut,
    )  # fmt: skip
    encoder.start_small()
    q = family(encoder, **about.settings)
    top = Choice.of(prior)
    build = SLOTS["prior"].builders[SLOTS["prior"].check(top.name)]
    p = build(Site(latents, schema.shape, q), **top.settings)
    writer = Writer(latents, levels, hidden, embedding, dropout)
    return VAE(p, q, Autoregressive(writer, longest, pieces))


def pieces_of(schema: Schema, tokens: int) -> Pieces | None:
    """Return the way to cut texts into pieces of so many; None for bytes.

    Raises:
        SettingError: The training texts have not so many pieces that occur often.
    """
    if tokens == BYTES:
        return None
    pairs = schema.fields[0].pairs if schema.is_text else ()
    if not BYTES < tokens <= BYTES + len(pairs):
        raise SettingError(
            f"tokens={tokens}: the data is {schema.describe()}, for which tokens may be from "
            f"{BYTES} to {BYTES + len(pairs)}"
        )
    return Pieces(pairs[: tokens - BYTES])


@recipe(
    "text-vae",
    title="VAE of sequences, its decoder taught first",
    year=2016,
    source="Bowman et al., arXiv 1511.06349; stages: Li et al., arXiv 1909.00868",
    formula=ELBO.formula,
    use="Texts: one sentence, name or string a line.",
    avoid="For texts of thousands of characters: one z says little of them.",
    differs="Bytes in place of words, so that log p is of the text itself; the decoder is trained "
    "as a language model before the encoder joins.",
    parts=sequences,
    training=TRAINING,
    refit="mixture",
)
def text_vae(
    schema: Schema,
    *,
    alone: float = 0.3,
    cheap: float = 0.35,
    full: float = 0.55,
    price: float = 0.25,
    floor: float = 0.17,
    **parts: Any,
) -> tuple[Model, Objective]:
    """Assemble a VAE of sequences that is trained in stages (`objectives.Staged`).

    Args:
        schema: Schema of the data.
        alone: Fraction of the training that the decoder is alone.
        cheap: Fraction up to which a nat of rate costs `price`.
        full: Fraction from which it costs a nat.
        price: Of a nat of rate until then.
        floor: Free bits of each latent unit until the end, nats; 0 for none.
        **parts: Of the model: see `sequences`.
    """
    return sequences(schema, **parts), Staged(ELBO(), alone, cheap, full, price, floor)
