"""All parameters of a model in one tensor."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch._utils import _flatten_dense_tensors

#: Numbers up to which laying them out in one tensor pays: beyond, copying gradients into place
#: costs more than a kernel for every tensor. However many processes there are: the state of a
#: training is laid out in the same way, and another number of them can go on with it.
LARGEST = 2**19


class Flat:
    """Parameters that are views of one tensor, and their gradients copied into another.

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
        pieces = whole.split([p.numel() for p in self.parameters])
        for parameter, data in zip(self.parameters, pieces, strict=True):
            parameter.data = data.view_as(parameter)
            parameter.grad = None

    @staticmethod
    def fits(parameters: Sequence[Tensor]) -> bool:
        """Whether these parameters are few numbers of one kind, on a CPU."""
        kinds = {(p.dtype, p.device, p.is_contiguous()) for p in parameters}
        few = sum(p.numel() for p in parameters) <= LARGEST
        return few and len(kinds) == 1 and next(iter(kinds))[1].type == "cpu"

    def collect(self) -> None:
        """Copy the gradient of every parameter into `gradient`; 0 for one that took no part."""
        found = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        self.gradient = self.whole.grad = _flatten_dense_tensors(found)

    def joined(self, pieces: Mapping[int, Tensor]) -> Tensor:
        """One tensor of those that belong to some of the parameters, by their place; 0 elsewhere.

        Raises:
            ValueError: A piece is not as large as its parameter.
        """
        found = [pieces.get(i, torch.zeros_like(p)) for i, p in enumerate(self.parameters)]
        if [piece.numel() for piece in found] != [p.numel() for p in self.parameters]:
            raise ValueError("pieces that are not as large as the parameters")
        return torch.cat([piece.flatten() for piece in found])

    def release(self) -> None:
        """Give every parameter a tensor of its own again."""
        for parameter in self.parameters:
            parameter.data = parameter.data.clone()
            parameter.grad = None


def apart(whole: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """The pieces of one tensor that belong to the parameters; the inverse of `Flat.joined`.

    Raises:
        RuntimeError: It has not as many numbers as they.
    """
    pieces = whole.split([p.numel() for p in parameters])
    return [piece.view(p.shape) for piece, p in zip(pieces, parameters, strict=True)]
