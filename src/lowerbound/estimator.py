"""`AutoVAE`, the scikit-learn face: model, objective and training are chosen from the data."""

import copy
import math
import os
import sys
import warnings
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from numbers import Integral
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    DensityMixin,
    TransformerMixin,
)
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from lowerbound import catalogue
from lowerbound.applications import decode, encode, generate
from lowerbound.catalogue.runs import spec_of
from lowerbound.data import Data, Examples, arrays
from lowerbound.data.build import schema_of
from lowerbound.data.coerce import coerce
from lowerbound.data.examples import fingerprint
from lowerbound.data.infer import infer
from lowerbound.data.raw import Raw
from lowerbound.data.splits import FRACTION, LARGEST_PART, LEAST_DISTINCT, RULE, content_order
from lowerbound.errors import DataError, RunError, SettingError
from lowerbound.evaluation import evidence
from lowerbound.seeding import fresh_seed
from lowerbound.storage import Spec
from lowerbound.training import Callback, Epoch, Fit, fit

#: Validation examples there are at least, as long as they leave three quarters to learn from.
USUAL_VALIDATION = 10
#: Arguments that are settings of the catalogue under the same name, and what says "choose".
_SHORTCUTS: dict[str, Any] = {
    "latents": None,
    "likelihood": "auto",
    "epochs": None,
    "minutes": None,
    "batch_size": None,
    "learning_rate": None,
}


class AutoVAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DensityMixin, BaseEstimator):
    """A variational autoencoder that chooses likelihood, networks and training from the data.

    It passes scikit-learn's `check_estimator`, without exceptions. X may be `(N, D)`, grey images
    `(N, H, W)`, or images `(N, H, W, C)` or `(N, C, H, W)` with C 1 or 3: numbers, booleans, a
    tensor or a table with named columns. What the cells are is read off as `lowerbound.read` does:
    uint8 are levels and keep a discrete likelihood, cells that are all 0 or 1 are binary, other
    numbers are real. Columns that never vary are left out of the model and put back on output.

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
        verbose: Whether to report every epoch on stderr.

    Attributes:
        model_: The trained `VAE`, with the weights of the best epoch.
        schema_: What X was taken for.
        history_: One `Epoch` an epoch.
        n_iter_: Epochs that were run.
        notes_: What was noticed in X, one sentence each.
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
        """
        seed = _seed(self.random_state)
        settings = self._settings()
        X = self._checked(X, reset=True)
        data = _data(X, getattr(self, "feature_names_in_", None), seed)
        assembly = catalogue.assemble(
            self.model, data.schema, settings, examples=len(data.train), seed=seed
        )
        spec = spec_of(assembly, data, seed)
        result = fit(
            assembly.model,
            assembly.objective,
            data,
            assembly.training,
            seed=seed,
            device=self.device,
            callbacks=[_Report()] if self.verbose else [],
        )
        # 0 and 255 are stored as 0 and 1: remember which it was
        white = 255 if X.ndim > 2 and data.schema.kind == "binary" and X.max() == 255 else 1
        form = {"shape": list(X.shape[1:]), "dtype": X.dtype.newbyteorder("=").str, "white": white}
        self._keep(replace(spec, data={**spec.data, "estimator": form}), result)
        return self

    def transform(self, X) -> np.ndarray:
        """Posterior means of z, `(N, latents)`; no noise, and no row depends on another.

        Computed in float64, so that a row's result does not depend on how many others come along.
        """
        examples = self._examples(X)
        return self._encode(examples).astype(
            np.float32 if self._dtype in (np.float16, np.float32) else np.float64
        )

    def inverse_transform(self, X) -> np.ndarray:
        """Means of p(x|z), in the units and the shape of the data.

        Args:
            X: Latent vectors z, `(N, latents)`.
        """
        check_is_fitted(self)
        z: Any = check_array(X, input_name="X", estimator=self)
        return self._as_given(decode(self.model_, torch.tensor(z)))

    def reconstruct(self, X) -> np.ndarray:
        """There and back: means of p(x|z) at the posterior mean of each example, like X."""
        z = self._encode(self._examples(X))
        return self._as_given(decode(self.model_, torch.from_numpy(z)))

    def sample(self, n_samples=1, *, random_state=None) -> np.ndarray:
        """Draw new examples, z ~ p(z) and x ~ p(x|z), in the units and the shape of X.

        Args:
            n_samples: How many.
            random_state: Seed of the draws; None for fresh ones at every call.
        """
        check_is_fitted(self)
        drawn = generate(self.model_, _own(n_samples), seed=_seed(random_state))
        values = self._as_given(drawn)
        return values.astype(self._dtype) if self.schema_.is_discrete else values

    def score_samples(self, X) -> np.ndarray:
        """Importance-weighted lower bound on log p(x) of each example, `(N,)`, nats.

        A density for real X, a probability for discrete X. The noise follows from `random_state`
        and the contents of the example: the same row always gets the same score, to the bit.
        """
        x, samples = self._examples(X).x, _own(self.samples)
        scores = []
        # one by one: in a batch the noise and the last bits would depend on the others
        for i, seed in enumerate(_noise_seeds(x, self.spec_.seed)):
            found = evidence(self.model_, Examples(x[i : i + 1]), samples, seed=seed)
            scores.append(found.log_likelihood)
        return torch.cat(scores).numpy()

    def score(self, X, y=None) -> float:  # type: ignore[override]
        """Mean of `score_samples`: nats per example, higher is better; y is ignored."""
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
        params = {k: _plain(v, self.spec_.seed) for k, v in self.get_params(deep=False).items()}
        form = {**self.spec_.data["estimator"], "params": params}
        spec = replace(self.spec_, data={**self.spec_.data, "estimator": form})
        catalogue.save(path, spec, self.result_, force=force)

    @classmethod
    def load(cls, path, *, device="cpu") -> Self:
        """Read what `save` wrote; none of its contents is executed.

        A `random_state` that was a generator comes back as the seed it gave.

        Args:
            path: The run's directory.
            device: Where to put the model.

        Raises:
            RunError: There is no run, it is damaged, or `save` did not write it.
        """
        run = catalogue.load(path, device=device)
        spec = run.spec
        if "estimator" not in spec.data:
            raise RunError(f"{path} was not saved by AutoVAE; load it with lowerbound.load")
        try:
            form = dict(spec.data["estimator"])
            params = {name: _as_settings(value) for name, value in form.pop("params").items()}
            if set(params) != set(cls._get_param_names()):
                raise ValueError
            estimator = cls(**params)
            outcome = spec.result
            best = [epoch for epoch in run.history if epoch.epoch == outcome.get("best_epoch")]
            stopped, seconds = str(outcome["stopped"]), float(outcome["seconds"])
            estimator._keep(
                replace(spec, data={**spec.data, "estimator": form}),
                Fit(run.model, run.history, next(iter(best), None), stopped, spec.seed, seconds),
            )
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise RunError(
                f"{path} is damaged: what it says of the estimator is wrong; fit again"
            ) from error
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
        return int(self.model_.prior().event_shape[0])  # type: ignore[operator]

    @property
    def _dtype(self) -> np.dtype:
        return np.dtype(self.spec_.data["estimator"]["dtype"])

    def _settings(self) -> dict[str, Any]:
        """All that is given to the catalogue."""
        if self.settings is not None and not isinstance(self.settings, Mapping):
            raise SettingError(f"settings must be a dictionary by name, got {self.settings!r}")
        given = {
            name: getattr(self, name)
            for name, unset in _SHORTCUTS.items()
            if getattr(self, name) is not None and getattr(self, name) != unset
        }
        for name, value in dict(self.settings or {}).items():
            if name in given:
                raise SettingError(f"{name} is given twice, as an argument and in settings")
            given[name] = value
        return {name: _own(value) for name, value in given.items()}

    def _checked(self, X: Any, *, reset: bool) -> np.ndarray:
        """X as a finite numeric array, `(N, D)` or with the axes of images, by scikit-learn."""
        if isinstance(X, str | bytes | os.PathLike):
            raise DataError(
                f"AutoVAE takes arrays and tables, got the path {os.fsdecode(X)!r}; read it first: "
                "lowerbound.read(path).train.x"
            )
        if isinstance(X, Tensor):
            X = arrays.as_array(X, "X")  # scikit-learn would not take one from another device
        elif isinstance(X, list | tuple):
            X = np.asarray(X)
        if not hasattr(X, "ndim") or X.ndim <= 2:
            X = validate_data(self, X, reset=reset)
        else:
            X = check_array(X, allow_nd=True, input_name="X", estimator=self)
            if reset:
                validate_data(self, X, reset=True, skip_check_array=True)  # forgets old names
                self.n_features_in_ = math.prod(X.shape[1:])
        X = arrays.check_array(X, "X")
        return np.require(X, None, "W")  # torch warns of memory that it must not write to

    def _examples(self, X) -> Examples:
        """X as the model stores it."""
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        examples, notes = coerce(Raw("X", X), self.schema_)
        for note in notes if X.ndim == 2 else ():  # columns that were constant and are not here
            warnings.warn(str(note), stacklevel=3)
        return examples

    def _encode(self, examples: Examples) -> np.ndarray:
        model = copy.deepcopy(self.model_).double()
        return encode(model, examples).mean.numpy()

    def _as_given(self, x: Tensor) -> np.ndarray:
        """From the shape and levels of the model to those of X at fit."""
        form = self.spec_.data["estimator"]
        shape, values = tuple(form["shape"]), x.numpy()
        if len(shape) == 1:
            return self.schema_.unpack(values)
        if form["white"] != 1:
            values = values * form["white"]
        if _channels_last(shape):
            values = values.transpose(0, 2, 3, 1)
        return np.ascontiguousarray(values).reshape(-1, *shape)

    def _keep(self, spec: Spec, result: Fit) -> None:
        """Set what was learned; raises `ValueError` where form and schema contradict each other."""
        form, schema = spec.data["estimator"], spec.schema
        shape, cells = tuple(form["shape"]), schema.dimensions + len(schema.constants)
        height_width = shape[:2] if _channels_last(shape) else shape[-2:]
        fits = height_width == schema.shape[1:] if schema.is_image else len(shape) == 1
        if not fits or math.prod(shape) != cells or not all(type(size) is int for size in shape):
            raise ValueError(f"shape {shape} does not fit {schema.describe()}")
        if np.dtype(str(form["dtype"])).kind not in "biuf" or form["white"] not in (1, 255):
            raise ValueError(f"impossible cells {form}")
        self.model_ = result.model.eval()
        self.schema_ = schema
        self.history_ = result.history
        self.n_iter_ = len(result.history)
        self.notes_ = tuple(str(note) for note in spec.data["notes"])
        self.result_ = result
        self.spec_ = spec
        self.n_features_in_ = cells
        if schema.columns is not None:
            self.feature_names_in_ = np.asarray(schema.columns, dtype=object)


class _Report(Callback):
    """One line an epoch on stderr."""

    def on_epoch(self, epoch: Epoch, best) -> None:  # type: ignore[no-untyped-def]
        sys.stderr.write(
            f"epoch {epoch.epoch}: bound {epoch.train.bound:.3f} train, "
            f"{epoch.held_out.bound:.3f} validation, nats per example\n"
        )


def _data(X: np.ndarray, names: np.ndarray | None, seed: int) -> Data:
    """X in a training and a validation part, with its schema; there is no test part."""
    columns = None if names is None else tuple(names)
    inferred = infer(Raw("X", X, names=columns), binarize=False)
    if X.ndim > 2 and inferred.values[0].size != X[0].size:
        raise DataError("X has a fourth channel, alpha, which no model gives back; drop it")
    train, validation, record = _split(inferred.values, seed)
    schema, notes = schema_of(inferred, inferred.values[train], "X")
    learn, judge, none = (
        Examples(torch.from_numpy(np.ascontiguousarray(inferred.values[rows])))
        for rows in (train, validation, train[:0])
    )
    return Data(
        schema=schema,
        train=learn,
        validation=judge,
        test=none,
        source="X",
        notes=(*inferred.notes, *notes),
        split=record,
        fingerprint=fingerprint(schema, learn, judge, none),
    )


def _split(values: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Rows to learn from and rows to judge epochs by, whole groups of identical ones."""
    order, sizes = content_order(values, seed)
    count = len(values)
    if len(sizes) < LEAST_DISTINCT:
        raise DataError(
            f"X has n_samples = {count}, of which {len(sizes)} distinct; AutoVAE needs at least "
            f"{LEAST_DISTINCT} distinct examples: give more"
        )
    least = min(USUAL_VALIDATION, count // 4)
    target = min(max(count // FRACTION, least), LARGEST_PART)
    small = np.flatnonzero(sizes <= target)
    held = small[np.cumsum(sizes[small]) <= target]
    if not len(held):  # every group is larger than the target: take the smallest
        held = np.array([np.argmin(sizes)])
    judged = np.repeat(np.isin(np.arange(len(sizes)), held), sizes)
    train, validation = order[~judged], order[judged]
    record = {
        "rule": RULE,
        "seed": seed,
        "validation": f"1/{FRACTION}, at least {least}, at most {LARGEST_PART}",
        "test": "none: the caller keeps his own",
        "counts": {"train": len(train), "validation": len(validation), "test": 0},
        "distinct": len(sizes),
    }
    return train, validation, record


def _channels_last(shape: tuple[int, ...]) -> bool:
    """Whether examples of this shape are `(H, W, C)`, as `lowerbound.data` reads them."""
    return len(shape) == 3 and shape[-1] in arrays.CHANNELS


def _seed(random_state: Any) -> int:
    """A seed out of what scikit-learn allows; None leaves numpy's global state alone."""
    if random_state is None:
        return fresh_seed()
    if isinstance(random_state, Integral) and not isinstance(random_state, bool):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _noise_seeds(x: Tensor, seed: int) -> list[int]:
    """A seed for each example that follows from its contents."""
    rows = x.numpy().reshape(len(x), -1)
    if rows.dtype.kind == "f":
        rows = rows + 0.0  # -0.0 equals 0.0, so it must hash like it
    seeds = []
    for row in rows:
        digest = blake2b(row.data, digest_size=8, salt=seed.to_bytes(8, "little"))
        seeds.append(int.from_bytes(digest.digest(), "little") >> 1)
    return seeds


def _own(value: Any) -> Any:
    """A number of numpy's, as a grid or a range has them, as one of Python's."""
    return value.item() if isinstance(value, np.generic) else value


def _plain(value: Any, seed: int) -> Any:
    """A parameter as a JSON value; a random generator as the seed that it gave."""
    if isinstance(value, np.random.RandomState) or value is np.random:
        return seed
    value = _own(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, seed) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, seed) for inner in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _as_settings(value: Any) -> Any:
    """A JSON value as a parameter: settings that are sequences are tuples."""
    if isinstance(value, list):
        return tuple(_as_settings(inner) for inner in value)
    if isinstance(value, dict):
        return {key: _as_settings(inner) for key, inner in value.items()}
    return value
