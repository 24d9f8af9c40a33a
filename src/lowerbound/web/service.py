"""The uses of one trained model on plain values, as JSON has them."""

import math
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lowerbound.applications import (
    complete,
    condition_of,
    decode,
    encode,
    generate,
    generate_rows,
    generate_where,
    impute,
    reconstruct,
)
from lowerbound.core import Batch
from lowerbound.data import (
    Examples,
    columns_of,
    condition_codes,
    read_examples,
    texts_of,
)
from lowerbound.data.tunes import TOKENS
from lowerbound.errors import SettingError, ShapeError
from lowerbound.evaluation import score
from lowerbound.runs import Run
from lowerbound.web.steps import Steps

#: Examples in one request, and cells of all of them together.
MOST_EXAMPLES, MOST_CELLS = 10_000, 2**24
#: Draws of z for each example of a score, and completions of one.
MOST_SAMPLES, MOST_DRAWS = 10_000, 100
#: Steps of a chain through a picture, and examples that are scored between two other requests.
STEPS, AT_ONCE = 60, 4
_TOKENS = frozenset(range(TOKENS))


class Service:
    """Answers requests about one run; values go in and out as JSON has them.

    Examples are rows of a table, each an object by column names, texts, tunes, each a list of
    tokens, or nested lists of numbers `(N, *shape)`, and come back alike; null is a gap. They may
    also be an array of NumPy or a table of Arrow. Latents are lists of numbers `(N, D)`.

    Args:
        run: A trained run, its model on the device that answers.

    Raises:
        ShapeError: Values of another shape than the model's (raised by the methods).
        DataError: Values that the model's data does not have.
        SettingError: A number of examples or draws that is not allowed.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.model, self.schema = run, run.model, run.schema

    def about(self) -> dict[str, Any]:
        """Describe the run: data, latents, recipe, schema."""
        return {
            "data": self.schema.describe(),
            "recipe": self.run.spec.recipe,
            "latents": {name: list(space.shape) for name, space in self.model.latents.items()},
            "kind": self.kind,
            "shape": list(self.schema.shape),
            "columns": list(self.schema.columns or ()) or None,
            "conditions": {field.name: list(field.categories) for field in self.schema.told},
            "schema": self.schema.to_json(),
        }

    @property
    def kind(self) -> str:
        """Kind of an example: "image", "row", "text", "tune", "series" or "vector"."""
        if self.schema.is_sequence:
            return "text" if self.schema.is_text else "tune"
        if self.schema.is_table:
            return "row"
        return {1: "vector", 2: "series", 3: "image"}[len(self.schema.shape)]

    def generate(
        self,
        count: int = 1,
        seed: int | None = None,
        draw: bool = True,
        temperature: float = 1.0,
        where: list[Any] | None = None,
        condition: str | None = None,
    ) -> dict[str, Any]:
        """Draw new examples; rows of a table with gaps as the data have them."""
        self._check_count(count)
        if where is not None:
            if not all(isinstance(one, str) for one in where):
                raise SettingError("where is a list of conditions such as town=Bern")
            found = generate_where(
                self.model, count, [condition_of(one, self.schema) for one in where], self.schema,
                gaps=self.run.gaps, seed=seed,
            )  # fmt: skip
            return {"examples": self.plain(found.x, found.observed)}
        if self.run.gaps is not None and draw and condition is None:
            found = generate_rows(
                self.model, self.run.gaps, count, temperature=temperature, seed=seed
            )
            return {"examples": self.plain(*found)}
        tokens = self.schema.is_sequence and draw
        x = generate(
            self.model, count, seed=seed, draw=draw,
            temperature=1.0 if tokens else temperature,
            token_temperature=temperature if tokens else 1.0,
            condition=self._told(condition, count),
        )  # fmt: skip
        return {"examples": self.plain(x)}

    def _told(self, condition: str | None, count: int) -> Tensor | None:
        return condition_codes(condition, self.schema, count)

    def encode(self, examples: Any) -> dict[str, Any]:
        """Encode examples: the centres of q(z|x)."""
        return {"latents": encode(self.model, self.examples(examples)).mean.tolist()}

    def decode(
        self,
        latents: Any,
        draw: bool = False,
        seed: int | None = None,
        condition: str | None = None,
    ) -> dict[str, Any]:
        """Decode latents."""
        z = numbers(latents, "latents")
        self._check_count(len(z))
        told = self._told(condition, len(z))
        x = decode(self.model, torch.from_numpy(z), draw=draw, seed=seed, condition=told)
        return {"examples": self.plain(x)}

    def reconstruct(self, examples: Any) -> dict[str, Any]:
        """Encode examples and decode them again."""
        return {"examples": self.plain(reconstruct(self.model, self.examples(examples)))}

    def score(self, examples: Any, samples: int = 100) -> Steps:
        """Bound log p(x) of each example from below, nats; the same each time."""
        if not 1 <= samples <= MOST_SAMPLES:
            raise SettingError(f"samples is 1 to {MOST_SAMPLES:,}, got {samples}")
        some = self.examples(examples)
        found = yield from self.scores(some, samples)
        return {"elbo": finite(found[0].tolist()), "log_likelihood": finite(found[1].tolist())}

    def scores(self, some: Examples, samples: int) -> Generator[None, None, np.ndarray]:
        """Score examples a few at a time: ELBO and weighted bound, `(2, N)`, nats."""
        parts = []
        each = max(1, min(AT_ONCE, MOST_CELLS // (64 * samples * self.schema.dimensions)))
        for start in range(0, len(some), each):
            part = some.select(slice(start, start + each))
            found = score(self.model, part, samples, seed=self.run.spec.seed)
            parts.append(np.stack([found.elbo.numpy(), found.log_likelihood.numpy()]))
            yield
        return np.concatenate(parts, axis=1)

    def impute(
        self, examples: Any, draws: int = 6, draw: bool = True, seed: int | None = None
    ) -> dict[str, Any]:
        """Complete examples with gaps, each several times: rows by weighing, others by chains."""
        if not 1 <= draws <= MOST_DRAWS:
            raise SettingError(f"draws is 1 to {MOST_DRAWS}, got {draws}")
        some = self.examples(examples)
        self._check_count(len(some) * draws)
        gaps = torch.zeros_like(some.x, dtype=torch.bool)
        if some.observed is not None:
            gaps = ~some.observed
        if self.schema.is_sequence and bool(gaps.any()):
            raise SettingError("texts and tunes have no gaps; give them whole")
        if len(self.schema.shape) == 1:
            found = impute(self.model, some, self.schema, draws=draws, seed=seed)
            best, spread = found.x, torch.zeros_like(found.x)
            spread[found.row, found.cell] = found.spread
            each = torch.stack([found.complete(number) for number in range(draws)])
        else:
            known = None if some.observed is None else _repeated(some.observed, draws)
            many = Batch(_repeated(some.x, draws), known)
            found = complete(self.model, many, steps=STEPS, seed=seed)
            drawn, means = (one.reshape(draws, *some.x.shape) for one in found)
            best, spread = means.mean(dim=0), drawn.std(dim=0, correction=0)
            each = drawn if draw else means
        return {
            "examples": self.plain(best),
            "completions": [self.plain(each[:, row]) for row in range(len(some))],
            "spread": self._spread(spread, gaps),
        }

    def _spread(self, spread: Tensor, gaps: Tensor) -> list[Any]:
        found = finite(torch.where(gaps, spread, math.nan).tolist())
        if not self.schema.is_table:
            return found
        names = [field.name for field in self.schema.modelled]
        return [dict(zip(names, row, strict=True)) for row in found]

    def examples(self, given: Any) -> Examples:
        """Read examples as the data of the training were read.

        Raises:
            ShapeError: They are not a list, or of another shape.
        """
        if isinstance(given, str | Mapping) or not hasattr(given, "__len__") or not len(given):
            raise ShapeError("examples is a list of at least one example")
        self._check_count(len(given))
        if self.schema.is_text:
            if not all(isinstance(text, str) and text for text in given):
                raise ShapeError("examples is a list of texts, none of them empty")
            return read_examples(list(given), self.schema)[0].load()
        if self.schema.is_tune:
            return self._tunes(given)
        import pyarrow

        if isinstance(given, pyarrow.Table):
            if not self.schema.is_table:
                raise ShapeError(f"the model takes {self.schema.describe()}, and not a table")
            source: Any = given
        elif self.schema.is_table and all(isinstance(row, Mapping) for row in given):
            names = list(dict.fromkeys(str(name) for row in given for name in row))
            columns = {name: _column([row.get(name) for row in given], name) for name in names}
            source = pyarrow.table(columns)
        else:
            source = numbers(given, "examples")
        return read_examples(source, self.schema)[0].load()

    def _tunes(self, given: Any) -> Examples:
        longest = self.schema.shape[0] - 1
        x = np.zeros((len(given), longest + 1), np.uint8)
        for place, tune in enumerate(given):
            tokens = tune.tolist() if isinstance(tune, np.ndarray) else tune
            if not isinstance(tokens, list) or not 1 <= len(tokens) <= longest + 1:
                raise ShapeError(f"a tune is a list of 1 to {longest} tokens, of sixteenths")
            if not all(type(one) in (int, float) and one in _TOKENS for one in tokens):
                raise ShapeError(
                    f"the tokens of a tune are 0 (ends), 1 (goes on), 2 (rest), and 3 to "
                    f"{TOKENS - 1}, a pitch of MIDI and 3"
                )
            length = tokens.index(0) if 0 in tokens else len(tokens)
            x[place, : min(length, longest)] = tokens[: min(length, longest)]
        return Examples(torch.from_numpy(x), token="sixteenth")

    def plain(self, x: Tensor, observed: Tensor | None = None) -> list[Any]:
        """Give examples as JSON has them: rows by column names, texts, or nested lists."""
        if self.schema.is_text:
            return texts_of(x.numpy())
        if self.schema.is_tune:
            tunes = [tune[: tune.index(0)] if 0 in tune else tune for tune in x.tolist()]
            return [[int(token) for token in tune] for tune in tunes]
        if not self.schema.is_table:
            return finite((x if observed is None else x.where(observed, math.nan)).tolist())
        columns = {
            name: [_cell(cell) for cell in column.tolist()]
            if column.dtype.kind not in "mM"
            else [None if cell == "NaT" else cell for cell in column.astype(str).tolist()]
            for name, column in columns_of(x, self.schema, observed).items()
        }
        rows = zip(*columns.values(), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _check_count(self, count: int) -> None:
        most = max(1, min(MOST_EXAMPLES, MOST_CELLS // self.schema.dimensions))
        if not 1 <= count <= most:
            raise SettingError(f"a request is about 1 to {most:,} examples, got {count:,}")


def _repeated(x: Tensor, draws: int) -> Tensor:
    """Put `draws` copies of `(N, ...)` below each other."""
    return x.repeat(draws, *[1] * (x.ndim - 1))


def _cell(cell: Any) -> Any:
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    return cell if cell is None or isinstance(cell, int | float | str) else str(cell)


def _column(cells: list[Any], name: str) -> list[Any]:
    kinds = {type(cell) for cell in cells if cell is not None}
    if not kinds <= {int, float} and not kinds <= {str} and not kinds <= {bool}:
        raise ShapeError(f"column {name!r} mixes words and numbers, or holds lists")
    return cells


def numbers(given: Any, name: str) -> np.ndarray:
    """Make an array `(N, ...)` of nested lists of numbers; null is nan."""
    try:
        found = np.array(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ShapeError(f"{name} is nested lists of numbers, all of one length") from None
    if found.ndim < 2:
        raise ShapeError(f"{name} is a list of lists of numbers, one list for each example")
    return found


def finite(values: list[Any]) -> list[Any]:
    """Put None in place of numbers that JSON does not have."""
    return [
        finite(value) if isinstance(value, list)
        else None if isinstance(value, float) and not math.isfinite(value)
        else value
        for value in values
    ]  # fmt: skip
