"""Whether synthetic rows give away who was among the data."""

from dataclasses import dataclass

import numpy as np

from lowerbound.evaluation.synthetic.auc import auc
from lowerbound.evaluation.synthetic.gower import Gower
from lowerbound.evaluation.synthetic.table import Table

#: False positives of an attack that are put up with.
FALSE = 0.01


@dataclass(frozen=True)
class Privacy:
    """Success of an attacker who has the synthetic rows and guesses who was among the data.

    Attributes:
        attack: Area under the ROC curve of the guess that rows near a synthetic one were: 0.5 where
            nothing is learned.
        attack_error: Its standard error.
        found: Share of the training rows that are guessed where 1 % of the others are, too: 0.01
            where nothing is learned.
        nearer: Share of synthetic rows nearer to a training row than to a held-out one, ties
            counting half: 0.5 where nothing is learned.
    """

    attack: float
    attack_error: float
    found: float
    nearer: float


def privacy(samples: Table, train: Table, held_out: Table, distance: Gower) -> Privacy:
    """Attack the rows that a model learned from, by their distance to the nearest synthetic row.

    A distance sees copies and near copies, and little else: a low value is no proof of privacy.

    Args:
        samples: Rows that were made.
        train: Rows that the model learned from.
        held_out: As many rows of the data that took no part.
        distance: Between rows.

    Source: the membership attack by distance to the closest record, with the true positives at
        low false ones that Carlini et al. (2022) ask for, arXiv 2112.03570; why distances alone say
        little: arXiv 2505.01524.
    """
    members, others = distance.nearest(train, samples), distance.nearest(held_out, samples)
    scores = -np.concatenate([members, others])
    area, error = auc(scores, np.arange(len(scores)) < len(members))
    to_train, to_held = distance.nearest(samples, train), distance.nearest(samples, held_out)
    nearer = (to_train < to_held).mean() + 0.5 * (to_train == to_held).mean()
    return Privacy(
        attack=area,
        attack_error=error,
        found=_found(members, others),
        nearer=float(nearer),
    )


def _found(members: np.ndarray, others: np.ndarray) -> float:
    """True positives where the share of false ones is exactly 1 %, between two thresholds."""
    thresholds = np.concatenate([[-np.inf], np.unique(others)])
    false, true = (
        np.searchsorted(np.sort(x), thresholds, side="right") / len(x) for x in (others, members)
    )
    return float(np.interp(FALSE, false, true))


def copied(rows: Table, train: Table) -> float:
    """Share of rows that equal a training row in every cell."""
    known = {row.tobytes() for row in _plain(train)}
    return float(np.mean([row.tobytes() in known for row in _plain(rows)]))


def _plain(table: Table) -> np.ndarray:
    # -0.0 + 0.0 is 0.0, and one nan stands for all: equal rows have equal bytes
    return np.where(np.isnan(table.values), np.nan, table.values + 0.0)
