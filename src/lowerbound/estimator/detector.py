"""The outlier detector: rows are compared with rows that were not trained on."""

import copy
import math
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from lowerbound.applications import Anomalies, anomalies, calibrate
from lowerbound.errors import SettingError
from lowerbound.estimator import parameters
from lowerbound.estimator.examples import checked, data_of, examples_of
from lowerbound.estimator.seeds import seed_of
from lowerbound.estimator.training import train


class VAEDetector(OutlierMixin, BaseEstimator):
    """Finds rows that do not fit the others, by log p(x) of a variational autoencoder.

    As scikit-learn's outlier detectors: `fit` on rows that are mostly normal; `predict` gives 1 for
    normal rows and -1 for others; `score_samples` is higher for normal rows. The threshold comes
    from the validation part of X, a tenth, which the weights were not trained on. It passes
    scikit-learn's `check_estimator`, without exceptions.

    Args:
        model: A recipe of the catalogue.
        false_alarms: Share of normal rows that may be taken for anomalies, between 0 and 1; one
            below 1 / (validation rows + 1) cannot be promised.
        samples: Draws of z for each row.
        latents: Number of latent units; None to choose.
        epochs: Passes over the data; None to choose.
        minutes: A budget of time instead.
        settings: Any other setting of the recipe, by name.
        random_state: Seed of splitting, training and scoring; None for a fresh one.
        device: Where to train; None for the CPU.

    Attributes:
        model_: The trained model.
        schema_: The schema that X was taken for.
        calibration_: How the validation part scores.
        offset_: `score_samples` below which a row is taken for an anomaly.
        n_features_in_: Columns of X.
        feature_names_in_: Names of the columns, where X had names.

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
        self.samples = samples
        self.latents = latents
        self.epochs = epochs
        self.minutes = minutes
        self.settings = settings
        self.random_state = random_state
        self.device = device

    def fit(self, X, y=None) -> Self:
        """Train on X, and set the threshold on its validation part.

        Args:
            X: At least 10 distinct rows, mostly normal ones.
            y: Ignored.
        """
        if not 0 < self.false_alarms < 1:
            raise SettingError(f"false_alarms must lie between 0 and 1, got {self.false_alarms!r}")
        seed = seed_of(self.random_state)
        X = checked(self, X, reset=True)
        data = data_of(X, getattr(self, "feature_names_in_", None), seed, table=True)
        model, spec = train(self.get_params(deep=False), data, seed)
        # in float64, so that a row's score does not depend on how many others come along
        self.model_ = copy.deepcopy(model).double()
        self.schema_ = spec.schema
        self.calibration_ = calibrate(
            self.model_, data.validation, samples=parameters.own(self.samples), seed=seed
        )
        held = self.calibration_.scores
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
        """Return the conformal p-value of each row, `(N,)`: see `lowerbound.anomalies`."""
        return self._judged(X, cells=False).p_value.numpy()

    def cells(self, X) -> np.ndarray:
        """Tell how odd each cell is given the rest of its row, nats, the shape of X.

        Columns that never varied are not there. See `lowerbound.anomalies`.
        """
        found = self._judged(X, cells=True).cells
        return np.empty((0, 0)) if found is None else found.numpy()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _judged(self, X, *, cells: bool) -> Anomalies:
        check_is_fitted(self)
        examples = examples_of(checked(self, X, reset=False), self.schema_)
        return anomalies(self.model_, examples, self.calibration_, cells=cells)
