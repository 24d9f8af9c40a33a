"""Which component of p(z), or which class, an example belongs to."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.applications.chunks import by_chunks
from lowerbound.core import Model, device_of
from lowerbound.data import Examples, Source
from lowerbound.distributions import Mixture, OneHot
from lowerbound.errors import SettingError
from lowerbound.seeding import seeded


@dataclass(frozen=True)
class Clusters:
    """Chances of components, given each example.

    Attributes:
        chances: q(c|x), `(N, C)`, rows of sum 1.
    """

    chances: Tensor

    @property
    def component(self) -> Tensor:
        """The likeliest component of each example, `(N,)`."""
        return self.chances.argmax(dim=1)

    @property
    def effective(self) -> float:
        """Number of components in use: e^H of their shares of the examples, from 1 to C."""
        shares = self.chances.mean(dim=0)
        return float(torch.special.entr(shares).sum().exp())


def clusters(
    model: Model, examples: Source | Tensor, *, samples: int = 20, seed: int | None = 0
) -> Clusters:
    """Compute q(c|x) = E_q(z|x)[p(c|z)], with p(c|z) of a mixture prior; or q(y|x) of a class.

    Args:
        model: Its top group has a mixture as its prior, or is one variable of some classes.
        examples: `N` examples, or an array `(N, *event)`.
        samples: Draws of z for each example.
        seed: Of the draws; None for a fresh one.

    Returns:
        Chances of the `C` components, on the CPU.

    Raises:
        SettingError: The model has no components.

    Source: Jiang et al. (2017), arXiv 1611.05148, with more than one draw.
    """
    source = Examples(examples) if isinstance(examples, Tensor) else examples

    def step(some: slice, device: torch.device) -> Tensor:
        found: list[Tensor] = []

        def choose(name: str, p: Distribution, q: Distribution | None) -> Tensor:
            if q is None:
                raise SettingError(f"group '{name}' has no q(z|x)")
            if isinstance(p, Mixture) and not found:
                z = q.sample(torch.Size([samples]))
                found.append(p.log_shares(z).softmax(dim=-1).mean(dim=0))
            elif isinstance(q, OneHot) and q.logits.shape[-2] == 1 and not found:
                found.append(q.mean)
            return q.sample()

        model.infer(choose, source.batch(some).to(device))
        if not found:
            raise SettingError(
                "this model has no components: fit a mixture to it with lowerbound refit RUN "
                "--prior mixture, or train one with --set prior=mixture"
            )
        return found[0].double()

    with seeded(seed, device_of(model)):
        return Clusters(by_chunks(model, len(source), step, drawn=True))
