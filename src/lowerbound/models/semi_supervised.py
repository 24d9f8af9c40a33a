"""A VAE whose class is a latent of its own, known of some examples."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.distributions import Distribution

from lowerbound.core import UNTOLD, Batch, Choose, Conditional, Factor, Model, Space
from lowerbound.distributions import OneHot
from lowerbound.models.vae import VAE

#: Log of the chance of another class than the one that is told.
NEVER = -1e4


class SemiSupervised(Model):
    """p(x, y, z) = p(y) p(z) p(x|z, y), with q(y|x) q(z|x, y): y is the class of x.

    Its figures are those of p(x), whoever knows y: labels reach it through an objective
    (`objectives.SemiSupervised`), or where there is no x: a condition is the class to draw.

    Args:
        vae: p(z), q(z|x, y) and p(x|z, y), told one condition: y.
        classes: p(y), `OneHot` of one variable.
        classifier: q(y|x), likewise, from what the VAE's view shows of x.

    Source: Kingma, Rezende, Mohamed & Welling (2014), model M2, section 2.2, arXiv 1406.5298.
    """

    def __init__(self, vae: VAE, classes: Conditional, classifier: Conditional) -> None:
        super().__init__()
        self.vae, self.classes, self.classifier = vae, classes, classifier

    @property
    def latents(self) -> Mapping[str, Space]:
        """The class "y", and "z"."""
        size = tuple(self.classes().event_shape)
        return {"y": Space(size, discrete=True), **self.vae.latents}

    def descend(
        self, choose: Choose, batch: Batch | None = None, condition: Tensor | None = None
    ) -> Distribution:
        """See `Model.descend`: ask for y and z, return p(x|z, y)."""
        p, q = self.classes(), None
        if batch is not None:
            q = self.classifier(self.vae.view(batch))
        elif condition is not None:
            p = self._told(condition)
        y = choose("y", p, q)
        return self.vae.descend(choose, batch, y.argmax(dim=-1, keepdim=True))

    def _told(self, condition: Tensor) -> OneHot:
        """Return p(y) where nothing is told, and certainty where a class is, batch `(B,)`."""
        open_ = self.classes().logits  # pyright: ignore[reportAttributeAccessIssue]
        codes = condition[..., :1].unsqueeze(-1)
        other = codes != torch.arange(open_.shape[-1], device=codes.device)
        return OneHot(torch.where((codes != UNTOLD) & other, NEVER, open_))

    def check(self, x: Tensor, observed: Tensor | None = None, name: str = "x") -> None:
        """See `Model.check`: the likelihood knows."""
        self.vae.check(x, observed, name)

    def __str__(self) -> str:
        """The factorisation, and how large each factor is."""
        lines = ["classes and z: p(x, y, z) = p(y) p(z) p(x|z, y), with q(y|x) q(z|x, y)"]
        for one in self.describe()[:2]:
            size = f"{one.parameters:,} parameters"
            lines.append(f"  {one.name:<10} {one.symbol:<6} = {one.formula:<36} {size:>18}")
        return "\n".join([*lines, str(self.vae)])

    def describe(self) -> list[Factor]:
        """List the factors of the VAE, p(y) and q(y|x)."""
        own = ("classes", "p(y)", self.classes), ("classifier", "q(y|x)", self.classifier)
        return [
            *(
                Factor(name, symbol, part.formula, sum(p.numel() for p in part.parameters()))
                for name, symbol, part in own
            ),
            *self.vae.describe(),
        ]
