"""The exemplar prior: a Gaussian about the encoding of each of many training examples."""

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from lowerbound.core import Conditional
from lowerbound.distributions import CellNormal, Independent, Mixture, centre
from lowerbound.errors import SettingError
from lowerbound.priors.mixture import check_components
from lowerbound.priors.site import Site
from lowerbound.priors.standard_normal import check_latents
from lowerbound.processes import current


class ExemplarPrior(Conditional):
    """p(z) = 1/M sum_n N(z; m(x_n), s^2 I) about the means of q of M training examples, s learned.

    While it is trained, the exemplars of an example are the others of its batch, never itself:
    with itself among them the rate falls to nothing and the model remembers its examples. At all
    other times they are the last M examples that were trained on, whose means are saved with the
    weights.

    Args:
        latents: Number `D` of latent units, at least 1.
        exemplars: Number `M` that are kept, at least 1.

    Raises:
        SettingError: `exemplars` is out of range; or several processes share a training (raised by
            `among`).

    Source: Norouzi, Fleet & Norouzi (2020), arXiv 2004.04795.
    Differs: in training the exemplars are the rest of the batch, and not a sample of the whole
        data with its nearest neighbours.

    Example:
        >>> ExemplarPrior(2, exemplars=5)().sample((3,)).shape
        torch.Size([3, 2])
    """

    formula = "1/M sum_n N(m(x_n), s^2 I)"
    means: Tensor
    place: Tensor

    def __init__(self, latents: int, exemplars: int = 1000) -> None:
        super().__init__()
        check_latents(latents)
        check_components(exemplars)
        self.log_scale = nn.Parameter(torch.zeros(()))
        self.register_buffer("means", torch.randn(exemplars, latents))
        self.register_buffer("place", torch.zeros((), dtype=torch.long))

    def forward(self, context: Tensor | None = None) -> Mixture:
        """Return the prior about the examples that are kept, event `(D,)`; it ignores `context`."""
        return self._about(self.means, self.means.new_zeros(len(self.means)))

    def among(self, q: Distribution, context: Tensor | None = None) -> Mixture:
        """Return p(z) of each example about the others, batch `(B,)`, and keep them all."""
        means = centre(q)
        rows = len(means)
        if current().size > 1:
            raise SettingError(
                "an exemplar prior is trained in one process, where the examples of a batch meet; "
                "use prior=vamp for several"
            )
        if rows < 2:  # the last batch of an epoch may be one example
            return self(context)
        with torch.no_grad():
            last = means[-len(self.means) :].to(self.means.dtype)
            places = (torch.arange(len(last), device=means.device) + self.place) % len(self.means)
            # a batch of nan, which training skips, leaves none here
            last = torch.where(last.isfinite(), last, self.means[places])
            self.means.index_copy_(0, places, last)
            self.place.add_(len(last))
        itself = torch.eye(rows, dtype=torch.bool, device=means.device)
        return self._about(means, means.new_zeros(rows, rows).masked_fill(itself, -torch.inf))

    def _about(self, means: Tensor, log_weights: Tensor) -> Mixture:
        scale = self.log_scale.exp().expand_as(means)
        return Mixture(log_weights, Independent(CellNormal(means, scale), 1))

    def extra_repr(self) -> str:
        """Its sizes."""
        return "exemplars={}, latents={}".format(*self.means.shape)


def exemplar(site: Site, *, exemplars: int = 1000) -> ExemplarPrior:
    """A Gaussian about the encoding of each of many training examples.

    Args:
        site: Its place in the model.
        exemplars: How many are kept.
    """
    return ExemplarPrior(site.latents, exemplars)
