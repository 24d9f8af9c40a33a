"""How far single units of a code stand for single factors: four measures on plain arrays."""

from dataclasses import dataclass

import numpy as np

from lowerbound.errors import DataError

#: Rows that votes are made of, votes to learn from and to count, of the FactorVAE score.
ROWS, VOTES = 64, 800
#: A unit that varies less than this share of the most varied one is idle, and has no vote.
IDLE = 0.02
#: Trees of the forests that DCI reads importances from.
TREES = 20


@dataclass(frozen=True)
class Disentanglement:
    """Measures of a code against known factors, all from 0 to 1, the more the better.

    Attributes:
        mig: Mutual information gap: of each factor, how much more the best unit knows of it than
            the second best, as a share of its entropy.
        sap: The gap in explained variance, likewise.
        factor_vae: Share of votes for the right factor, by the unit that varies least while a
            factor is held.
        disentanglement: DCI: whether a unit matters to one factor alone.
        completeness: DCI: whether a factor needs one unit alone.
        informativeness: DCI: how well the factors are told from all units, as accuracy.
        examples: How many rows.
    """

    mig: float
    sap: float
    factor_vae: float
    disentanglement: float
    completeness: float
    informativeness: float
    examples: int


def disentangled(
    z: np.ndarray, factors: np.ndarray, *, bins: int = 20, seed: int = 0
) -> Disentanglement:
    """Measure how single units of a code stand for single factors.

    Args:
        z: Codes `(N, D)`, such as `encode(...).mean`.
        factors: Codes of the factors that are known of each example, whole numbers `(N, F)`.
        bins: That a unit is cut into for the mutual information.
        seed: Of the votes and trees.

    Raises:
        DataError: The rows do not match, or a factor never varies.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> factors = rng.integers(0, 4, (500, 2))
        >>> round(disentangled(factors * [3.0, 1.0], factors).mig, 6)
        1.0
    """
    z, factors = np.asarray(z, np.float64), np.asarray(factors)
    if z.ndim != 2 or factors.ndim != 2 or len(z) != len(factors):
        raise DataError(f"codes (N, D) and factors (N, F) go together, got {z.shape} and "
                        f"{factors.shape}")  # fmt: skip
    factors = np.stack([np.unique(one, return_inverse=True)[1] for one in factors.T], axis=1)
    if not (np.ptp(factors, axis=0) > 0).all():
        raise DataError("a factor never varies; leave it out")
    rng = np.random.default_rng(seed)
    information, explained = information_of(z, factors, bins), explained_by(z, factors)
    entropy = np.array([_entropy(np.bincount(one) / len(one)) for one in factors.T])
    apart, complete, informed = dci(z, factors, seed)
    return Disentanglement(
        mig=float((_gap(information) / entropy).mean()),
        sap=float(_gap(explained).mean()),
        factor_vae=factor_vae_score(z, factors, rng),
        disentanglement=apart,
        completeness=complete,
        informativeness=informed,
        examples=len(z),
    )


def information_of(z: np.ndarray, factors: np.ndarray, bins: int) -> np.ndarray:
    """Estimate the mutual information of each unit, cut into bins, and each factor, nats, `(D, F)`.

    Source: Chen, Li, Grosse & Duvenaud (2018), section 4.1, arXiv 1802.04942; by bins as in
        Locatello et al. (2019), arXiv 1811.12359.
    """
    found = np.zeros((z.shape[1], factors.shape[1]))
    for unit, values in enumerate(z.T):
        cells = np.digitize(values, np.histogram_bin_edges(values, bins)[1:-1])
        for place, factor in enumerate(factors.T):
            levels = factor.max() + 1
            table = np.bincount(cells * levels + factor, minlength=bins * levels)
            joint = table.reshape(bins, -1) / len(values)
            sides = joint.sum(axis=1), joint.sum(axis=0)
            found[unit, place] = _entropy(sides[0]) + _entropy(sides[1]) - _entropy(joint)
    return found


def explained_by(z: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return the share of each unit's variance that is between the values of a factor, `(D, F)`.

    Source: Kumar, Sattigeri & Balakrishnan (2018), section 4 ("SAP"), arXiv 1711.00848.
    Differs: the explained variance takes any shape, where theirs is of a straight line.
    """
    whole = np.square(z - z.mean(axis=0)).sum(axis=0)
    found = []
    for factor in factors.T:
        counts = np.maximum(np.bincount(factor), 1)
        sums = np.stack([np.bincount(factor, unit) for unit in z.T], axis=1)
        between = (sums**2 / counts[:, None]).sum(axis=0) - z.sum(axis=0) ** 2 / len(z)
        found.append(np.divide(between, whole, out=np.zeros_like(whole), where=whole > 0))
    return np.stack(found, axis=1)


def dci(z: np.ndarray, factors: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Return disentanglement, completeness and informativeness, by the importances of forests.

    Source: Eastwood & Williams (2018), section 2, ICLR.
    Differs: informativeness is an accuracy on a fifth of the rows.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    order = np.random.default_rng(seed).permutation(len(z))
    held, train = order[: len(z) // 5], order[len(z) // 5 :]
    importances, right = [], []
    for factor in factors.T:
        forest = ExtraTreesClassifier(TREES, min_samples_leaf=2, random_state=seed)
        forest.fit(z[train], factor[train])
        importances.append(forest.feature_importances_)
        right.append((forest.predict(z[held]) == factor[held]).mean())
    table = np.stack(importances, axis=1) + 1e-12  # (D, F)
    weights = table.sum(axis=1) / table.sum()
    rows, columns = table / table.sum(axis=1, keepdims=True), table / table.sum(axis=0)
    apart = 1 - _entropies(rows) / max(np.log(table.shape[1]), 1e-12)
    complete = 1 - _entropies(columns.T) / max(np.log(table.shape[0]), 1e-12)
    return float((weights * apart).sum()), float(complete.mean()), float(np.mean(right))


def factor_vae_score(z: np.ndarray, factors: np.ndarray, rng: np.random.Generator) -> float:
    """Return how often the unit that varies least tells which factor was held.

    Source: Kim & Mnih (2018), section 4, arXiv 1802.05983.
    """
    spread = z.std(axis=0)
    live = np.flatnonzero(spread > IDLE * spread.max())
    scaled = z[:, live] / spread[live]
    votes = np.zeros((2, len(live), factors.shape[1]))
    for turn in range(2 * VOTES):
        place = rng.integers(factors.shape[1])
        rows = np.flatnonzero(factors[:, place] == factors[rng.integers(len(z)), place])
        some = scaled[rng.choice(rows, ROWS)]
        votes[turn % 2, some.var(axis=0).argmin(), place] += 1
    choice = votes[0].argmax(axis=1)
    return float(votes[1][np.arange(len(live)), choice].sum() / VOTES)


def _gap(table: np.ndarray) -> np.ndarray:
    """Return the best less the second best unit of each factor, `(F,)`."""
    best = np.sort(np.vstack([table, np.zeros(table.shape[1])]), axis=0)
    return best[-1] - best[-2]


def _entropy(shares: np.ndarray) -> float:
    known = shares[shares > 0]
    return float(-(known * np.log(known)).sum())


def _entropies(rows: np.ndarray) -> np.ndarray:
    return np.array([_entropy(row) for row in rows])
