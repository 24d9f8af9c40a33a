"""Tables and vectors: drawn rows, and columns as they are and as the model has them."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from lowerbound.applications import generate, generate_rows, reconstruct
from lowerbound.data import Examples, columns_of
from lowerbound.report.axis import Axis, numbers, span
from lowerbound.report.charts import Chart
from lowerbound.report.markup import Html, Missing, Panel, element
from lowerbound.runs import Run

#: Rows and columns of the table of samples.
ROWS, COLUMNS = 12, 24
#: Columns whose distribution is compared, and whose reconstruction is drawn.
COMPARED, REBUILT = 12, 6
#: Draws that are compared, and held-out rows that are drawn.
DRAWS, POINTS = 2000, 400
BINS = 24
SEED = 0


def _cells(column: np.ndarray) -> list[str]:
    """Write the cells of a column: words as they are, numbers short."""
    if column.dtype.kind == "f":
        return numbers([float(value) for value in column])
    return ["" if value is None else str(value) for value in column]


@dataclass(frozen=True)
class Columns:
    """Maker of panels of the columns of a run and its held-out examples."""

    run: Run
    test: Examples | None

    @property
    def names(self) -> list[str]:
        """Names of the model's own columns, those left out as constant not among them."""
        schema = self.run.schema
        if schema.is_table:
            return [field.name for field in schema.fields]
        return [f"x[{', '.join(map(str, place))}]" for place in np.ndindex(schema.shape)]

    def samples(self) -> Panel:
        """Show a few drawn rows."""
        schema = self.run.schema
        x, known = generate_rows(self.run.model, self.run.gaps, ROWS, seed=SEED)
        found = columns_of(x.double(), schema, known)
        width, shown = len(found), dict(islice(found.items(), COLUMNS))
        head = element("tr", *(element("th", name, scope="col") for name in shown))
        cells = [_cells(column) for column in shown.values()]
        body = [element("tr", *(element("td", v) for v in row)) for row in zip(*cells, strict=True)]
        caption = "Rows drawn from the model: z from the prior, then x from p(x|z)."
        if schema.constants:
            caption += " Columns that never vary were left out of the model and are put back."
        if width > COLUMNS:
            caption += f" The first {COLUMNS} of {width:,} columns."
        table = element("table", element("thead", head), element("tbody", *body), class_="rows")
        return Panel("Samples", element("div", table, class_="scroll"), caption)

    def histograms(self) -> Panel | Missing:
        """Compare held-out data with draws, column by column."""
        if self.test is None:
            return Missing("The comparison of columns needs the data.")
        drawn = generate(self.run.model, DRAWS, seed=SEED).double().flatten(1).numpy()
        pairs = [(self._known(index), drawn[:, index]) for index in range(drawn.shape[1])]
        distances = [distance(real, made) for real, made in pairs]
        order = list(range(len(pairs)))
        caption = (
            "Filled: held-out data. Line: as the model draws them. The number is the "
            "Kolmogorov-Smirnov distance between the two, 0 where they agree and 1 at most."
        )
        if len(order) > COMPARED:
            order = sorted(order, key=lambda index: -distances[index])[:COMPARED]
            caption += f" The {COMPARED} of {len(pairs):,} columns that differ most."
        charts = [
            self._small(self._histogram(*pairs[i]), self.names[i], f"{distances[i]:.2f}")
            for i in order
        ]
        legend = (("data", "held-out data"), ("model", "draws"))
        return Panel("Columns", element("div", *charts, class_="small"), caption, legend)

    def reconstructions(self) -> Panel | Missing:
        """Show values as they are against values as they come back."""
        if self.test is None:
            return Missing("Reconstructions need the data.")
        total = min(len(self.test), POINTS)
        some = self.test.select(torch.arange(total) * len(self.test) // total)
        back = reconstruct(self.run.model, some).double().numpy()
        x, back = some.x.double().flatten(1).numpy(), back.reshape(len(back), -1)
        known = some.observed
        observed = np.isfinite(x) if known is None else known.flatten(1).numpy()
        charts = []
        for index in range(min(REBUILT, x.shape[1])):
            known = observed[:, index] & np.isfinite(back[:, index])
            true, again = x[known, index], back[known, index]
            explained = _explained(true, again)
            words = "" if explained is None else f"R² {explained:.2f}"
            charts.append(self._small(_scatter(true, again), self.names[index], words))
        caption = (
            "Across: held-out values. Up: the mean of p(x|z) at the posterior mean of z. Points on "
            "the line came back as they were; flat clouds are noise that the model does not keep. "
            "R² is the part of the variance that comes back."
        )
        if x.shape[1] > REBUILT:
            caption += f" The first {REBUILT} of {x.shape[1]:,} columns."
        return Panel("Reconstructions", element("div", *charts, class_="small"), caption)

    def _known(self, index: int) -> np.ndarray:
        """Take the observed held-out values of a column."""
        if self.test is None:
            return np.empty(0)
        values = self.test.x.flatten(1)[:, index].double()
        if self.test.observed is not None:
            values = values[self.test.observed.flatten(1)[:, index]]
        return values[torch.isfinite(values)].numpy()

    def _histogram(self, real: np.ndarray, made: np.ndarray) -> Html:
        made = made[np.isfinite(made)]
        levels = self.run.schema.levels
        pooled = np.concatenate([part for part in (real, made) if len(part)] or [np.zeros(1)])
        if levels is not None and levels <= 2 * BINS:
            edges = np.arange(levels + 1) - 0.5
        else:
            # the tails would squash the rest: the outermost bins take in what lies beyond
            edges = np.linspace(*span(np.quantile(pooled, [0.002, 0.998])), BINS + 1)
        parts = [_shares(values, edges) for values in (real, made)]
        x = Axis("", float(edges[0]), float(edges[-1]), whole=levels is not None)
        y = Axis("", 0.0, max(map(max, parts)) * 1.08 or 1.0)
        chart = Chart(x, y, "Histogram", width=260, height=170, about=3)
        for start, end, share in zip(edges[:-1], edges[1:], parts[0], strict=True):
            if share > 0:
                chart.bar(float(start), float(end), share, "data", f"{share:.1%} of the data")
        steps = []
        for start, end, share in zip(edges[:-1], edges[1:], parts[1], strict=True):
            steps += [(float(start), share), (float(end), share)]
        chart.line(steps, "model")
        return chart.svg()

    def _small(self, chart: Html, name: str, words: str) -> Html:
        title = element("div", element("b", name), element("span", words), class_="head")
        return element("figure", title, chart)


def distance(real: np.ndarray, made: np.ndarray) -> float:
    """Compute the Kolmogorov-Smirnov distance: the largest gap of two distribution functions."""
    if not len(real) or not len(made):
        return 0.0
    places = np.concatenate([real, made])
    below = [np.searchsorted(np.sort(v), places, side="right") / len(v) for v in (real, made)]
    return float(np.abs(below[0] - below[1]).max())


def _shares(values: np.ndarray, edges: np.ndarray) -> list[float]:
    counts, _ = np.histogram(values.clip(edges[0], edges[-1]), edges)
    return (counts / max(1, len(values))).tolist()


def _explained(true: np.ndarray, again: np.ndarray) -> float | None:
    spread = float(((true - true.mean()) ** 2).sum()) if len(true) > 1 else 0.0
    return 1.0 - float(((true - again) ** 2).sum()) / spread if spread > 0 else None


def _scatter(true: np.ndarray, again: np.ndarray) -> Html:
    low, high = span([*true.tolist(), *again.tolist()])
    axis = Axis.over("", [low, high])
    chart = Chart(axis, axis, "Reconstructed against true values", width=260, height=220, about=3)
    chart.line([(axis.low, axis.low), (axis.high, axis.high)], "equal")
    chart.dots(list(zip(true.tolist(), again.tolist(), strict=True)), "class-0", radius=2.0)
    return chart.svg()
