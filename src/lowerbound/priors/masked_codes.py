"""A law of codes, each given those before it, as a prior."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, silu

from lowerbound.core import Conditional
from lowerbound.distributions import Codes
from lowerbound.errors import SettingError
from lowerbound.priors.site import Site
from lowerbound.priors.standard_normal import check_latents


class CodesPrior(Conditional):
    """p(z) = prod_m p(z_m | z_1 ... z_(m-1)) of variables that each take a code; uniform at first.

    A masked network of the codes before says the chances of the next; without one the variables
    are independent, and their chances learned.

    Args:
        latents: Number `D` of numbers that z is written in, `size` for each variable.
        codes: How many there are, at least 2.
        size: Of a code; it divides D.
        width: Of the two hidden layers; 0 for independent variables.
        posterior: Whose codes they are; None for codes of its own, which a refit puts there.
        levels: Of codebooks of its own, which the variables have in turn; 0 for one of all.

    Raises:
        SettingError: The numbers do not go together.

    Source: van den Oord, Vinyals & Kavukcuoglu (2017), section 3.3, arXiv 1711.00937; the masks:
        Germain et al. (2015), equation 12, arXiv 1502.03509.

    Example:
        >>> CodesPrior(6, codes=4, size=2)().sample((5,)).shape
        torch.Size([5, 6])
    """

    formula = "prod_m p(z_m | z_1 ... z_(m-1))"
    values = "codes"
    own: Tensor
    mask0: Tensor
    mask1: Tensor
    mask2: Tensor

    def __init__(
        self,
        latents: int,
        codes: int = 2,
        size: int = 1,
        width: int = 0,
        posterior: Conditional | None = None,
        levels: int = 0,
    ) -> None:
        super().__init__()
        check_latents(latents)
        if codes < 2 or size < 1 or latents % (size * max(levels, 1)) or not 0 <= width <= 65536:
            raise SettingError(
                f"{latents} latents are no codes of {size} numbers, of which there are {codes}, "
                + (f"of {levels} levels, " if levels else "")
                + f"under a network {width} wide; choose other numbers"
            )
        self.posterior, self.variables = posterior, latents // size
        self.width = width = width if latents > size else 0
        if posterior is None:
            own = torch.linspace(-1.0, 1.0, codes).unsqueeze(-1).expand(codes, size)
            self.register_buffer("own", own.repeat(levels, 1, 1) if levels else own.clone())
        self.bias = nn.Parameter(torch.zeros(self.variables, codes))
        if width:
            # a hidden unit of degree m sees the variables 0 ... m, the logits of m those below m
            seen = torch.arange(self.variables).repeat_interleave(size)
            inner = torch.arange(width) % max(self.variables - 1, 1)
            ends = torch.arange(self.variables).repeat_interleave(codes)
            self.register_buffer("mask0", inner[:, None] >= seen, persistent=False)
            self.register_buffer("mask1", inner[:, None] >= inner, persistent=False)
            self.register_buffer("mask2", ends[:, None] > inner, persistent=False)
            self.first = nn.Parameter(torch.randn(width, latents) / math.sqrt(latents / 2))
            self.second = nn.Parameter(torch.randn(width, width) / math.sqrt(width / 2))
            self.shifts = nn.Parameter(torch.zeros(2, width))
            self.last = nn.Parameter(torch.zeros(self.variables * codes, width))

    @property
    def points(self) -> Tensor:
        """The codes, `(C, d)`, or of each level, `(L, C, d)`."""
        return self.own if self.posterior is None else self.posterior.points  # type: ignore[return-value]

    def logits(self, z: Tensor) -> Tensor:
        """Return the logits of every variable given those before it, `(..., M, C)`."""
        if not self.width:
            return self.bias.expand(*z.shape[:-1], *self.bias.shape)
        h = silu(linear(z, self.first * self.mask0, self.shifts[0]))
        h = silu(linear(h, self.second * self.mask1, self.shifts[1]))
        return linear(h, self.last * self.mask2).unflatten(-1, self.bias.shape) + self.bias

    def forward(self, context: Tensor | None = None) -> Codes:
        """Return the prior, event `(D,)`; it ignores `context`."""
        return Codes(self.points.detach(), self.variables, self.logits)

    def extra_repr(self) -> str:
        """Its sizes."""
        return "variables={}, codes={}, width={}".format(*self.bias.shape, self.width)


def codes(site: Site, *, width: int = 0) -> CodesPrior:
    """Chances of codes, for the posteriors "fsq", "vq" and "residual".

    Args:
        site: Its place in the model.
        width: Of the masked network of the codes before; 0 for independent codes.
    """
    if site.posterior.values != "codes":  # refused where the two meet
        return CodesPrior(site.latents, width=width)
    points: Tensor = site.posterior.points  # type: ignore[assignment]
    *levels, count, size = points.shape
    return CodesPrior(site.latents, count, size, width, site.posterior, *levels)
