"""What tables.py measures beside ours: short baselines over scikit-learn.

A table is a `Table` of `lowerbound.evaluation.synthetic`: numbers and codes, nan for a gap.
"""

import numpy as np
from scipy.special import logsumexp
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import OneClassSVM

#: Distinct numbers that have a cell each; of more, those of 1 % of rows, and ranges of the rest.
OWN, RANGES = 200, 50


class Cells:
    """Numbers as codes: frequent ones of their own, the rest in ranges; words as they are."""

    def __init__(self, table):
        self.own, self.edges, self.sizes, self.whole, self.rows = [], [], [], [], len(table)
        for column, levels in zip(table.values.T, table.levels, strict=True):
            known = column[~np.isnan(column)]
            own, counts = np.unique(known, return_counts=True)
            if levels is not None:
                own = np.arange(len(levels), dtype=float)
            elif len(own) > OWN:
                own = own[counts >= 0.01 * len(known)]
            rest = known[~np.isin(known, own)]
            edges = own[:0]
            if len(rest):
                edges = np.unique(np.quantile(rest, np.linspace(0, 1, RANGES + 1)))
            self.own.append(own)
            self.edges.append(edges)
            self.sizes.append(len(own) + max(0, len(edges) - 1))
            self.whole.append(bool((known % 1 == 0).all()))

    def codes(self, values):
        """Int `(N, D)`, -1 for a gap."""
        found = np.full(values.shape, -1)
        for j, (own, edges) in enumerate(zip(self.own, self.edges, strict=True)):
            known = ~np.isnan(values[:, j])
            x = values[known, j]
            place = np.searchsorted(own, x).clip(0, max(0, len(own) - 1))
            if len(edges):
                is_own = own[place] == x if len(own) else np.zeros(len(x), bool)
                found[known, j] = np.where(is_own, place, len(own) + np.digitize(x, edges[1:-1]))
            else:  # an unseen number is the next one
                found[known, j] = place
        return found

    def back(self, codes, rng):
        """Numbers drawn evenly within their ranges, whole ones where all are."""
        found = np.empty(codes.shape)
        for j, (own, edges) in enumerate(zip(self.own, self.edges, strict=True)):
            ranged = codes[:, j] >= len(own)
            found[~ranged, j] = own[codes[~ranged, j]]
            if ranged.any():
                place = codes[ranged, j] - len(own)
                low, high = edges[place], edges[place + 1]
                made = low + (high - low) * rng.random(len(place))
                found[ranged, j] = np.floor(made) if self.whole[j] else made
        return found

    def log_widths(self, values, codes):
        """Log of how many whole numbers share a cell, `(N, D)`; of an unseen one, of the rows."""
        found = np.zeros(codes.shape)
        for j, (own, edges) in enumerate(zip(self.own, self.edges, strict=True)):
            if len(edges):
                width = np.diff(np.ceil(edges)).clip(1)
                width[-1] += 1
                found[:, j] = np.append(np.zeros(len(own)), np.log(width))[codes[:, j]]
            else:
                unseen = (codes[:, j] >= 0) & (own[codes[:, j]] != values[:, j])
                found[unseen, j] = np.log(self.rows)
        return found


class LatentClasses:
    """A mixture of products of histograms, by EM; gaps are summed out, or cells of their own."""

    def __init__(self, table, classes=50, strength=20.0, steps=60, gaps=False, seed=0):
        self.cells, self.gaps, self.rng = Cells(table), gaps, np.random.default_rng(seed)
        codes = self._with_gaps(self.cells.codes(table.values))
        self.sizes = [size + gaps for size in self.cells.sizes]
        weights = self.rng.dirichlet(np.full(classes, 0.1), len(codes))
        for _ in range(steps):
            self.log_share = np.log(weights.sum(axis=0) + 1) - np.log(len(codes) + classes)
            self.log_tables = []
            for j, size in enumerate(self.sizes):
                known = codes[:, j] >= 0
                counts = np.zeros((size, classes))
                np.add.at(counts, codes[known, j], weights[known])
                whole = counts.sum(axis=1, keepdims=True) + 1e-2
                counts += strength * whole / whole.sum()
                self.log_tables.append(np.log(counts / counts.sum(axis=0)))
            joint = self.joint(codes)
            weights = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))

    def _with_gaps(self, codes):
        if not self.gaps:
            return codes
        return np.where(codes < 0, np.array(self.cells.sizes), codes)

    def joint(self, codes):
        """Log of the share of a class times the chance of a row in it, `(N, K)`."""
        total = np.repeat(self.log_share[None], len(codes), axis=0)
        for j, table in enumerate(self.log_tables):
            known = codes[:, j] >= 0
            total[known] += table[codes[known, j]]
        return total

    def log_p(self, values):
        """Log-probability of each row; numbers are whole ones."""
        codes = self.cells.codes(values)
        widths = np.where(codes < 0, 0, self.cells.log_widths(values, codes))
        return logsumexp(self.joint(self._with_gaps(codes)), axis=1) - widths.sum(axis=1)

    def sample(self, count):
        """Rows as numbers, nan for a gap."""
        which = self.rng.choice(len(self.log_share), count, p=_one(np.exp(self.log_share)))
        return self._drawn(which)

    def _drawn(self, which):
        codes = np.column_stack([
            _choice(np.exp(table[:, which]).T, self.rng) for table in self.log_tables
        ])  # fmt: skip
        gap = self.gaps & (codes == np.array(self.cells.sizes))
        back = self.cells.back(np.where(gap, 0, codes), self.rng)
        return np.where(gap, np.nan, back)

    def draws(self, values, count):
        """Fill gaps `count` times from p(missing | known), `(M, N, D)`."""
        joint = self.joint(self.cells.codes(values))
        chance = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        gap = np.isnan(values)
        return np.stack([
            np.where(gap, self._drawn(_choice(chance, self.rng)), values) for _ in range(count)
        ])  # fmt: skip


def _one(x):
    return x / x.sum()


def _choice(chances, rng):
    total = chances.cumsum(axis=1)
    return (rng.random((len(total), 1)) * total[:, -1:] > total).sum(axis=1)


# ---------------------------------------------------------------- filling gaps


def usual(table):
    """The mean of numbers, the most frequent word."""
    found = table.values.copy()
    for j, levels in enumerate(table.levels):
        known = found[~np.isnan(found[:, j]), j]
        value = known.mean() if levels is None else np.bincount(known.astype(int)).argmax()
        found[np.isnan(found[:, j]), j] = value
    return found


def _indicators(table, drop):
    columns, places = [], []
    for j, levels in enumerate(table.levels):
        x = table.values[:, j]
        if levels is None:
            centre, spread = np.nanmean(x), np.nanstd(x) or 1.0
            places.append((slice(len(columns), len(columns) + 1), centre, spread))
            columns.append((x - centre) / spread)
        else:
            first = 1 if drop and len(levels) == 2 else 0
            places.append((slice(len(columns), len(columns) + len(levels) - first), first, None))
            for k in range(first, len(levels)):
                columns.append(np.where(np.isnan(x), np.nan, x == k))
    return np.column_stack(columns), places


def _back(table, filled, places):
    found = table.values.copy()
    for j, (some, first, spread) in enumerate(places):
        part = filled[:, some]
        if spread is not None:
            value = part[:, 0] * spread + first
        else:
            value = (part[:, 0] > 0.5) if first else part.argmax(axis=1)
        gap = np.isnan(found[:, j])
        found[gap, j] = value[gap]
    return found


def by_sklearn(imputer, drop=True):
    def fill(table):
        x, places = _indicators(table, drop)
        return _back(table, imputer.fit_transform(x), places)

    return fill


def chained(trees, rounds=2):
    """Predict each column from the others in turn, as missForest does."""

    def fill(table):
        filled, gaps = usual(table), np.isnan(table.values)
        for _ in range(rounds):
            for j in np.argsort(gaps.sum(axis=0), kind="stable"):
                if not gaps[:, j].any():
                    continue
                model = trees(table, j)
                rest = np.delete(filled, j, axis=1)
                model.fit(rest[~gaps[:, j]], filled[~gaps[:, j], j])
                filled[gaps[:, j], j] = model.predict(rest[gaps[:, j]])
        return filled

    return fill


def boosted(table, j):
    one = (
        HistGradientBoostingRegressor if table.levels[j] is None else HistGradientBoostingClassifier
    )
    return one(max_iter=30, early_stopping=False, random_state=0,
               categorical_features=np.delete(table.words, j))  # fmt: skip


def extra(table, j):
    one = ExtraTreesRegressor if table.levels[j] is None else ExtraTreesClassifier
    return one(100, min_samples_leaf=1 if len(table) < 1000 else 5, random_state=0)


def ridge(seed=0):
    return by_sklearn(IterativeImputer(random_state=seed, max_iter=10))


def neighbours():
    return by_sklearn(KNNImputer(n_neighbors=5), drop=False)


# ---------------------------------------------------------------- anomalies


def knn(train, seed):
    model = NearestNeighbors(n_neighbors=5).fit(train)
    return lambda x: model.kneighbors(x)[0][:, -1]


def gaussian_mixture(train, seed):
    model = GaussianMixture(min(5, 1 + len(train) // 100), reg_covar=1e-3, random_state=seed)
    model.fit(train)
    return lambda x: -model.score_samples(x)


def forest(train, seed):
    model = IsolationForest(random_state=seed).fit(train)
    return lambda x: -model.score_samples(x)


def one_class(train, seed):
    model = OneClassSVM(nu=0.1).fit(train[:5000])
    return lambda x: -model.score_samples(x)


def components(train, seed):
    model = PCA(0.9, random_state=seed).fit(train)
    return lambda x: ((x - model.inverse_transform(model.transform(x))) ** 2).sum(axis=1)


def z_cells(train):
    return lambda x: np.abs(x)


def gaussian_cells(train):
    """Minus the log-density of each cell given the rest, under one Gaussian."""
    fitted = LedoitWolf().fit(train)
    precision = fitted.precision_
    diagonal = np.diag(precision)
    return lambda x: (
        0.5 * ((x - fitted.location_) @ precision) ** 2 / diagonal - 0.5 * np.log(diagonal)
    )
