"""From the units of the data to those a network likes."""

import torch
from torch import Tensor, nn


class Standardize(nn.Module):
    """x -> (x - location) / unit, computed in the precision of the data, then in the default one.

    Args:
        location: A number or tensor that broadcasts against the event.
        unit: Likewise, positive.

    Example:
        >>> Standardize(127.5, 127.5)(torch.tensor([0, 255], dtype=torch.uint8))
        tensor([-1.,  1.])
    """

    location: Tensor
    unit: Tensor

    def __init__(self, location: float | Tensor, unit: float | Tensor) -> None:
        super().__init__()
        self.register_buffer("location", torch.as_tensor(location).detach().clone())
        self.register_buffer("unit", torch.as_tensor(unit).detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Same shape, in torch's default floating-point type."""
        return ((x - self.location) / self.unit).to(torch.get_default_dtype())

    def extra_repr(self) -> str:
        """Its numbers, or their shape."""
        if self.location.numel() == 1:
            return f"location={self.location.item():g}, unit={self.unit.item():g}"
        shapes = [tuple(measure.shape) for measure in (self.location, self.unit)]
        return f"location of shape {shapes[0]}, unit of shape {shapes[1]}"
