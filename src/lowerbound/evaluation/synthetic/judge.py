"""Whether a classifier tells synthetic rows from real ones."""

from typing import Any, Literal

import numpy as np

from lowerbound.evaluation.synthetic.auc import auc
from lowerbound.evaluation.synthetic.table import Table

#: Words of one column that a classifier tells apart; rarer ones are one level.
MOST_LEVELS = 200
FOLDS = 3

Judge = Literal["boosted", "logistic"]


def told_apart(
    samples: Table, real: Table, judge: Judge = "boosted", *, seed: int = 0
) -> tuple[float, float]:
    """Train a classifier to tell synthetic rows from real ones, and test it on other rows.

    Args:
        samples: Rows that were made.
        real: Rows of data that took no part in making them, encoded with them.
        judge: "boosted" for scikit-learn's boosted trees, which see interactions; "logistic" for a
            logistic regression, which sees little but the columns one by one.
        seed: Of the three folds of the cross-validation.

    Returns:
        The area under the ROC curve, 0.5 where both have one law and 1 where each row gives itself
        away, and its standard error: the mean of three folds.

    Source: Lopez-Paz & Oquab (2017), arXiv 1610.06545, with an area in place of their accuracy.
    """
    from sklearn.model_selection import StratifiedKFold

    rows = features(
        np.concatenate([samples.values, real.values]), samples, one_hot=judge != "boosted"
    )
    made = np.arange(len(rows)) < len(samples)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    areas, variance = [], 0.0
    for train, test in folds.split(rows, made):
        model = _classifier(judge, samples.words, len(train), seed).fit(rows[train], made[train])
        area, error = auc(model.predict_proba(rows[test])[:, 1], made[test])
        areas.append(area)
        variance += error**2
    return float(np.mean(areas)), float(np.sqrt(variance)) / FOLDS


def features(values: np.ndarray, table: Table, *, one_hot: bool) -> np.ndarray:
    """Make features of rows, rare words one level; with words and gaps one-hot if asked."""
    columns = []
    for place, levels in enumerate(table.levels):
        column = values[:, place].copy()
        gap = np.isnan(column)
        if levels is not None and len(levels) > MOST_LEVELS:
            usual = np.argsort(-np.bincount(column[~gap].astype(int)), kind="stable")[:MOST_LEVELS]
            code = np.full(len(levels), float(MOST_LEVELS))
            code[usual] = np.arange(len(usual))
            column[~gap] = code[column[~gap].astype(int)]
        if not one_hot:
            columns.append(column)
        elif levels is None:
            known = column[~gap]
            centre, spread = (known.mean(), known.std() or 1.0) if len(known) else (0.0, 1.0)
            columns += [np.where(gap, 0.0, (column - centre) / spread), gap.astype(float)]
        else:
            columns += [(column == level).astype(float) for level in np.unique(column[~gap])]
            columns.append(gap.astype(float))
    return np.column_stack(columns)


def leaf(rows: int) -> int:
    """Fewest rows of a leaf of a tree: scikit-learn's 20 from 1,000 rows on, less of fewer."""
    return max(2, min(20, rows // 50))


def _classifier(judge: Judge, words: np.ndarray, rows: int, seed: int):
    if judge == "boosted":
        from sklearn.ensemble import HistGradientBoostingClassifier

        options: Any = {
            "categorical_features": words,
            "early_stopping": False,
            "min_samples_leaf": leaf(rows),
            "random_state": seed,
        }
        return HistGradientBoostingClassifier(**options)
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=200)
