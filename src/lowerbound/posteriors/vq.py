"""The posterior of the nearest vectors of a codebook."""

import torch
from torch import Tensor, nn

from lowerbound.distributions import Settled
from lowerbound.distributions.codes import nearest
from lowerbound.errors import SettingError
from lowerbound.posteriors.amortised import Amortised
from lowerbound.processes import current

#: How much of the codes' use is remembered from update to update.
MEMORY = 0.99
#: A code that is used less than this share of an even use is given to another place.
LEAST_USE = 0.1
#: The least length of a vector that is turned.
TINY = 1e-6


class VectorQuantised(Amortised):
    """z of vectors, each the nearest of a learned codebook to what the encoder puts out.

    The gradient of z is turned and stretched as the vector is that becomes its code. Codebook and
    encoder are pulled to each other by a term of log q(z|x) with a gradient and no value. In
    training a code that is hardly used is moved to where some vector of the batch lies: so the
    codebook begins, too.

    Args:
        network: Maps `(B, *event)` to `(B, 1, D)`: the vectors, joined.
        codes: How many vectors the codebook has, from 2 to 65536.
        size: Of a vector; it divides D.
        commitment: Weight of the pull on the encoder, beside 1 for that on the codebook.

    Raises:
        SettingError: The numbers do not go together.

    Source: van den Oord, Vinyals & Kavukcuoglu (2017), equations 1 to 3, arXiv 1711.00937; the
        gradient: Fifty et al. (2025), arXiv 2410.06424.
    Differs: no straight-through gradient, no averages of encodings for a codebook.

    Example:
        >>> from lowerbound.networks import MLP
        >>> q = VectorQuantised(MLP((4,), (1, 6)), codes=8, size=3)
        >>> q.eval()(torch.zeros(5, 4)).rsample().shape
        torch.Size([5, 6])
    """

    formula = "the codes nearest to h(x)"
    values = "codes"
    used: Tensor

    def __init__(
        self, network: nn.Module, *, codes: int = 64, size: int = 4, commitment: float = 0.25
    ) -> None:
        super().__init__(network)
        check_codebook(codes, size, commitment)
        self.commitment = commitment
        self.points = nn.Parameter(torch.randn(codes, size))
        self.register_buffer("used", torch.zeros(codes))

    def forward(self, context: Tensor | None = None) -> Settled:
        """The codes of each x in `context`, `(B, *event)`."""
        h = self.network(context).squeeze(-2)
        size = self.points.shape[-1]
        if h.shape[-1] % size:
            raise SettingError(
                f"vectors of {size} do not divide {h.shape[-1]} latents; choose another "
                "posterior.size"
            )
        h = h.unflatten(-1, (-1, size))
        if self.training:
            revive(self.points, self.used, h.detach().flatten(end_dim=-2))
        code = self.points[nearest(h.detach(), self.points)]
        to_code = (h.detach() - code).square().sum(dim=(-2, -1))
        to_encoder = (h - code.detach()).square().sum(dim=(-2, -1))
        z = turned(h, code.detach()).flatten(start_dim=-2)
        return Settled(z, to_code + self.commitment * to_encoder)

    def extra_repr(self) -> str:
        """Its sizes."""
        return "codes={}, size={}".format(*self.points.shape)


def check_codebook(codes: int, size: int, commitment: float) -> None:
    """Raise `SettingError` if a codebook cannot have such numbers."""
    if not (2 <= codes <= 65536 and size >= 1 and commitment >= 0):
        raise SettingError(
            "a codebook has from 2 to 65536 codes of at least 1 number, and a commitment of at "
            f"least 0, got {codes} of {size}, and {commitment}"
        )


@torch.no_grad()
def revive(points: Tensor, used: Tensor, vectors: Tensor, first: int = 0) -> None:
    """Count which codes vectors take, and move those that hardly any takes to some of them.

    Args:
        points: The codebook, `(C, d)`, changed in place.
        used: How much each code is used, `(C,)`, likewise.
        vectors: `(N, d)`.
        first: The vector that the first code would be moved to.
    """
    group, codes = current(), len(points)
    counts = nearest(vectors, points).bincount(minlength=codes).to(used.dtype)
    counts = group.add(counts)()
    used.mul_(MEMORY).add_(counts / counts.sum(), alpha=1 - MEMORY)
    dead = used < LEAST_USE / codes
    # batches come in random order: any of their vectors are random ones
    step = max(1, len(vectors) // codes)
    there = vectors[(torch.arange(codes, device=vectors.device) * step + first) % len(vectors)]
    # the same in all processes: those of the first
    there = group.add(there * float(group.first))()
    there = torch.where(there.isfinite(), there, points)
    points.copy_(torch.where(dead.unsqueeze(-1), there, points))
    used.masked_fill_(dead, 1 / codes)


def turned(h: Tensor, code: Tensor) -> Tensor:
    """Return the code, its gradient that of h turned to its direction and stretched to its length.

    Args:
        h: Vectors, `(..., d)`.
        code: Constant, `(..., d)`.
    """
    lengths = h.detach().norm(dim=-1, keepdim=True), code.norm(dim=-1, keepdim=True)
    before, after = (length.clamp(min=TINY) for length in lengths)
    u, v = h.detach() / before, code / after
    w = u + v
    w = w / w.norm(dim=-1, keepdim=True).clamp(min=TINY)
    along = h - 2 * (h * w).sum(dim=-1, keepdim=True) * w
    along = (along + 2 * (h * u).sum(dim=-1, keepdim=True) * v) * (after / before)
    return code + (along - along.detach())
