"""The page's own requests: where the data lie in the latent space, and single examples of it."""

from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from lowerbound.applications import Calibration, anomalies, calibrate, encode
from lowerbound.core import on
from lowerbound.data import Source, columns_of, texts_of
from lowerbound.distributions.sequence import Sequence
from lowerbound.errors import SettingError
from lowerbound.evaluation import ACTIVE_THRESHOLD, score
from lowerbound.runs import Run
from lowerbound.web.service import Service, finite, numbers

#: Examples on the map, those of them that are scored, and draws of z for the score of each.
MOST_POINTS, MOST_SCORED, SCORE_SAMPLES = 50_000, 1000, 8
#: Columns by which points can be coloured.
MOST_COLOURS = 30
#: Examples that single cells are compared with, draws of z for each, and examples in a request.
CALIBRATED, CELL_SAMPLES, MOST_SHARES = 200, 50, 50
#: Examples near a place that are shown.
NEAREST = 8


class Explorer(Service):
    """Answers the page about a run and the data that it is shown with.

    Args:
        run: A trained run.
        examples: The examples shown, held-out ones first.
    """

    def __init__(self, run: Run, examples: Source) -> None:
        super().__init__(run)
        self.shown = examples.few(MOST_POINTS).load()

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
        z = torch.from_numpy(self.means[index : index + 1])
        return {
            "example": self.plain(one.x, one.observed)[0],
            "latents": z[0].tolist(),
            "reconstruction": self.decode(z.tolist())["examples"][0],
        }

    def nearest(self, latents: list[Any]) -> dict[str, Any]:
        """Find the examples whose encodings are nearest to a place, nearest first."""
        place = numbers([latents], "latents")[0]
        if place.shape != self.means.shape[1:] or not np.isfinite(place).all():
            raise SettingError(f"latents is a list of {self.means.shape[1]} numbers")
        distances = np.linalg.norm(self.means - place, axis=1)
        found = np.argsort(distances, kind="stable")[:NEAREST]
        return {"indices": found.tolist(), "distances": distances[found].tolist()}

    def odd(self) -> dict[str, Any]:
        """Order examples by their bound on log p(x), the lowest first."""
        found = self._scores
        order = np.argsort(found, kind="stable")[:200]
        return {"indices": order.tolist(), "scores": [round(float(s), 3) for s in found[order]]}

    def shares(self, indices: list[Any]) -> dict[str, Any]:
        """Say of each cell of some examples how far it is odd, nats; of texts, each character."""
        if not 1 <= len(indices) <= MOST_SHARES:
            raise SettingError(f"indices are 1 to {MOST_SHARES}, got {len(indices)}")
        some = self.shown.select(torch.tensor(self._places(indices, "indices")))
        if self.kind == "text":
            with torch.no_grad(), on(self.model) as device:
                batch = some.batch(slice(0, len(some))).to(device)
                law = self.model.reconstruct(batch)
                found = -cast(Sequence, law).cells(batch.x).cpu()
            pairs = zip(texts_of(some.x.numpy()), found.tolist(), strict=True)
            return {"shares": [_by_character(text, cells) for text, cells in pairs]}
        cells = cast(Tensor, anomalies(self.model, some, self._calibration).cells)
        found = [finite(row) for row in cells.tolist()]
        if self.schema.is_table:
            names = [field.name for field in self.schema.modelled]
            return {"shares": [dict(zip(names, row, strict=True)) for row in found]}
        return {"shares": found}

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

    @cached_property
    def _calibration(self) -> Calibration:
        few = self.shown.few(CALIBRATED)
        return calibrate(self.model, few, samples=CELL_SAMPLES, seed=self.run.spec.seed)

    @cached_property
    def _scores(self) -> np.ndarray:
        few = self.shown.few(MOST_SCORED)
        found = score(self.model, few, SCORE_SAMPLES, seed=self.run.spec.seed).log_likelihood
        return np.nan_to_num(found.numpy(), nan=-1e30, neginf=-1e30)

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
        return found


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
