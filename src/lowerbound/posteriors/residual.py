"""The posterior of codes of what codes before them leave."""

import torch
from torch import Tensor, nn

from lowerbound.distributions import Settled
from lowerbound.distributions.codes import nearest
from lowerbound.errors import SettingError
from lowerbound.posteriors.amortised import Amortised
from lowerbound.posteriors.vq import check_codebook, revive, turned


class ResidualQuantised(Amortised):
    """z of vectors, each written by several codes: the first of h(x), each other of what is left.

    Level after level takes the nearest of its own codebook to h(x) less the codes before, so that
    L codes of C tell C^L vectors apart. z has the codes of all levels side by side, coarse before
    fine: a prior of codes sees every one of them, and the decoder adds them up as it likes.
    Gradients, pulls and unused codes are as in `VectorQuantised`, level by level.

    Args:
        network: Maps `(B, *event)` to `(B, 1, D)`; h is the mean of the D numbers over levels.
        codes: How many vectors each codebook has, from 2 to 65536.
        size: Of a vector; `levels` times it divides D.
        levels: Of codebooks, L, from 1.
        commitment: Weight of the pull on the encoder, beside 1 for that on the codebooks.

    Raises:
        SettingError: The numbers do not go together.

    Source: Zeghidour et al. (2021), section III-C, algorithm 1, arXiv 2107.03312; Lee et al.
        (2022), equations 3 to 5, arXiv 2203.01941, for a law of the codes of all levels.
    Differs: z holds the codes beside each other and not their sum; see `VectorQuantised` for the
        gradient.

    Example:
        >>> from lowerbound.networks import MLP
        >>> q = ResidualQuantised(MLP((4,), (1, 6)), codes=8, size=3, levels=2)
        >>> q.eval()(torch.zeros(5, 4)).rsample().shape
        torch.Size([5, 6])
    """

    formula = "the codes nearest to h(x), and to what they leave"
    values = "codes"
    used: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        codes: int = 64,
        size: int = 4,
        levels: int = 2,
        commitment: float = 0.25,
    ) -> None:
        super().__init__(network)
        check_codebook(codes, size, commitment)
        if not 1 <= levels <= 256:
            raise SettingError(f"levels must be from 1 to 256, got {levels}")
        self.commitment = commitment
        self.points = nn.Parameter(torch.randn(levels, codes, size))
        self.register_buffer("used", torch.zeros(levels, codes))

    def forward(self, context: Tensor | None = None) -> Settled:
        """The codes of each x in `context`, `(B, *event)`."""
        h = self.network(context).squeeze(-2)
        levels, _, size = self.points.shape
        if h.shape[-1] % (levels * size):
            raise SettingError(
                f"{levels} levels of vectors of {size} do not divide {h.shape[-1]} latents; choose "
                "another posterior.size or posterior.levels"
            )
        left = h.unflatten(-1, (-1, levels, size)).mean(dim=-2)
        pull, z = h.new_zeros(h.shape[:-1]), []
        for level, (points, used) in enumerate(zip(self.points, self.used, strict=True)):
            if self.training:
                # nothing is left of the vectors that the codes of another level lie on
                revive(points.data, used, left.detach().flatten(end_dim=-2), first=level)
            code = points[nearest(left.detach(), points)]
            pull = pull + (left.detach() - code).square().sum(dim=(-2, -1))
            pull = pull + self.commitment * (left - code.detach()).square().sum(dim=(-2, -1))
            z.append(turned(left, code.detach()))
            left = left - code.detach()
        return Settled(torch.stack(z, dim=-2).flatten(start_dim=-3), pull)

    def extra_repr(self) -> str:
        """Its sizes."""
        return "levels={}, codes={}, size={}".format(*self.points.shape)
