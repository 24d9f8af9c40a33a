"""How good synthetic rows are: every measure beside what real rows score on it."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lowerbound.data import Schema
from lowerbound.errors import DataError, SettingError
from lowerbound.evaluation.quality import Against
from lowerbound.evaluation.synthetic.gower import Gower, manifold
from lowerbound.evaluation.synthetic.judge import Judge, told_apart
from lowerbound.evaluation.synthetic.privacy import FALSE, copied, privacy
from lowerbound.evaluation.synthetic.shape import shapes
from lowerbound.evaluation.synthetic.table import Table, tables
from lowerbound.evaluation.synthetic.trend import trends
from lowerbound.evaluation.synthetic.usefulness import Use, usefulness
from lowerbound.evaluation.synthetic.validity import validity

#: Fewest rows of each kind, and most that are compared unless asked otherwise.
FEWEST, MOST = 30, 10_000
#: Most rows whose distances are looked at: of the manifold measures, and of privacy.
MANIFOLD, SEARCHED = 2000, 5000


@dataclass(frozen=True)
class Columnwise:
    """One column of synthetic rows.

    Attributes:
        name: Of the column.
        shape: How alike its distribution is, from 0 to 1.
        null: That of training rows.
        gaps: Share of gaps among synthetic rows.
        null_gaps: Share of gaps among held-out rows.
    """

    name: str
    shape: float
    null: float
    gaps: float
    null_gaps: float


@dataclass(frozen=True)
class SyntheticQuality:
    """How good synthetic rows are.

    Attributes:
        rows: How many synthetic rows were compared, beside as many training ones, with as many
            held-out ones.
        seed: Of the choice of rows and of the classifiers.
        measures: By name: the value, beside the same measure of training rows in their place (of
            validity: of held-out ones; of privacy: of rows that know nothing of training).
        columns: The figures of each column.
        uses: How well each target is predicted; "usefulness" is their mean.
    """

    rows: int
    seed: int
    measures: dict[str, Against]
    columns: tuple[Columnwise, ...]
    uses: tuple[Use, ...]

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        measures = {name: measure.to_json() for name, measure in self.measures.items()}
        return {**asdict(self), "measures": measures}

    def lines(self) -> list[str]:
        """The whole as text: what was compared, and a table."""
        table = [("measure", "synthetic", "real", "better", "what it says")]
        for name, m in self.measures.items():
            error = "" if m.standard_error is None else f" ± {m.standard_error:.3f}"
            better = "as real" if m.better == "null" else m.better
            table.append((name, f"{m.value:.3f}{error}", f"{m.null:.3f}", better, m.words))
        widths = [max(len(row[column]) for row in table) for column in range(5)]
        return [
            f"{self.rows:,} synthetic rows, beside {self.rows:,} training rows, both against "
            f"{self.rows:,} held-out rows",
            *("  ".join(map(str.ljust, row, widths)).rstrip() for row in table),
        ]


def synthetic_quality(
    samples: Any,
    train: Any,
    held_out: Any,
    *,
    kinds: Mapping[str, str] | Schema | None = None,
    target: str | None = None,
    most: int = MOST,
    seed: int = 0,
) -> SyntheticQuality:
    """Measure how like real rows synthetic rows are, of what use, and what they give away.

    Each measure comes with its value for real rows: training rows take the place of synthetic ones,
    and both are held against rows that nobody learned from. A model is as good as can be seen at
    this number of rows when the two agree.

    Args:
        samples: Columns by name, each `(N,)`, or an Arrow table; at least 30 rows, better as many
            as there are held-out ones.
        train: Rows that the model learned from, likewise.
        held_out: Rows of the same data that it did not learn from, likewise.
        kinds: A schema, or kinds by the names of columns; see `tables`.
        target: The column that usefulness predicts; every one in turn if None.
        most: How many rows are compared at most.
        seed: Of the choice of rows and of the classifiers.

    Raises:
        DataError: There are too few rows, or columns are absent.
        UnknownNameError: `target` is no column.
        SettingError: `most` is less than 30.

    Source: as each measure: `told_apart`, `trends`, `usefulness`, `shapes`, `manifold`,
        `validity`, `privacy`.
    """
    if most < FEWEST:
        raise SettingError(f"most must be at least {FEWEST} rows, got {most}")
    made, known, fresh = tables(samples, train, held_out, kinds=kinds)
    for what, part in (("synthetic", made), ("training", known), ("held-out", fresh)):
        if len(part) < FEWEST:
            raise DataError(
                f"synthetic rows are judged by at least {FEWEST} {what} rows, got {len(part)}"
            )
    count = min(len(made), len(known), len(fresh), most)
    generator = np.random.default_rng(seed)
    chosen = [part.take(generator.permutation(len(part))[:count]) for part in (made, known, fresh)]
    made, real, fresh = chosen
    uses = usefulness(made, real, fresh, target, seed=seed)
    shape, shape_null = shapes(made, fresh), shapes(real, fresh)
    gaps, gaps_null = (np.isnan(part.values).mean(axis=0) for part in (made, fresh))
    return SyntheticQuality(
        rows=count,
        seed=seed,
        measures={
            **_judged(made, real, fresh, seed),
            "trend": Against(
                float(np.nanmean(trends(made, fresh))) if len(made.names) > 1 else 1.0,
                float(np.nanmean(trends(real, fresh))) if len(made.names) > 1 else 1.0,
                "of 1", "higher", "pairs of columns go together as in the data",
            ),
            **_used(uses),
            "shape": Against(
                float(shape.mean()), float(shape_null.mean()),
                "of 1", "higher", "columns are spread as the data are",
            ),
            **_near(made, real, fresh),
            **_valid(made, known, fresh),
            **_private(made, real, known, fresh),
        },
        columns=tuple(map(Columnwise, made.names, *(x.tolist() for x in (
            shape, shape_null, gaps, gaps_null,
        )))),
        uses=uses,
    )  # fmt: skip


def _judged(made: Table, real: Table, fresh: Table, seed: int) -> dict[str, Against]:
    judges: dict[Judge, str] = {
        "boosted": "boosted trees tell synthetic from real rows: 0.5 never, 1 always",
        "logistic": "a logistic regression does",
    }
    found = {}
    for judge, words in judges.items():
        area, error = told_apart(made, fresh, judge, seed=seed)
        null, _ = told_apart(real, fresh, judge, seed=seed)
        found[f"told apart, {judge}"] = Against(
            area, null, "area under the ROC curve", "lower", words, error
        )
    return found


def _used(uses: tuple[Use, ...]) -> dict[str, Against]:
    found = {}
    for score, name in (("AUC", "usefulness, words"), ("R2", "usefulness, numbers")):
        some = [use for use in uses if use.score == score]
        if some:
            found[name] = Against(
                float(np.mean([use.value for use in some])),
                float(np.mean([use.null for use in some])),
                "area under the ROC curve" if score == "AUC" else "share of the variance",
                "higher",
                f"{score} of {some[0].target if len(some) == 1 else f'{len(some)} columns'} of "
                "real rows, predicted after learning from synthetic ones",
            )
    return found


def _near(made: Table, real: Table, fresh: Table) -> dict[str, Against]:
    some = slice(MANIFOLD)
    made, real, fresh = made.take(some), real.take(some), fresh.take(some)
    distance = Gower(fresh)
    value, null = manifold(made, fresh, distance), manifold(real, fresh, distance)
    words = {
        "precision": "synthetic rows lie among real ones",
        "recall": "real rows lie among synthetic ones",
        "density": "how deep synthetic rows lie among real ones",
        "coverage": "real rows have a synthetic one near",
    }
    return {
        name: Against(
            value[name], null[name], "share of rows" if name != "density" else "of real", "higher",
            text,
            None if name == "density" else _error(value[name], len(made)),
        )
        for name, text in words.items()
    }  # fmt: skip


def _valid(made: Table, known: Table, fresh: Table) -> dict[str, Against]:
    value, null = validity(made, known), validity(fresh, known)
    words = {
        "unseen": "words that training never has",
        "fractions": "numbers with more digits than any of training",
        "outside": "numbers beyond the range of training",
        "gaps": "difference of the shares of gaps",
    }
    return {
        name: Against(value[name], null[name], "share of cells", "null", text)
        for name, text in words.items()
    }


def _private(made: Table, real: Table, known: Table, fresh: Table) -> dict[str, Against]:
    count = min(len(made), SEARCHED)
    some = slice(count)
    found = privacy(made.take(some), real.take(some), fresh.take(some), Gower(known))
    guess = "guess of who was in training, by distance"
    copies = copied(made, known)
    return {
        "attack": Against(
            found.attack, 0.5, "area under the ROC curve", "null",
            f"{guess}: 0.5 chance, 1 sure", found.attack_error,
        ),
        "attack at 1 %": Against(
            found.found, FALSE, "share of training rows", "null",
            "training rows guessed where 1 % of others are", _error(found.found, count),
        ),
        "nearer": Against(
            found.nearer, 0.5, "share of synthetic rows", "null",
            "synthetic rows nearer to training than to held-out rows", _error(found.nearer, count),
        ),
        "copies": Against(
            copies, copied(fresh, known), "share of synthetic rows", "null",
            "rows that equal a training row", _error(copies, len(made)),
        ),
    }  # fmt: skip


def _error(share: float, count: int) -> float:
    return math.sqrt(share * (1 - share) / count)
