"""Tables: columns, their associations and their gaps, real beside synthetic."""

from dataclasses import dataclass

import numpy as np

from lowerbound.applications import generate_rows
from lowerbound.data import Examples
from lowerbound.errors import DataError
from lowerbound.evaluation.synthetic import (
    Table,
    associations,
    judged_columns,
    shapes,
    tables,
)
from lowerbound.report.axis import Axis, span
from lowerbound.report.charts import Chart
from lowerbound.report.markup import Html, Missing, Panel, element, joined
from lowerbound.runs import Run

#: Rows that are drawn from the model, columns whose distribution is shown, and columns of a map.
DRAWS, COMPARED, MAPPED = 2000, 12, 24
#: Ranges of a column of numbers, and words of one of words, the others in one.
BINS, WORDS = 24, 8
SEED = 0
LEGEND = (("data", "held-out rows"), ("model", "synthetic rows"))


@dataclass(frozen=True)
class Tables:
    """Makes panels of the rows of one run.

    Args:
        real: Held-out rows.
        made: Rows drawn from the model, encoded with them.
    """

    real: Table
    made: Table

    def distributions(self) -> Panel:
        """Each column of held-out rows beside that of synthetic ones."""
        alike = shapes(self.made, self.real)
        order = range(len(alike))
        caption = (
            "Filled: held-out rows. Line: rows drawn from the model. The number says how alike "
            "they are: 1 where they agree, 0 where they have nothing in common."
        )
        if len(alike) > COMPARED:
            order = np.argsort(alike, kind="stable")[:COMPARED].tolist()
            caption += f" The {COMPARED} of {len(alike):,} columns that differ most."
        charts = []
        for place in order:
            name = element("b", self.real.names[place])
            head = element("div", name, element("span", f"{alike[place]:.2f}"), class_="head")
            charts.append(element("figure", head, self._distribution(place)))
        return Panel("Columns", element("div", *charts, class_="small"), caption, LEGEND)

    def _distribution(self, place: int) -> Html:
        sides = [part.values[:, place] for part in (self.real, self.made)]
        sides = [side[~np.isnan(side)] for side in sides]
        levels = self.real.levels[place]
        ticks = None
        if levels is None:
            pooled = np.concatenate(sides)
            # the tails would squash the rest: the outermost ranges take in what lies beyond
            ends = np.quantile(pooled, [0.002, 0.998]) if len(pooled) else np.zeros(1)
            edges = np.linspace(*span(ends), BINS + 1)
            sides = [side.clip(edges[0], edges[-1]) for side in sides]
            words = ["" for _ in edges]
        else:
            counts = np.bincount(sides[0].astype(int), minlength=len(levels))
            usual = np.argsort(-counts, kind="stable")[:WORDS]
            code = np.full(len(levels), len(usual))
            code[usual] = np.arange(len(usual))
            sides = [code[side.astype(int)] for side in sides]
            words = [levels[one] for one in usual]
            words += ["others"] if len(levels) > len(usual) else []
            edges = np.arange(len(words) + 1) - 0.5
            ticks = [(float(at), word[: 44 // len(words)]) for at, word in enumerate(words)]
        shares = [np.histogram(side, edges)[0] / max(1, len(side)) for side in sides]
        x = Axis("", float(edges[0]), float(edges[-1]))
        y = Axis("", 0.0, float(max(map(np.max, shares))) * 1.08 or 1.0)
        chart = Chart(x, y, "Distribution", width=260, height=170, about=3, x_ticks=ticks)
        steps = []
        for at, (real, made) in enumerate(zip(*shares, strict=True)):
            start, end = float(edges[at]), float(edges[at + 1])
            title = f"{words[at]} {real:.1%} of the data, {made:.1%} of synthetic rows".strip()
            chart.bar(start, end, float(real), "data", title)
            steps += [(start, float(made)), (end, float(made))]
        chart.line(steps, "model")
        return chart.svg()

    def maps(self) -> Panel | Missing:
        """How strongly columns go together, in held-out and in synthetic rows."""
        count = min(MAPPED, len(self.real.names))
        if count < 2:
            return Missing("A map of associations needs two columns.")
        strengths = [associations(_first(part, count)) for part in (self.real, self.made)]
        apart = np.abs(strengths[0] - strengths[1])
        i, j = np.unravel_index(apart.argmax(), apart.shape)
        names = self.real.names
        caption = (
            "How strongly two columns go together, from 0 (blank) to 1 (full): |r| of numbers, "
            "Cramér's V of words, the correlation ratio of a mixed pair. They differ most for "
            f"{names[i]} and {names[j]}: {strengths[0][i, j]:.2f} in the data, "
            f"{strengths[1][i, j]:.2f} in synthetic rows."
        )
        if count < len(names):
            caption += f" The first {count} of {len(names):,} columns."
        figures = [
            element(
                "figure", element("div", element("b", words), class_="head"), _map(found, names)
            )
            for words, found in zip(("held-out rows", "synthetic rows"), strengths, strict=True)
        ]
        return Panel("Associations", element("div", *figures, class_="two"), caption)

    def gaps(self) -> Panel | None:
        """The share of gaps in each column; None where there are none."""
        real, made = (np.isnan(part.values).mean(axis=0) for part in (self.real, self.made))
        if not (real.any() or made.any()):
            return None
        order = np.argsort(-np.maximum(real, made), kind="stable")[:MAPPED]
        order = order[np.maximum(real, made)[order] > 0]
        rows = [
            element(
                "tr",
                element("th", self.real.names[place], scope="row"),
                element("td", f"{real[place]:.1%}"),
                element("td", f"{made[place]:.1%}"),
            )
            for place in order
        ]
        head = element("tr", *(element("th", word) for word in ("column", "data", "synthetic")))
        table = element("table", element("thead", head), element("tbody", *rows), class_="rows")
        caption = "Share of cells that are gaps, in held-out and in synthetic rows."
        return Panel("Gaps", element("div", table, class_="scroll"), caption)


def tables_of(run: Run, test: Examples | None) -> Tables | Missing:
    """Draw rows from the model of a table, to stand beside held-out ones."""
    if test is None:
        return Missing("The comparison of columns needs the data.")
    schema = run.schema
    x, known = generate_rows(run.model, run.gaps, DRAWS, seed=SEED)
    made = judged_columns(x, schema, known)
    real = judged_columns(test.x, schema, test.observed)
    kinds = {one.name: one.kind for one in (*schema.fields, *getattr(schema, "left_out", ()))}
    try:
        return Tables(*tables(real, made, kinds=kinds))
    except DataError as error:
        return Missing(f"Left out: {error}.")


def _first(table: Table, count: int) -> Table:
    return Table(table.names[:count], table.values[:, :count], table.levels[:count])


def _map(strength: np.ndarray, names: tuple[str, ...]) -> Html:
    """Squares as dark as the association is strong, with names down the left side."""
    count, left, side = len(strength), 130, 320
    step = side / count
    parts = []
    for i in range(count):
        y = (i + 0.5) * step + 4
        words = names[i] if len(names[i]) <= 20 else f"{names[i][:19]}…"
        parts.append(element("text", words, x=left - 6, y=y, text_anchor="end", class_="tick"))
        for j in range(count):
            title = element("title", f"{names[i]}, {names[j]}: {strength[i, j]:.2f}")
            place = {"x": left + j * step, "y": i * step, "width": step - 1, "height": step - 1}
            shade = {"fill_opacity": f"{strength[i, j]:.2f}", "class_": "bar model"}
            parts.append(element("rect", title, **place, **shade))
    return element(
        "svg",
        joined(parts),
        viewBox=f"0 0 {left + side} {side}",
        role="img",
        aria_label="Associations of columns",
        class_="chart",
    )


def panels(run: Run, test: Examples | None) -> list[Panel | Missing]:
    """Panels of a table: distributions, associations, and gaps if there are any."""
    found = tables_of(run, test)
    if isinstance(found, Missing):
        return [found]
    gaps = found.gaps()
    return [found.distributions(), found.maps(), *([] if gaps is None else [gaps])]
