"""A decoder of counts that are shares of a known total."""

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax


class Sized(nn.Module):
    """Makes log means of counts sum to a total that is told: m_g = total softmax(f(z))_g.

    The last number of a context is the total: (log total - centre) / scale. The network sees the
    others. Its first parameter of each cell becomes log(m_g / u_g), as laws of counts take it.

    Args:
        network: From `(..., D)` to `(..., parameters, G)`.
        units: u, positive, `(G,)`: the means of the training examples. A network of zeros puts
            out these, in proportion to the total.
        centre: Mean of the logarithm of totals.
        scale: Its spread.

    Source: Lopez et al. (2018), Nature Methods 15, 1053, equation 1, the total as observed.

    Example:
        >>> decoder = Sized(lambda z: z.unsqueeze(-2), torch.ones(2), centre=0.0, scale=1.0)
        >>> decoder(torch.tensor([0.0, 0.0, 3.0])).exp().sum()  # e^3 in all, in units of 1
        tensor(20.0855)
    """

    log_units: Tensor

    def __init__(self, network: nn.Module, units: Tensor, *, centre: float, scale: float) -> None:
        super().__init__()
        self.network, self.centre, self.scale = network, centre, scale
        self.register_buffer("log_units", units.detach().log())

    def forward(self, context: Tensor) -> Tensor:
        """From `(..., D + 1)` to `(..., parameters, G)`."""
        first, *others = self.network(context[..., :-1]).split(1, dim=-2)
        log_total = self.centre + self.scale * context[..., -1:].unsqueeze(-2)
        units = self.log_units.to(first.dtype)
        means = log_softmax(units + first, dim=-1) - units + log_total
        return torch.cat([means, *others], dim=-2)

    def __str__(self) -> str:
        return f"{self.network}, of the total"
