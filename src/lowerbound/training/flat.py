"""All parameters of a small model in one tensor."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

#: Numbers up to which laying them out in one tensor pays: beyond, adding gradients into place
#: costs more than a kernel for every tensor.
SMALL = 2**18


class Flat:
    """Parameters that are views of one tensor, and their gradients of another.

    The optimiser, the norm of the gradient and the average then take one kernel in place of one
    for each tensor, of which a small model has many.

    Args:
        parameters: Of one dtype and on one device; see `fits`.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = list(parameters)
        whole = torch.cat([p.detach().flatten() for p in self.parameters])
        self.whole = nn.Parameter(whole)
        self.gradient = self.whole.grad = torch.zeros_like(whole)
        sizes = [p.numel() for p in self.parameters]
        pieces = zip(whole.split(sizes), self.gradient.split(sizes), strict=True)
        for parameter, (data, gradient) in zip(self.parameters, pieces, strict=True):
            parameter.data = data.view_as(parameter)
            parameter.grad = gradient.view_as(parameter)

    @staticmethod
    def fits(parameters: Sequence[Tensor]) -> bool:
        """Whether these parameters are few numbers of one kind, on a CPU."""
        kinds = {(p.dtype, p.device, p.is_contiguous()) for p in parameters}
        small = sum(p.numel() for p in parameters) <= SMALL
        return small and len(kinds) == 1 and next(iter(kinds))[1].type == "cpu"

    def release(self) -> None:
        """Give every parameter a tensor of its own again."""
        for parameter in self.parameters:
            parameter.data = parameter.data.clone()
            parameter.grad = None
