"""A prior that was fitted after training: a file of its own beside the weights it belongs to."""

import json
import math
from pathlib import Path

import torch

from lowerbound.catalogue.refit import REFITTED, Refit
from lowerbound.errors import RunError, SettingError
from lowerbound.runs.directory import RunDirectory
from lowerbound.runs.weights import read_header, read_weights, write_weights


def prior_path(directory: RunDirectory) -> Path:
    """Return where the refitted prior of a run is, if it has one."""
    return directory.path / "prior.safetensors"


def write_prior(directory: RunDirectory, refit: Refit) -> None:
    """Write a refitted prior beside the weights, which stay as they are."""
    about = {name: getattr(refit, name) for name in ("prior", "settings", "gain", "error")}
    about["tried"] = [list(one) for one in refit.tried]
    about["weights"] = read_header(directory.weights_path)["sha256"]
    write_weights(prior_path(directory), refit.tensors, refit=json.dumps(about, sort_keys=True))


def read_prior(directory: RunDirectory) -> Refit | None:
    """Read the refitted prior of a run; None where there is none for its present weights."""
    path = prior_path(directory)
    if not path.is_file():
        return None
    remedy = f"undo it with: lowerbound refit {directory.path} --undo"
    try:
        about = json.loads(read_header(path).get("refit", ""))
        if about["weights"] != read_header(directory.weights_path)["sha256"]:
            return None  # of earlier weights: training went on
        settings = dict(about["settings"])
        gain, error = float(about["gain"]), float(about["error"])
        tried = tuple((int(k), str(kind), float(value)) for k, kind, value in about["tried"])
        prior = str(about["prior"])
        if any(type(value) not in (int, str) for value in settings.values()):
            raise ValueError("its settings are none")
        if not math.isfinite(gain + error) or len(tried) > 1000:
            raise ValueError("its numbers are none")
        units = _units(path, _SIZED[prior])
        with torch.device("meta"):
            expected = REFITTED[prior](units, **settings).state_dict()
        tensors = read_weights(path, expected)
    except (ValueError, KeyError, TypeError, SettingError, RunError, RecursionError) as error:
        raise RunError(f"{path} is damaged; {remedy}") from error
    return Refit(prior, settings, tensors, gain, error, tried)


def drop_prior(directory: RunDirectory) -> bool:
    """Go back to the prior that the run was trained with; tell whether there was another."""
    path = prior_path(directory)
    there = path.is_file()
    path.unlink(missing_ok=True)
    return there


#: By prior: a tensor whose last axis is as long as there are latent units.
_SIZED = {"mixture": "means", "flow": "maps.maps.0.shift", "autoregressive": "first"}


def _units(path: Path, tensor: str) -> int:
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        shape = file.get_slice(tensor).get_shape()
    if not shape or not 1 <= shape[-1] <= 65536:
        raise ValueError("it has no units")
    return shape[-1]
