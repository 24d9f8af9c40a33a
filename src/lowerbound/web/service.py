"""The uses of one trained model on plain values, as JSON has them."""

import math
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lowerbound.applications import decode, encode, generate, reconstruct
from lowerbound.data import Examples, columns_of, read_examples
from lowerbound.errors import SettingError, ShapeError
from lowerbound.evaluation import score
from lowerbound.runs import Run

#: Examples in one request, and cells of all of them together.
MOST_EXAMPLES, MOST_CELLS = 10_000, 2**24
#: Draws of z for each example of a score.
MOST_SAMPLES = 10_000


class Service:
    """Answers requests about one run; values go in and out as JSON has them.

    Examples are rows of a table, each an object by column names, or nested lists of numbers
    `(N, *shape)`, and come back alike. Latents are lists of numbers `(N, D)`.

    Args:
        run: A trained run, its model on the device that answers.

    Raises:
        ShapeError: Values of another shape than the model's (raised by the methods).
        DataError: Values that the model's data does not have.
        SettingError: A number of examples or draws that is not allowed.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.model, self.schema = run, run.model, run.schema
        self.lock = threading.Lock()

    def about(self) -> dict[str, Any]:
        """Describe the run: data, latents, recipe, schema."""
        return {
            "data": self.schema.describe(),
            "recipe": self.run.spec.recipe,
            "latents": {name: list(space.shape) for name, space in self.model.latents.items()},
            "shape": list(self.schema.shape),
            "columns": list(self.schema.columns or ()) or None,
            "schema": self.schema.to_json(),
        }

    def generate(
        self, count: int = 1, seed: int | None = None, draw: bool = True, temperature: float = 1.0
    ) -> dict[str, Any]:
        """Draw new examples."""
        self._check_count(count)
        x = generate(self.model, count, seed=seed, draw=draw, temperature=temperature)
        return {"examples": self.plain(x)}

    def encode(self, examples: Any) -> dict[str, Any]:
        """Encode examples: the centres of q(z|x)."""
        return {"latents": encode(self.model, self.examples(examples)).mean.tolist()}

    def decode(self, latents: Any, draw: bool = False, seed: int | None = None) -> dict[str, Any]:
        """Decode latents."""
        z = _numbers(latents, "latents")
        self._check_count(len(z))
        return {
            "examples": self.plain(decode(self.model, torch.from_numpy(z), draw=draw, seed=seed))
        }

    def reconstruct(self, examples: Any) -> dict[str, Any]:
        """Encode examples and decode them again."""
        return {"examples": self.plain(reconstruct(self.model, self.examples(examples)))}

    def score(self, examples: Any, samples: int = 100) -> dict[str, Any]:
        """Bound log p(x) of each example from below, nats; the same each time."""
        if not 1 <= samples <= MOST_SAMPLES:
            raise SettingError(f"samples is 1 to {MOST_SAMPLES:,}, got {samples}")
        found = score(self.model, self.examples(examples), samples, seed=self.run.spec.seed)
        return {
            "elbo": _finite(found.elbo.tolist()),
            "log_likelihood": _finite(found.log_likelihood.tolist()),
        }

    def examples(self, given: Any) -> Examples:
        """Read examples as the data of the training were read.

        Raises:
            ShapeError: They are not a list, or of another shape.
        """
        if not isinstance(given, Sequence) or isinstance(given, str) or not len(given):
            raise ShapeError("examples is a list of at least one example")
        self._check_count(len(given))
        if self.schema.is_table and all(isinstance(row, Mapping) for row in given):
            import pyarrow

            names = list(dict.fromkeys(str(name) for row in given for name in row))
            source: Any = pyarrow.table(
                {name: _column([row.get(name) for row in given], name) for name in names}
            )
        else:
            source = _numbers(given, "examples")
        return read_examples(source, self.schema)[0].load()

    def plain(self, x: Tensor) -> list[Any]:
        """Give examples as JSON has them: rows by column names, or nested lists."""
        if not self.schema.is_table:
            return _finite(x.tolist())
        columns = {name: column.tolist() for name, column in columns_of(x, self.schema).items()}
        rows = zip(*columns.values(), strict=True)
        return [dict(zip(columns, _finite(list(row)), strict=True)) for row in rows]

    def _check_count(self, count: int) -> None:
        most = max(1, min(MOST_EXAMPLES, MOST_CELLS // self.schema.dimensions))
        if not 1 <= count <= most:
            raise SettingError(f"a request is about 1 to {most:,} examples, got {count:,}")


def _column(cells: list[Any], name: str) -> list[Any]:
    kinds = {type(cell) for cell in cells if cell is not None}
    if not kinds <= {int, float} and not kinds <= {str} and not kinds <= {bool}:
        raise ShapeError(f"column {name!r} mixes words and numbers, or holds lists")
    return cells


def _numbers(given: Any, name: str) -> np.ndarray:
    """Make an array `(N, ...)` of nested lists of numbers; null is nan."""
    try:
        found = np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ShapeError(f"{name} is nested lists of numbers, all of one length") from None
    if found.ndim < 2:
        raise ShapeError(f"{name} is a list of lists of numbers, one list for each example")
    return found


def _finite(values: list[Any]) -> list[Any]:
    """Put None in place of numbers that JSON does not have."""
    return [
        _finite(value) if isinstance(value, list)
        else None if isinstance(value, float) and not math.isfinite(value)
        else value
        for value in values
    ]  # fmt: skip
