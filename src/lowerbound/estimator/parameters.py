"""The estimator's parameters: as settings of the catalogue, and as JSON values of a run."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lowerbound.errors import SettingError
from lowerbound.runs import Spec

#: Arguments that are settings of the catalogue under the same name; their values for "choose".
SHORTCUTS: dict[str, Any] = {
    "latents": None, "likelihood": "auto", "epochs": None, "minutes": None, "batch_size": None,
    "learning_rate": None,
}  # fmt: skip


def settings_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Collect the settings for the catalogue from the estimator's parameters."""
    settings = params["settings"]
    if settings is not None and not isinstance(settings, Mapping):
        raise SettingError(f"settings must be a dictionary by name, got {settings!r}")
    given = {
        name: params[name]
        for name, unset in SHORTCUTS.items()
        if params[name] is not None and params[name] != unset
    }
    for name, value in dict(settings or {}).items():
        if name in given:
            raise SettingError(f"{name} is given twice, as an argument and in settings")
        given[name] = value
    return {name: own(value) for name, value in given.items()}


def of_spec(spec: Spec) -> dict[str, Any]:
    """Collect the parameters of an estimator that makes the same choices as a run."""
    settings = from_json({**spec.settings, **spec.training})
    if settings.get("minutes") is not None:
        settings["epochs"] = None
    given = {name: settings.pop(name, unset) for name, unset in SHORTCUTS.items()}
    settings = {name: value for name, value in settings.items() if value is not None}
    refit = spec.refit.get("prior", "mixture")
    if refit != "mixture":
        settings["refit"] = refit
    recipe = "auto" if spec.refit else spec.recipe
    return {"model": recipe, **given, "settings": settings, "random_state": spec.seed}


def own(value: Any) -> Any:
    """Turn a number of numpy's, as a grid or a range has them, into one of Python's."""
    return value.item() if isinstance(value, np.generic) else value


def to_json(params: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Write parameters as JSON values; a random generator as the seed that it gave."""
    return {name: _plain(value, seed) for name, value in params.items()}


def from_json(params: Mapping[str, Any]) -> dict[str, Any]:
    """Read what `to_json` wrote: sequences are tuples."""
    return {name: _tuples(value) for name, value in params.items()}


def _plain(value: Any, seed: int) -> Any:
    if isinstance(value, np.random.RandomState) or value is np.random:
        return seed
    value = own(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, seed) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, seed) for inner in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(inner) for inner in value)
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return value
