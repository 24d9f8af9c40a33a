"""The outlier detector: rows are compared with rows that were not trained on."""

import copy
import math
from dataclasses import replace
from typing import Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from lowerbound.applications import Anomalies, anomalies, calibrate
from lowerbound.errors import SettingError
from lowerbound.estimator import parameters
from lowerbound.estimator.examples import checked, data_of, examples_of
from lowerbound.estimator.seeds import seed_of
from lowerbound.estimator.training import train

#: Models of a table of fewer rows than this, whose validation part is too small for a threshold.
FOLDS, FEW_ROWS = 5, 1000


class VAEDetector(OutlierMixin, BaseEstimator):
    """Finds rows that do not fit the others, by log p(x) of a variational autoencoder.

    As scikit-learn's outlier detectors: `fit` on rows that are mostly normal; `predict` gives 1 for
    normal rows and -1 for others; `score_samples` is higher for normal rows. The threshold comes
    from the validation part of X, a tenth, which the weights were not trained on. Of few rows a
    tenth says little: then several models are trained, each with another tenth, their scores of
    new rows are averaged, and those of all validation parts make the threshold. It passes
    scikit-learn's `check_estimator`, without exceptions.

    Args:
        model: A recipe of the catalogue.
        false_alarms: Share of normal rows that may be taken for anomalies, between 0 and 1; one
            below 1 / (validation rows + 1) cannot be promised.
        folds: Models, each with a validation part of its own; None for 5 below 1,000 rows, else 1.
        samples: Draws of z for each row.
        latents: Number of latent units; None to choose.
        epochs: Passes over the data; None to choose.
        minutes: A budget of time instead.
        settings: Any other setting of the recipe, by name.
        random_state: Seed of splitting, training and scoring; None for a fresh one.
        device: Where to train; None for the CPU.

    Attributes:
        models_: The trained models.
        schemas_: The schema that each took X for.
        calibrations_: How the validation part of each scores.
        offset_: `score_samples` below which a row is taken for an anomaly.
        n_features_in_: Columns of X.
        feature_names_in_: Names of the columns, where X had names.

    Source: Vovk (2015), Cross-conformal predictors, Annals of Mathematics and Artificial
        Intelligence 74; how far its rates can err: Gasparin & Ramdas (2025), arXiv 2503.01495.
    Differs: validation parts are drawn by seed, and may share rows; the threshold of `predict` is
        for a row's mean score over the models, which spreads less than theirs, so that of few rows
        fewer normal ones are taken for anomalies than `false_alarms` allows.

    Example:
        >>> import numpy as np
        >>> import lowerbound as lb
        >>> X = np.random.default_rng(0).normal(size=(200, 3))
        >>> detector = lb.VAEDetector(latents=2, epochs=3, samples=10, random_state=0).fit(X)
        >>> detector.predict([[0.0, 0.0, 0.0], [40.0, 0.0, 0.0]])
        array([ 1, -1])
        >>> int(detector.cells([[0.0, 40.0, 0.0]]).argmax())
        1
    """

    def __init__(
        self,
        model="auto",
        *,
        false_alarms=0.1,
        folds=None,
        samples=100,
        latents=None,
        epochs=None,
        minutes=None,
        settings=None,
        random_state=None,
        device=None,
    ):
        self.model = model
        self.false_alarms = false_alarms
        self.folds = folds
        self.samples = samples
        self.latents = latents
        self.epochs = epochs
        self.minutes = minutes
        self.settings = settings
        self.random_state = random_state
        self.device = device

    def fit(self, X, y=None) -> Self:
        """Train on X, and set the threshold on rows that were not trained on.

        Args:
            X: At least 10 distinct rows, mostly normal ones.
            y: Ignored.
        """
        if not 0 < self.false_alarms < 1:
            raise SettingError(f"false_alarms must lie between 0 and 1, got {self.false_alarms!r}")
        folds = parameters.own(self.folds)
        if folds is not None and not (isinstance(folds, int) and folds >= 1):
            raise SettingError(f"folds must be a whole number of at least 1, got {folds!r}")
        seed, samples = seed_of(self.random_state), parameters.own(self.samples)
        X = checked(self, X, reset=True)
        names = getattr(self, "feature_names_in_", None)
        models, schemas, calibrations = [], [], []
        for fold in range(folds or (FOLDS if len(X) < FEW_ROWS else 1)):
            data = data_of(X, names, seed + fold, table=True)
            model, spec = train(self.get_params(deep=False), data, seed + fold)
            # in float64, so that a row's score does not depend on how many others come along
            models.append(copy.deepcopy(model).double())
            schemas.append(spec.schema)
            cells = not spec.schema.is_sequence  # a text has scores, and no cells by themselves
            calibrations.append(
                calibrate(models[-1], data.validation, samples=samples, seed=seed, cells=cells)
            )
        self.models_, self.schemas_, self.calibrations_ = models, schemas, calibrations
        held = self._held()
        place = math.ceil((len(held) + 1) * (1 - self.false_alarms))
        self.offset_ = -float(held[min(place, len(held)) - 1])
        return self

    def score_samples(self, X) -> np.ndarray:
        """Estimate log p(x) of each row, `(N,)`, nats: higher is more normal."""
        return -self._judged(X, cells=False).score.numpy()

    def decision_function(self, X) -> np.ndarray:
        """Return `score_samples` above the threshold, `(N,)`: negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X) -> np.ndarray:
        """Return 1 for each normal row and -1 for each anomaly, `(N,)`."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def p_values(self, X) -> np.ndarray:
        """Return the conformal p-value of each row, `(N,)`: see `lowerbound.anomalies`.

        With several folds the rate that it promises holds about, and not for certain.
        """
        return self._judged(X, cells=False).p_value.numpy()

    def cells(self, X) -> np.ndarray:
        """Tell how odd each cell is given the rest of its row, nats, the shape of X.

        Columns that never varied are not there. See `lowerbound.anomalies`.
        """
        found = self._judged(X, cells=True).cells
        return np.empty((0, 0)) if found is None else found.numpy()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "models_")

    def _held(self) -> torch.Tensor:
        """The scores of all validation parts, ascending."""
        return torch.cat([one.scores for one in self.calibrations_]).sort().values

    def _judged(self, X, *, cells: bool) -> Anomalies:
        check_is_fitted(self)
        X = checked(self, X, reset=False)
        each = [
            anomalies(model, examples_of(X, schema), calibration, cells=cells)
            for model, schema, calibration in zip(
                self.models_, self.schemas_, self.calibrations_, strict=True
            )
        ]
        if len(each) == 1:
            return each[0]
        score = torch.stack([one.score for one in each]).mean(dim=0)
        held = [len(one.scores) for one in self.calibrations_]
        above = [one.p_value * (n + 1) - 1 for one, n in zip(each, held, strict=True)]
        p_value = (1 + torch.stack(above).sum(dim=0).round()) / (sum(held) + 1)
        odd = [one.cells for one in each if one.cells is not None]
        odd = torch.stack(odd).mean(dim=0) if odd else None
        return replace(each[0], score=score, p_value=p_value, cells=odd)
