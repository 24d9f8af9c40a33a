"""Training in stages, so that a decoder that could do without z learns to use it."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.core import Batch, Bound, Latent, Model, Trace, Traceable, dtype_of
from lowerbound.distributions import log_prob
from lowerbound.errors import SettingError
from lowerbound.objectives.annealed import Tempered
from lowerbound.objectives.elbo import ELBO
from lowerbound.objectives.free_bits import FreeBits
from lowerbound.objectives.objective import Objective, Wrapper


@dataclass(frozen=True)
class WithoutLatents(Wrapper):
    """log p(x | z = 0): the decoder alone, which for sequences is a language model.

    A training by it to the end makes the bar for a VAE of that decoder.

    Args:
        objective: The objective of the last stage.
    """

    objective: Objective

    @property
    def formula(self) -> str:  # type: ignore[override]
        """That of the decoder alone."""
        return "log p(x | z = 0)"

    @property
    def criterion(self) -> Objective:
        """Itself: held-out data judges a language model by its exact log p(x)."""
        return self

    def trace(self, model: Traceable, batch: Batch) -> Trace:
        """Trace the model at z = 0, without asking the encoder: the rate is 0.

        Raises:
            SettingError: It is no `Model`, and cannot be asked without x.
        """
        if not isinstance(model, Model):
            raise SettingError(
                f"{type(model).__name__} is no Model: its decoder has no stage alone"
            )
        zero = torch.zeros((), dtype=dtype_of(model), device=batch.x.device)
        none = zero.double().expand(1, len(batch))
        latents: dict[str, Latent] = {}

        def nothing(name: str, p: Distribution, q: Distribution | None) -> Tensor:
            z = zero.expand(1, len(batch), *p.event_shape)
            latents[name] = Latent.known(z, none, none, p, p, none.unsqueeze(-1))
            return z

        law = model.descend(nothing, None, batch.condition)
        return Trace(log_prob(law, batch.x, batch.observed), latents)

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """See `Objective.reduce`: the rate has weight 0, and the encoder no gradient."""
        return ELBO().reduce(trace, 0.0)


@dataclass(frozen=True)
class Staged(Wrapper):
    """An ELBO reached in stages: the decoder alone, a cheap rate, then the full price.

    A decoder that sees x_<t can explain x without z, and a training from scratch ends there. Here
    it first learns all that it can know without z; then the encoder joins while a nat of rate
    costs `price`; then the price rises to 1 over a floor of free bits.

    Args:
        objective: The ELBO.
        alone: Fraction of the training that the decoder is alone, in [0, 1).
        cheap: Fraction up to which a nat of rate costs `price`.
        full: Fraction from which it costs a nat.
        price: In (0, 1].
        floor: Free bits of each latent unit, nats; 0 for none.

    Source: the stages are close to Li et al. (2019), arXiv 1909.00868, with a language model in
        place of an autoencoder at the start.
    """

    objective: Objective
    alone: float = 0.4
    cheap: float = 0.58
    full: float = 0.85
    price: float = 0.1
    floor: float = 0.15

    @property
    def ripe(self) -> float:  # type: ignore[override]
        """The fraction before which no weights are judged: that at which the full price holds."""
        return self.full

    def reduce(self, trace: Trace, beta: float = 1.0) -> Bound:
        """Reduce as in the end: at the full price, over the floor."""
        return self._floored.reduce(trace, beta)

    @property
    def _floored(self) -> Objective:
        return FreeBits(self.objective, self.floor) if self.floor else self.objective

    def at(self, fraction: float) -> Objective:
        """The stage that the training is in."""
        if fraction < self.alone:
            return WithoutLatents(self.objective)
        if fraction < self.cheap:
            return Tempered(self._floored, self.price)
        risen = min(1.0, (fraction - self.cheap) / max(1e-9, self.full - self.cheap))
        return Tempered(self._floored, self.price + (1.0 - self.price) * risen)
