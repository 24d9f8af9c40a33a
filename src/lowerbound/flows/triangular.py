"""The linear map with a triangular matrix."""

import torch
from torch import Tensor, nn

from lowerbound.flows.map import Map, total


class Triangular(Map):
    """y = A (x - m), A lower triangular with a positive diagonal; the identity at the start.

    Under it N(0, I) of y is any Gaussian of x: with x ~ N(m, L L^T), A is the inverse of L.

    Args:
        units: Number `D` of units.
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(units))
        self.log_scale = nn.Parameter(torch.zeros(units))
        # below the diagonal of A, in units of its diagonal
        self.slopes = nn.Parameter(torch.zeros(units, units)) if units > 1 else None

    def forward(
        self, x: Tensor, context: Tensor | None = None, inverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """See `Map.forward`."""
        log_det = total(self.log_scale).expand(x.shape[:-1])
        if inverse:
            y = x * (-self.log_scale).exp()
            if self.slopes is not None:
                one = torch.eye(len(self.shift), dtype=y.dtype, device=y.device)
                unit = one + self.slopes.tril(-1)
                flat = y.reshape(-1, len(self.shift)).mT
                y = torch.linalg.solve_triangular(
                    unit, flat, upper=False, unitriangular=True
                ).mT.reshape(y.shape)
            return y + self.shift, -log_det
        y = x - self.shift
        if self.slopes is not None:
            y = y + y @ self.slopes.tril(-1).mT
        return y * self.log_scale.exp(), log_det

    @torch.no_grad()
    def put(self, mean: Tensor, covariance: Tensor) -> None:
        """Become the map under which N(mean, covariance) is N(0, I)."""
        factor = torch.linalg.cholesky(covariance)
        one = torch.eye(len(mean), dtype=factor.dtype)
        inverse = torch.linalg.solve_triangular(factor, one, upper=False)
        diagonal = torch.diagonal(inverse)
        self.shift.copy_(mean)
        self.log_scale.copy_(diagonal.log())
        if self.slopes is not None:
            self.slopes.copy_((inverse / diagonal.unsqueeze(-1)).tril(-1))
