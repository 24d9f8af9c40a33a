"""The estimator: every choice is left to the catalogue, every answer is in the form of X."""

import copy
import sys
import warnings
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    DensityMixin,
    TransformerMixin,
)
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from lowerbound import catalogue
from lowerbound.applications import decode, encode, generate
from lowerbound.catalogue.refit import Refit, apply, refit_after
from lowerbound.core import units_of
from lowerbound.data import Examples
from lowerbound.estimator import parameters, runs
from lowerbound.estimator.examples import checked, data_of, examples_of
from lowerbound.estimator.form import Form
from lowerbound.estimator.seeds import seed_of
from lowerbound.evaluation import score
from lowerbound.runs import Spec
from lowerbound.runs.load import spec_of
from lowerbound.training import Callback, Epoch, Fit, fit


class EpochLines(Callback):
    """One line an epoch on stderr."""

    def on_epoch(self, epoch: Epoch, best: object) -> None:
        """Write it."""
        sys.stderr.write(
            f"epoch {epoch.epoch}: bound {epoch.train.bound:.3f} train, "
            f"{epoch.held_out.bound:.3f} validation, nats per example\n"
        )


class AutoVAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityMixin, BaseEstimator):
    """A variational autoencoder that chooses likelihood, networks and training from the data.

    It passes scikit-learn's `check_estimator`, without exceptions. X may be `(N, D)`, grey images
    `(N, H, W)`, or images `(N, H, W, C)` or `(N, C, H, W)` with C 1 or 3: numbers, booleans, a
    tensor or a table with named columns; data frames with words, dates and gaps, which come back as
    such; or texts, a list of strings. Kinds of cells are recognised
    as `lowerbound.read` does: uint8 are levels and keep a discrete likelihood, cells that are all 0
    or 1 are binary, other numbers are real. Columns that never vary are left out of the model and
    put back on output.

    All of X is trained on, but for a validation part that says which epoch was best: a tenth, or
    ten rows where that is at most a quarter, chosen by their contents. Keep your own test examples
    out of X.

    Args:
        model: A recipe of the catalogue, such as "auto", "iwae" or "beta-vae".
        latents: Number of latent units; None to choose.
        likelihood: p(x|z); "auto" to choose.
        epochs: Passes over the data; None to choose.
        minutes: A budget of time instead; two such trainings need not agree.
        batch_size: Examples in one update; None to choose.
        learning_rate: The peak; None to choose.
        settings: Any other setting of the recipe by name, such as `{"hidden": (64, 64)}`; there
            "samples" are those of its objective.
        samples: Draws of z for each example in `score_samples`.
        random_state: Seed of splitting, training and scoring; None for a fresh one.
        device: Where to train, such as "cuda"; None for the CPU.
        verbose: True to report every epoch on stderr.

    Attributes:
        model_: The trained `VAE`, with the weights of the best epoch.
        schema_: The schema that X was taken to have.
        history_: One `Epoch` an epoch.
        n_iter_: Epochs that were run.
        notes_: Remarks on X, one sentence each.
        result_: The `Fit`: why training stopped, which epoch was best.
        spec_: The `Spec`: every setting and choice, the seed, the split.
        n_features_in_: Columns of X, or cells of an image.
        feature_names_in_: Names of the columns, where X had names.

    Example:
        >>> import numpy as np
        >>> import lowerbound as lb
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 5))
        >>> vae = lb.AutoVAE(latents=2, epochs=3, random_state=0).fit(X)
        >>> vae.transform(X).shape, vae.sample(4).shape, vae.score_samples(X).shape
        ((200, 2), (4, 5), (200,))
    """

    def __init__(
        self,
        model="auto",
        *,
        latents=None,
        likelihood="auto",
        epochs=None,
        minutes=None,
        batch_size=None,
        learning_rate=None,
        settings=None,
        samples=100,
        random_state=None,
        device=None,
        verbose=0,
    ):
        self.model = model
        self.latents = latents
        self.likelihood = likelihood
        self.epochs = epochs
        self.minutes = minutes
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.settings = settings
        self.samples = samples
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    def fit(self, X, y=None) -> Self:
        """Train a model of X.

        Args:
            X: The data, at least 10 distinct examples.
            y: Ignored.

        Raises:
            DataError: X cannot be modelled; a `ValueError`, like the next.
            SettingError: An impossible setting; one that nothing has is named with its neighbours.
            NonFiniteError: Training left the numbers behind.
            KeyboardInterrupt: Ctrl-C; the model of the best epoch so far is kept, if one was
                finished.
        """
        seed = seed_of(self.random_state)
        settings = parameters.settings_of(self.get_params(deep=False))
        X = checked(self, X, reset=True)
        data = data_of(X, getattr(self, "feature_names_in_", None), seed)
        count = len(data.train)
        assembly = catalogue.assemble(self.model, data.schema, settings, examples=count, seed=seed)
        spec = spec_of(assembly, data, seed)
        form = Form.of(X, data.schema)
        try:
            result = fit(
                assembly.model, assembly.objective, data, assembly.training, seed=seed,
                device=self.device, callbacks=[EpochLines()] if self.verbose else [],
            )  # fmt: skip
        except KeyboardInterrupt as interrupt:
            kept: Fit | None = getattr(interrupt, "fit", None)
            if kept is not None and kept.best is not None:
                self._keep(form, spec, kept, None)
            raise
        prior = assembly.refit
        better = refit_after(result.model, data, prior, seed=seed) if prior else None
        self._keep(form, spec, result, better)
        return self

    def transform(self, X) -> np.ndarray:
        """Encode X: posterior means of z, `(N, latents)`; no noise, no row depends on another.

        Computed in float64, so that a row's result does not depend on how many others come along.
        """
        z = self._encode(self._examples(X))
        return z.astype("f4" if self._form.dtype in (np.float16, np.float32) else "f8")

    def inverse_transform(self, X) -> Any:
        """Decode z: means of p(x|z), in the units and the shape of the data.

        Args:
            X: Latent vectors z, `(N, latents)`.
        """
        check_is_fitted(self)
        z: Any = check_array(X, input_name="X", estimator=self)
        return self._form.restore(decode(self.model_, torch.tensor(z)), self.schema_)

    def reconstruct(self, X) -> Any:
        """Encode and decode: means of p(x|z) at the posterior mean of each example, like X."""
        z = self._encode(self._examples(X))
        found = self._form.restore(decode(self.model_, torch.from_numpy(z)), self.schema_)
        if self._form.frame == "pandas" and hasattr(X, "index"):
            found.index = X.index
        return found

    def sample(self, n_samples=1, *, random_state=None) -> Any:
        """Draw new examples, z ~ p(z) and x ~ p(x|z), in the units and the shape of X.

        Args:
            n_samples: Their number.
            random_state: Seed of the draws; None for fresh ones at every call.
        """
        check_is_fitted(self)
        drawn = generate(self.model_, parameters.own(n_samples), seed=seed_of(random_state))
        values = self._form.restore(drawn, self.schema_)
        as_stored = self.schema_.is_discrete and isinstance(values, np.ndarray)
        as_stored = as_stored and not self.schema_.is_text
        return values.astype(self._form.dtype) if as_stored else values

    def score_samples(self, X) -> np.ndarray:
        """Compute the importance-weighted lower bound on log p(x) of each row, `(N,)`, nats.

        A density for real X, a probability for discrete X. The noise follows from `random_state`
        and the contents of the example: the same row always gets the same score, to the bit. A
        row too far from the training data for a number gets -inf or nan, and a warning names it.
        """
        examples, samples = self._examples(X), parameters.own(self.samples)
        found = score(self.model_, examples, samples, seed=self.spec_.seed)
        if found.note:
            warnings.warn(found.note, stacklevel=2)
        return found.log_likelihood.numpy()

    def score(self, X, y=None) -> float:  # type: ignore[override]
        """Average `score_samples`: nats per example, higher is better; y is ignored."""
        return float(self.score_samples(X).mean())

    def save(self, path, force=False) -> None:
        """Write a run directory, which `load`, `lowerbound.load` and the command line can read.

        Args:
            path: The directory.
            force: Replace a run that is there.

        Raises:
            OutputError: The place is taken or cannot be written.
        """
        check_is_fitted(self)
        params = self.get_params(deep=False)
        runs.save(path, params, self.spec_, self.result_, self.refit_, force=force)

    @classmethod
    def load(cls, path, *, device="cpu") -> Self:
        """Read a run that `save` or `lowerbound fit` wrote.

        A `random_state` that was a generator is the seed it gave. Of a run that no estimator wrote
        the parameters are those of its recipe and settings, and grey images are `(N, H, W)`.

        Args:
            path: The run's directory.
            device: Where to put the model.

        Raises:
            RunError: There is no run, or it is damaged.
        """
        params, form, spec, result, better = runs.load(path, set(cls._get_param_names()), device)
        estimator = cls(**params)
        estimator._keep(form, spec, result, better)
        return estimator

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")  # a fit that failed leaves n_features_in_ behind

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]  # type: ignore[union-attr]
        return tags

    @property
    def _n_features_out(self) -> int:
        return units_of(self.model_.latents)

    def _examples(self, X) -> Examples:
        """Convert X into the form that the model stores."""
        check_is_fitted(self)
        return examples_of(checked(self, X, reset=False), self.schema_)

    def _encode(self, examples: Examples) -> np.ndarray:
        return encode(copy.deepcopy(self.model_).double(), examples).mean.numpy()

    def _keep(self, form: Form, spec: Spec, result: Fit, better: Refit | None) -> None:
        """Set the attributes that hold the result."""
        self._form = form
        self.refit_ = better
        model = result.model if better is None else apply(result.model, better)
        self.model_ = model.eval()
        self.schema_ = schema = spec.schema
        self.history_ = result.history
        self.n_iter_ = len(result.history)
        self.notes_ = tuple(str(note) for note in spec.data["notes"])
        self.result_ = result
        self.spec_ = runs.with_entry(spec, **form.to_json())
        width = schema.dimensions + len(schema.constants)
        self.n_features_in_ = 1 if schema.is_text else len(schema.columns or range(width))
        if schema.columns is not None:
            self.feature_names_in_ = np.asarray(schema.columns, dtype=object)
