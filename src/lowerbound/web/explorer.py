"""The page's own requests: where the data lie in the latent space, and single examples of it."""

from collections.abc import Generator
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from lowerbound.applications import Calibration, anomalies, encode, reconstruct
from lowerbound.core import on
from lowerbound.data import Examples, Source, columns_of, texts_of
from lowerbound.distributions.sequence import Sequence
from lowerbound.errors import SettingError, UnknownNameError
from lowerbound.evaluation import ACTIVE_THRESHOLD
from lowerbound.objectives.elbo import rate_of
from lowerbound.runs import Run
from lowerbound.seeding import seeded
from lowerbound.web.service import AT_ONCE, Service, finite, numbers
from lowerbound.web.steps import Steps, finish

#: Examples on the map, those of them that are scored, and draws of z for the score of each.
MOST_POINTS, MOST_SCORED, SCORE_SAMPLES = 50_000, 1000, 8
#: Columns by which points can be coloured, and examples whose rate is found at a time.
MOST_COLOURS, RATED = 30, 256
#: Examples that single cells are compared with, draws of z for each, examples in a request, and
#: examples that are looked at between two other requests.
CALIBRATED, CELL_SAMPLES, MOST_SHARES, LOOKED_AT = 200, 50, 50, 3
#: Examples near a place that are shown, and those whose nearest ones say what is usual.
NEAREST, COMPARED = 8, 200


class Explorer(Service):
    """Answers the page about a run and the data that it is shown with.

    Args:
        run: A trained run.
        examples: The examples shown, held-out ones first.
        other: Another run with the same examples, to be shown beside it.
    """

    def __init__(self, run: Run, examples: Source, other: "Explorer | None" = None) -> None:
        super().__init__(run)
        self.shown, self.other = examples.few(MOST_POINTS).load(), other
        self._scored: list[np.ndarray] = []
        self._medians: Tensor | None = None

    def about(self) -> dict[str, Any]:
        """Describe the run, and name that beside it."""
        other = None if self.other is None else self.other.run.path.name
        return {**super().about(), "name": self.run.path.name, "other": other}

    @cached_property
    def means(self) -> np.ndarray:
        """Centres of q(z|x) of all examples shown, `(N, D)`."""
        return encode(self.model, self.shown).mean.double().numpy()

    def map(self) -> dict[str, Any]:
        """Place all examples in the plane of the first two principal axes of their encodings."""
        means = self.means
        centre = means.mean(axis=0)
        axes = np.eye(means.shape[1])[: min(2, means.shape[1])]
        if means.shape[1] > 2:
            axes = np.linalg.svd(means - centre, full_matrices=False)[2][:2]
        spread = means.std(axis=0)
        order = np.argsort(-spread)
        active = [int(unit) for unit in order if spread[unit] ** 2 > ACTIVE_THRESHOLD]
        return {
            "points": np.round((means - centre) @ axes.T, 5).tolist(),
            "centre": centre.tolist(),
            "axes": axes.tolist(),
            "units": active or [int(unit) for unit in order[:2]],
            "low": means.min(axis=0).tolist(),
            "high": means.max(axis=0).tolist(),
            "colours": self._colours(),
            "names": list(self.shown.row_names or ()) or None,
        }

    def example(self, index: int) -> dict[str, Any]:
        """Return an example, its encoding, and what comes back of it."""
        if not 0 <= index < len(self.shown):
            raise SettingError(f"index is 0 to {len(self.shown) - 1}, got {index}")
        one = self.shown.select(slice(index, index + 1))
        return {
            "example": self.plain(one.x, one.observed)[0],
            "latents": self.means[index].tolist(),
            "reconstruction": self.plain(reconstruct(self.model, one))[0],
        }

    def nearest(self, latents: list[Any]) -> dict[str, Any]:
        """Find the examples whose encodings are nearest to a place, nearest first."""
        place = numbers([latents], "latents")[0]
        if place.shape != self.means.shape[1:] or not np.isfinite(place).all():
            raise SettingError(f"latents is a list of {self.means.shape[1]} numbers")
        distances = np.linalg.norm(self.means - place, axis=1)
        found = np.argsort(distances, kind="stable")[:NEAREST]
        return {
            "indices": found.tolist(), "distances": distances[found].tolist(), "usual": self._usual
        }  # fmt: skip

    @cached_property
    def _usual(self) -> float:
        """The median distance of an example to the nearest other one."""
        few = self.means[:COMPARED]
        far = [np.sort(np.linalg.norm(self.means - one, axis=1))[1] for one in few[: len(few) - 1]]
        return float(np.median(far)) if far else 0.0

    def odd(self) -> Steps:
        """Order examples by their bound on log p(x), the lowest first."""
        found = yield from self._scores()
        order = np.argsort(found, kind="stable")[:200]
        return {"indices": order.tolist(), "scores": [round(float(s), 3) for s in found[order]]}

    def colour(self, name: str) -> Steps:
        """Give the score or the rate of each example, nats; null for those that are not scored."""
        if name == "score":
            found = yield from self._scores()
            rest = [None] * (len(self.shown) - len(found))
            return {"values": [*np.round(found, 3).tolist(), *rest]}
        if name != "rate":
            raise UnknownNameError("colour", name, ("score", "rate"))
        rates: list[float] = []
        for start in range(0, len(self.shown), RATED):
            batch = self.shown.batch(slice(start, start + RATED))
            with torch.no_grad(), on(self.model) as device, seeded(self.run.spec.seed, device):
                rates += rate_of(self.model.trace(batch.to(device))).tolist()
            yield
        return {"values": finite([round(rate, 3) for rate in rates])}

    def shares(self, indices: list[Any]) -> Steps:
        """Say of each cell of some examples how far it is odd, nats; of sequences, each token."""
        if not 1 <= len(indices) <= MOST_SHARES:
            raise SettingError(f"indices are 1 to {MOST_SHARES}, got {len(indices)}")
        some = self.shown.select(torch.tensor(self._places(indices, "indices")))
        if self.schema.is_sequence:
            with torch.no_grad(), on(self.model) as device:
                batch = some.batch(slice(0, len(some))).to(device)
                law = self.model.reconstruct(batch)
                found = (-cast(Sequence, law).cells(batch.x).cpu()).tolist()
            if self.kind == "tune":
                tunes = zip(self.plain(some.x), found, strict=True)
                return {"shares": [[round(one, 3) for one in own[: len(x)]] for x, own in tunes]}
            pairs = zip(texts_of(some.x.numpy()), found, strict=True)
            return {"shares": [_by_character(text, cells) for text, cells in pairs]}
        if self._medians is None:
            cells = yield from self._cells(self.shown.few(CALIBRATED))
            self._medians = cells.nanmedian(dim=0).values
        cells = yield from self._cells(some)
        found = [finite(row) for row in (cells - self._medians.nan_to_num(nan=0.0)).tolist()]
        if self.schema.is_table:
            names = [field.name for field in self.schema.modelled]
            return {"shares": [dict(zip(names, row, strict=True)) for row in found]}
        return {"shares": found}

    def _cells(self, some: Examples) -> Generator[None, None, Tensor]:
        """Find -log p(x_j | the other cells), `(N, *event)`, nats, a few examples at a time."""
        nothing = torch.zeros(self.schema.dimensions, dtype=torch.float64)
        raw = Calibration(nothing[:1], nothing, nothing, CELL_SAMPLES, self.run.spec.seed)
        parts = []
        for start in range(0, len(some), LOOKED_AT):
            part = some.select(slice(start, start + LOOKED_AT))
            parts.append(cast(Tensor, anomalies(self.model, part, raw).cells))
            yield
        return torch.cat(parts)

    def apart(self, first: list[Any], second: list[Any]) -> dict[str, Any]:
        """Tell two groups of examples apart: units by their difference, and the way between.

        The difference of a unit is that of its means over its spread within the groups (Cohen's
        d); the way is the difference of the mean encodings, an attribute vector (White, 2016).
        """
        a, b = (
            self.means[self._places(group, name)]
            for group, name in ((first, "first"), (second, "second"))
        )
        way = b.mean(axis=0) - a.mean(axis=0)
        within = (a.var(axis=0) * len(a) + b.var(axis=0) * len(b)) / (len(a) + len(b))
        effect = way / np.sqrt(within + 1e-12 + 1e-6 * self.means.var(axis=0))
        order = np.argsort(-np.abs(effect), kind="stable")[:20]
        return {
            "units": order.tolist(), "effects": effect[order].tolist(), "vector": way.tolist()
        }  # fmt: skip

    def _places(self, given: list[Any], name: str) -> list[int]:
        last = len(self.shown) - 1
        whole = all(isinstance(one, int) and not isinstance(one, bool) for one in given)
        if not given or not whole or min(given) < 0 or max(given) > last:
            raise SettingError(f"{name} is a list of at least one whole number of 0 to {last}")
        return given

    def _scores(self) -> Generator[None, None, np.ndarray]:
        """Score the first examples, `(N,)`; who asks meanwhile goes on with the same scores."""
        few = self.shown.few(MOST_SCORED)
        while (start := AT_ONCE * len(self._scored)) < len(few):
            part = few.select(slice(start, start + AT_ONCE))
            self._scored.append(finish(self.scores(part, SCORE_SAMPLES))[1])
            yield
        return np.nan_to_num(np.concatenate(self._scored), nan=-1e30, neginf=-1e30)

    def _colours(self) -> dict[str, Any]:
        """Give numbers, or classes by name, by which points can be coloured."""
        found: dict[str, Any] = {}
        if self.shown.label is not None:
            labels = self.shown.label.tolist()
            names = self.shown.label_names or tuple(map(str, range(max(labels) + 1)))
            found["class"] = {"names": list(names), "values": labels}
        if self.schema.is_table:
            columns = columns_of(self.shown.x, self.schema, self.shown.observed)
            for name, column in list(columns.items())[:MOST_COLOURS]:
                found[name] = _colour(column)
        spread = self.means.std(axis=0)
        for unit in np.argsort(-spread)[:8].tolist():
            found[f"unit {unit}"] = {"values": np.round(self.means[:, unit], 4).tolist()}
        return {**found, "score": None, "rate": None}  # asked for by `colour`: they take a while


def _by_character(text: str, cells: list[float]) -> list[float]:
    """Add the nats of the bytes of each character."""
    found, place = [], 0
    for character in text:
        size = len(character.encode())
        found.append(round(sum(cells[place : place + size]), 3))
        place += size
    return found


def _colour(column: np.ndarray) -> dict[str, Any]:
    if column.dtype.kind in "iuf":
        values = [None if v != v else float(v) for v in column.tolist()]
        return {"values": values}
    words = ["" if cell is None else str(cell) for cell in column.tolist()]
    names = sorted(set(words))
    place = {name: code for code, name in enumerate(names)}
    return {"names": names, "values": [place[word] for word in words]}
