"""Whether a predictor that learned from synthetic rows predicts real ones."""

from dataclasses import dataclass

import numpy as np

from lowerbound.errors import UnknownNameError
from lowerbound.evaluation.synthetic.auc import auc
from lowerbound.evaluation.synthetic.judge import features, leaf
from lowerbound.evaluation.synthetic.table import Table

#: Words of a target that are told apart; rarer ones are one class.
CLASSES = 10
#: Fewest rows of a class, or of a target, that are predicted.
FEWEST = 5


@dataclass(frozen=True)
class Use:
    """How well one column of real rows is predicted from the others.

    Attributes:
        target: Its name.
        score: "AUC" of words, for several classes the mean of each against the rest by its
            frequency; "R2" of numbers, 0 where it is negative.
        value: Of a predictor that learned from synthetic rows.
        null: Of the same predictor that learned from as many real rows.
        f1: Of words: of the rarer of two levels, the mean of several; None of numbers.
        null_f1: That of a classifier learned from real rows.
    """

    target: str
    score: str
    value: float
    null: float
    f1: float | None
    null_f1: float | None


def usefulness(
    samples: Table, train: Table, held_out: Table, target: str | None = None, *, seed: int = 0
) -> tuple[Use, ...]:
    """Predict columns of held-out rows after learning from synthetic rows, and from real ones.

    Boosted trees of scikit-learn, with smaller leaves under 1,000 rows; gaps are values of the
    other columns, and rows whose target is a gap are left out.

    Args:
        samples: Rows that were made.
        train: As many rows of data that the model learned from.
        held_out: Rows that are predicted.
        target: The column to predict; every one in turn if None.
        seed: Of the trees.

    Returns:
        One for each target that can be predicted: at least 5 known cells, of two classes or more.

    Raises:
        UnknownNameError: There is no such column.

    Source: train on synthetic, test on real: Esteban, Hyland & Rätsch (2017), arXiv 1706.02633.
    """
    if target is not None and target not in train.names:
        raise UnknownNameError("column", target, train.names)
    found = []
    for place, name in enumerate(train.names):
        if target not in (None, name):
            continue
        ours = _predicted(samples, held_out, train, place, seed)
        theirs = _predicted(train, held_out, train, place, seed)
        if ours is not None and theirs is not None:
            kind = "R2" if train.levels[place] is None else "AUC"
            found.append(Use(name, kind, ours[0], theirs[0], ours[1], theirs[1]))
    return tuple(found)


def _predicted(
    learned: Table, test: Table, train: Table, place: int, seed: int
) -> tuple[float, float | None] | None:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    both = np.concatenate([learned.values, test.values])
    rows = np.delete(features(both, train, one_hot=False), place, axis=1)
    y = both[:, place]
    known, first = ~np.isnan(y), np.arange(len(y)) < len(learned)
    fitted, tested = known & first, known & ~first
    if min(fitted.sum(), tested.sum()) < FEWEST:
        return None
    options = {
        "categorical_features": np.delete(train.words, place),
        "early_stopping": False,
        "min_samples_leaf": leaf(int(fitted.sum())),
        "random_state": seed,
    }
    if train.levels[place] is None:
        truth = y[tested]
        if np.ptp(truth) == 0:
            return None
        model = HistGradientBoostingRegressor(**options).fit(rows[fitted], y[fitted])
        wrong = ((truth - model.predict(rows[tested])) ** 2).mean()
        return max(0.0, float(1 - wrong / truth.var())), None
    classes = _classes(train.values[:, place], len(train.levels[place] or ()))
    y = classes[np.where(known, y, 0).astype(int)]
    truth, seen = y[tested], np.unique(y[fitted])
    chances = np.zeros((tested.sum(), classes.max() + 1))
    if len(seen) == 1:
        chances[:, seen] = 1.0
    else:
        model = HistGradientBoostingClassifier(**options).fit(rows[fitted], y[fitted])
        chances[:, model.classes_.astype(int)] = model.predict_proba(rows[tested])
    return _judged(chances, truth)


def _classes(train: np.ndarray, levels: int) -> np.ndarray:
    """The class of each code: the most frequent words have their own, the others share one."""
    counts = np.bincount(train[~np.isnan(train)].astype(int), minlength=levels)
    order = np.argsort(-counts, kind="stable")[:CLASSES]
    classes = np.full(levels, len(order))
    classes[order] = np.arange(len(order))
    return classes


def _judged(chances: np.ndarray, truth: np.ndarray) -> tuple[float, float] | None:
    """Area and F1 over the classes that are frequent enough among the truth."""
    counts = np.bincount(truth, minlength=chances.shape[1])
    present = [k for k in np.flatnonzero(counts >= FEWEST) if counts[k] <= len(truth) - FEWEST]
    if not present:
        return None
    areas = [auc(chances[:, k], truth == k)[0] for k in present]
    guess = chances.argmax(axis=1)
    f1 = []
    for k in present:
        hits = ((guess == k) & (truth == k)).sum()
        f1.append(2 * hits / max(1, (guess == k).sum() + (truth == k).sum()))
    if len(present) == 2:
        rarer = int(np.argmin(counts[present]))
        return areas[rarer], float(f1[rarer])
    return float(np.average(areas, weights=counts[present])), float(np.mean(f1))
