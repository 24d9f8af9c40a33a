"""The page's own requests: where the data lie in the latent space, and single examples of it."""

from functools import cached_property
from typing import Any

import numpy as np
import torch

from lowerbound.applications import encode
from lowerbound.data import Examples, Source, columns_of
from lowerbound.errors import SettingError
from lowerbound.evaluation import ACTIVE_THRESHOLD, score
from lowerbound.runs import Run
from lowerbound.web.service import Service

#: Examples on the map, and draws of z for the score of each.
MOST_POINTS, SCORE_SAMPLES = 50_000, 16
#: Columns by which points can be coloured.
MOST_COLOURS = 30
#: Examples near a place that are shown.
NEAREST = 8


class Explorer(Service):
    """Answers the page about a run and the data that it is shown with.

    Args:
        run: A trained run.
        examples: What is shown, held-out examples first.
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
        known = one.observed
        plain = self.plain(one.x) if known is None else self._with_gaps(one)
        return {
            "example": plain[0],
            "latents": z[0].tolist(),
            "reconstruction": self.decode(z.tolist())["examples"][0],
        }

    def nearest(self, latents: list[Any]) -> dict[str, Any]:
        """Find the examples whose encodings are nearest to a place, nearest first."""
        place = np.asarray(latents, dtype=np.float64)
        if place.shape != self.means.shape[1:]:
            raise SettingError(f"latents is a list of {self.means.shape[1]} numbers")
        distances = np.linalg.norm(self.means - place, axis=1)
        found = np.argsort(distances, kind="stable")[:NEAREST]
        return {"indices": found.tolist(), "distances": distances[found].tolist()}

    def odd(self) -> dict[str, Any]:
        """Order examples by their bound on log p(x), the lowest first."""
        found = self._scores
        order = np.argsort(found, kind="stable")[:200]
        return {"indices": order.tolist(), "scores": [round(float(s), 3) for s in found[order]]}

    @cached_property
    def _scores(self) -> np.ndarray:
        few = self.shown.few(5000)
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

    def _with_gaps(self, one: Examples) -> list[Any]:
        if not self.schema.is_table:
            known = np.ones(one.x.shape, bool) if one.observed is None else one.observed.numpy()
            return self._filled(one.x.double().numpy(), known)
        columns = columns_of(one.x, self.schema, one.observed)
        row = {name: column.tolist()[0] for name, column in columns.items()}
        return [{n: None if isinstance(v, float) and v != v else v for n, v in row.items()}]

    @staticmethod
    def _filled(values: np.ndarray, known: np.ndarray) -> list[Any]:
        cells = np.where(known, values, np.nan).astype(object)
        cells[~known] = None
        return cells.tolist()


def _colour(column: np.ndarray) -> dict[str, Any]:
    if column.dtype.kind in "iuf":
        values = [None if v != v else float(v) for v in column.tolist()]
        return {"values": values}
    words = ["" if cell is None else str(cell) for cell in column.tolist()]
    names = sorted(set(words))
    place = {name: code for code, name in enumerate(names)}
    return {"names": names, "values": [place[word] for word in words]}
