"""A training at one moment: all that exact resume needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lowerbound.errors import RunError
from lowerbound.training.execution import Execution
from lowerbound.training.history import Epoch


@dataclass(frozen=True)
class State:
    """A training, or a part of one, between two updates.

    Every part of a training has `state()`, which copies what it remembers, and `restore(state)`,
    which goes on from there. The state of the whole is made `of` its parts.

    Attributes:
        tensors: Weights, optimiser, averages, random state and sums, on the CPU.
        values: Everything else, as plain JSON values.
    """

    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]

    @classmethod
    def of(cls, values: Mapping[str, Any], **parts: "State | None") -> "State":
        """Join the states of parts under their names with further values; None is no part."""
        joined = {name: None if part is None else dict(part.values) for name, part in parts.items()}
        there = [(name, part) for name, part in parts.items() if part is not None]
        tensors = {
            f"{name}.{key}": tensor for name, part in there for key, tensor in part.tensors.items()
        }
        return cls(tensors, {**values, **joined})

    def part(self, name: str) -> "State":
        """Take the part that was joined under this name."""
        start = f"{name}."
        tensors = {
            key.removeprefix(start): tensor
            for key, tensor in self.tensors.items()
            if key.startswith(start)
        }
        return State(tensors, self.values[name])

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return len(self.values["progress"]["history"])

    @property
    def history(self) -> tuple[Epoch, ...]:
        """One record for each finished epoch."""
        return tuple(Epoch.from_json(record) for record in self.values["progress"]["history"])

    @property
    def execution(self) -> Execution:
        """The way in which updates were executed; `RunError` if it is not told."""
        try:
            return Execution.from_json(self.values["execution"])
        except (KeyError, TypeError) as error:
            raise RunError(f"this state is damaged: {error}; fit again") from error


def copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors to the CPU, by name."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
    }


@torch.no_grad()
def fill(targets: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Copy values into the tensors of the same names, each laid out as it is.

    Raises:
        ValueError: Names, shapes or dtypes differ; then nothing was copied.
    """
    for name in targets.keys() | values.keys():
        if name not in targets or name not in values:
            raise ValueError(f"{name} is missing, or one too many")
        target, value = targets[name], values[name]
        if (target.shape, target.dtype) != (value.shape, value.dtype):
            raise ValueError(f"{name} has another shape or dtype")
    for name, target in targets.items():
        target.copy_(values[name])
