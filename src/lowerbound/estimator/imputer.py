"""The imputer: a transformer that fills gaps, arrays and data frames in and out."""

import copy
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from lowerbound.applications import impute
from lowerbound.catalogue.bootstrap import bootstrap
from lowerbound.catalogue.settings import check_settings
from lowerbound.data import Data, Raw, Reading, arranged, build, coerce, read_examples, reading
from lowerbound.data.read.source import open_source
from lowerbound.data.rows import ArrayRows
from lowerbound.data.table import Words, words_of
from lowerbound.errors import SettingError
from lowerbound.estimator import parameters
from lowerbound.estimator.frames import check_names, is_worded, names_of
from lowerbound.estimator.seeds import seed_of
from lowerbound.estimator.training import assembled, train
from lowerbound.runs.load import spec_of

#: Fewer training rows are learned with other settings for longer: on half of breast cancer's cells
#: the squared error falls from .32 to .30 by that (benchmarks/results/tables.json).
FEW_ROWS = 2000
OF_FEW = {"samples": 20, "network.hidden": (128, 128)}


class VAEImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Fills gaps from the other cells of a row, by a variational autoencoder.

    Stands in for scikit-learn's `IterativeImputer`, and takes words, too: X is an array with nan
    for gaps, or a data frame of pandas, polars or pyarrow, which comes back as one. It passes
    scikit-learn's `check_estimator`, without exceptions.

    Tables of fewer than 2,000 rows are learned with 20 draws of z, narrower networks and twice the
    epochs, where `settings` and `epochs` do not say otherwise.

    Args:
        model: A recipe of the catalogue.
        point: The value of a gap: "mean", "median" or "mode" of its draws, or "auto" for what suits
            the column: see `lowerbound.impute`.
        sample_posterior: Draw the values instead, for multiple imputation: each call of
            `transform` gives other ones unless `random_state` is set.
        models: How many models are trained, each but the only one on a resample of the rows; 5 and
            more for multiple imputation of a few thousand rows.
        samples: Draws of z for each row.
        latents: Number of latent units; None to choose.
        epochs: Passes over the data; None to choose.
        minutes: A budget of time instead, for each model.
        settings: Any other setting of the recipe, by name.
        random_state: Seed of splitting, training and draws; None for fresh ones.
        device: Where to train; None for the CPU.

    Attributes:
        models_: The trained models.
        schema_: The schema that X was taken for.
        n_features_in_: Columns of X.
        feature_names_in_: Names of the columns, where X had names.

    Example:
        >>> import numpy as np
        >>> import lowerbound as lb
        >>> X = np.random.default_rng(0).normal(size=(100, 1)) * [1.0, 2.0, 3.0]
        >>> X[::9, 1] = np.nan
        >>> imputer = lb.VAEImputer(latents=1, epochs=3, samples=50, random_state=0)
        >>> bool(np.isfinite(imputer.fit_transform(X)).all())
        True
    """

    def __init__(
        self,
        model="auto",
        *,
        point="auto",
        sample_posterior=False,
        models=1,
        samples=500,
        latents=None,
        epochs=None,
        minutes=None,
        settings=None,
        random_state=None,
        device=None,
    ):
        self.model = model
        self.point = point
        self.sample_posterior = sample_posterior
        self.models = models
        self.samples = samples
        self.latents = latents
        self.epochs = epochs
        self.minutes = minutes
        self.settings = settings
        self.random_state = random_state
        self.device = device

    def fit(self, X, y=None) -> Self:
        """Train on X, gaps and all.

        Args:
            X: At least 10 distinct rows.
            y: Ignored.
        """
        models = parameters.own(self.models)
        if not (isinstance(models, int) and models >= 1):
            raise SettingError(f"models must be a whole number of at least 1, got {models!r}")
        seed = seed_of(self.random_state)
        data = self._data(X, seed)
        params = self._careful(data)
        spec = spec_of(assembled(params, data, seed), data, seed)
        refit = spec.refit.get("prior", "none")
        settings = {**spec.settings, **spec.training, "refit": refit}
        found = [train(params, data, seed)[0]] if models == 1 else [
            bootstrap(
                spec.recipe, settings, data, seed=seed + index, device=self.device,
            ).cpu()
            for index in range(models)
        ]  # fmt: skip
        # in float64, so that what a row gets does not depend on how many others come along
        self.models_ = [copy.deepcopy(one).double() for one in found]
        self.schema_, self._seed = spec.schema, seed
        return self

    def transform(self, X) -> Any:
        """Fill the gaps of X; its other cells, its type and its order stay.

        Args:
            X: Rows with the columns of `fit`.
        """
        check_is_fitted(self)
        frame = is_worded(X)
        if frame:
            check_names(self, X, reset=False)
            examples, _ = read_examples(X, self.schema_)
        else:
            X = self._checked(X, reset=False)
            raw = _raw(X, reading(self.schema_.reading, recorded=True))
            examples, _ = coerce(raw, self.schema_)
        seed = seed_of(self.random_state) if self.sample_posterior else self._seed
        found = impute(
            self.models_, examples, self.schema_, samples=parameters.own(self.samples),
            draws=int(self.sample_posterior), point=self.point, seed=seed,
        )  # fmt: skip
        value = found.draws[0] if self.sample_posterior else found.value
        gaps = (found.row.numpy(), found.cell.numpy())
        whole = (found.complete(0) if self.sample_posterior else found.x).numpy()
        if frame:
            return _filled(X, words_of(self.schema_, *gaps, value.numpy(), whole))
        filled = self.schema_.unpack(whole)
        return np.where(np.isnan(X), filled, X).astype(X.dtype) if X.dtype.kind == "f" else X

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "models_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]  # type: ignore[union-attr]
        return tags

    def _careful(self, data: Data) -> dict[str, Any]:
        """Return the parameters; of few rows with `OF_FEW`, and twice the usual epochs."""
        params = self.get_params(deep=False)
        made = assembled(params, data, 0)
        if made.recipe.name != "table" or len(data.train) >= FEW_ROWS:
            return params
        given = check_settings(made.recipe, params["settings"] or {})
        if params["epochs"] is None and params["minutes"] is None and "epochs" not in given:
            params["epochs"] = 2 * made.training.epochs
        return {**params, "settings": {**OF_FEW, **given}}

    def _data(self, X, seed: int) -> Data:
        if is_worded(X):
            check_names(self, X, reset=True)
            return build(open_source(X), seed=seed, test=False)
        X = self._checked(X, reset=True)
        names = getattr(self, "feature_names_in_", [f"x{place}" for place in range(X.shape[1])])
        return build(_raw(X, Reading(), tuple(names)), seed=seed, test=False)

    def _checked(self, X, *, reset: bool) -> np.ndarray:
        X = validate_data(self, X, reset=reset, ensure_all_finite="allow-nan", dtype="numeric")
        return np.require(X, None, "W")  # torch warns of memory that it must not write to


def _raw(X: np.ndarray, options: Reading, columns: tuple[str, ...] | None = None) -> Raw:
    return arranged(Raw("X", ArrayRows(X), names=columns), options, suspect=False)


def _filled(X: Any, words: Words) -> Any:
    """Fill a data frame, in its own type."""
    if hasattr(X, "iloc"):  # pandas
        whole = X.copy()
        for name, values in words.values.items():
            if name not in whole:  # a column that follows from others may be left out
                continue
            rows = words.rows[name][whole[name].isna().to_numpy()[words.rows[name]]]
            own = values[np.isin(words.rows[name], rows)]
            column = whole[name].copy()
            column.iloc[rows] = own
            whole[name] = column
        return whole
    import pyarrow as pa

    table = X if isinstance(X, pa.Table) else None
    columns: dict[str, Any] = {}
    for name in names_of(X):
        cells = X[name].to_pylist() if table is not None else list(X[name])
        for row, value in zip(
            words.rows.get(name, np.array([], int)).tolist(),
            words.values.get(name, np.array([])).tolist(),
            strict=True,
        ):
            if cells[row] is None or cells[row] != cells[row]:
                cells[row] = value
        columns[name] = cells
    if table is not None:
        return pa.table(columns, schema=table.schema)
    same: Any = type(X)
    if isinstance(X, Mapping):
        return same(columns)
    made = same(columns)  # polars takes words of a category for text, and wide numbers
    return made.cast({name: kind for name, kind in X.schema.items() if made.schema[name] != kind})
