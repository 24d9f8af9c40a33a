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

    def release(self) -> None:
        """Give every parameter a tensor of its own again."""
        for parameter in self.parameters:
            parameter.data = parameter.data.clone()
            parameter.grad = None


def rearranged(
    pieces: Mapping[int, Tensor], parameters: Sequence[Tensor], *, flat: bool
) -> dict[int, Tensor]:
    """Tensors of the parameters in one tensor, or those in one apart: as a training has them.

    A small model is trained as one tensor, but for one that processes share in pieces (FSDP),
    which is trained parameter by parameter: either goes on from what was kept of the other.

    Args:
        pieces: One tensor at place 0, or one for each parameter at its place.
        parameters: In the order of their places.
        flat: Whether they are wanted in one.

    Raises:
        ValueError: They are not those of these parameters.
    """
    sizes = [p.numel() for p in parameters]
    joined = set(pieces) == {0} and pieces[0].shape == (sum(sizes),)
    if joined == flat or not pieces:
        return dict(pieces)
    if joined:
        apart = zip(pieces[0].split(sizes), parameters, strict=True)
        return {place: piece.view(p.shape) for place, (piece, p) in enumerate(apart)}
    found = [pieces[place] for place in sorted(pieces)]
    if set(pieces) != set(range(len(sizes))) or [piece.numel() for piece in found] != sizes:
        raise ValueError("what was kept is of other parameters")
    return {0: torch.cat([piece.flatten() for piece in found])}


def rearranged_entries(
    entries: Mapping[int, Mapping[str, Tensor]], parameters: Sequence[Tensor], *, flat: bool
) -> dict[int, dict[str, Tensor]]:
    """The same for what an optimiser keeps of each parameter: its moments, and their "step".

    It keeps nothing of a parameter that never had a gradient; in one tensor its moments are 0.

    Raises:
        KeyError: Something is missing from an entry.
        ValueError: The entries are not those of these parameters.
    """
    if not entries:
        return {}
    step = max(entry["step"] for entry in entries.values())
    moments = {}
    for key in sorted({key for entry in entries.values() for key in entry} - {"step"}):
        pieces = {place: entry[key] for place, entry in entries.items()}
        if flat and pieces[min(pieces)].shape != (sum(p.numel() for p in parameters),):
            zeros = {place: torch.zeros_like(p) for place, p in enumerate(parameters)}
            pieces = {**zeros, **pieces}
        moments[key] = rearranged(pieces, parameters, flat=flat)
    places = {place for pieces in moments.values() for place in pieces}
    return {
        place: {
            "step": entries[place]["step"] if place in entries and not flat else step,
            **{key: pieces[place] for key, pieces in moments.items()},
        }
        for place in sorted(places)
    }
