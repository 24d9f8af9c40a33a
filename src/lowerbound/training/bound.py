"""The bound of a batch and its sums, computed in every update; compiled where that is repaid."""

import types
import warnings
from collections.abc import Callable
from dataclasses import is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from lowerbound.core import Model
from lowerbound.core.trace import Trace
from lowerbound.data import Batch
from lowerbound.objectives import Objective
from lowerbound.objectives.annealed import Tempered
from lowerbound.objectives.discrete import check_gradient
from lowerbound.objectives.objective import Wrapper
from lowerbound.seeding import random_state, set_random_state
from lowerbound.training.execution import Execution

#: The bound of each example, `(B,)`; bound, distortion, rate and 1 summed over them, `(4,)`; the
#: trace, if it was kept.
Result = tuple[Tensor, Tensor, Trace | None]
BoundOf = Callable[[Model, Objective, Batch], Result]


def bound_of(model: Model, objective: Objective, batch: Batch) -> Result:
    """Compute the bound of a batch and its sums."""
    trace = objective.trace(model, batch)
    check_gradient(objective, trace)
    bound = objective.reduce(trace)
    with torch.no_grad():
        count = torch.full_like(bound.value, 1.0)
        sums = torch.stack([bound.value, bound.distortion, bound.rate, count]).sum(dim=1)
    return bound.value, sums, trace


def without_trace(model: Model, objective: Objective, batch: Batch) -> tuple[Tensor, Tensor]:
    """Compute what `bound_of` does, but for the trace, which a compiled pass need not keep."""
    return bound_of(model, objective, batch)[:2]


def _tempered_by_tensor(objective: Objective, device: torch.device) -> Objective:
    """Move the annealed weight into a tensor, so that a new value does not recompile."""
    if isinstance(objective, Tempered):
        beta = torch.as_tensor(objective.beta, device=device)
        return Tempered(_tempered_by_tensor(objective.objective, device), beta)  # type: ignore[arg-type]
    if isinstance(objective, Wrapper) and is_dataclass(objective):
        return replace(objective, objective=_tempered_by_tensor(objective.objective, device))
    return objective


class Compiled:
    """`bound_of`, compiled for the shapes it meets first; other shapes run as they are.

    Where the compiler is missing or gives up, everything runs as it is, and `failure` says why.
    Random numbers are torch's own, so that compiling changes no draw.
    """

    def __init__(self, execution: Execution) -> None:
        options: dict[str, Any] = {"fallback_random": True, "triton.cudagraphs": execution.graphs}
        # torch keeps compiled versions with a function's code, only a few of each: hence a copy
        own = types.FunctionType(without_trace.__code__.replace(), without_trace.__globals__)
        self._fast: Callable[..., tuple[Tensor, Tensor]] | None = torch.compile(
            own, dynamic=False, options=options
        )
        self._shape: torch.Size | None = None
        self.failure = ""

    def __call__(self, model: Model, objective: Objective, batch: Batch) -> Result:
        if self._fast is None or (self._shape is not None and batch.x.shape != self._shape):
            return bound_of(model, objective, batch)
        device = batch.x.device
        objective = _tempered_by_tensor(objective, device)
        if self._shape is not None:
            return *self._fast(model, objective, batch), None
        before = random_state(device)
        try:
            result = self._fast(model, objective, batch)
        except Exception as error:  # whatever a compiler may raise
            self._fast, self.failure = None, (str(error).strip().splitlines() or [""])[0][:200]
            set_random_state(before, device)
            warnings.warn(f"not compiled after all: {self.failure}", RuntimeWarning, stacklevel=2)
            return bound_of(model, objective, batch)
        self._shape = batch.x.shape
        return *result, None
