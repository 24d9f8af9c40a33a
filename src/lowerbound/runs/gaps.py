"""The law of gaps of a run: a file of its own beside the weights it belongs to."""

import json
import math
from pathlib import Path

import torch
from safetensors import safe_open

from lowerbound.catalogue.gaps import FittedGaps
from lowerbound.errors import RunError
from lowerbound.models import Gaps
from lowerbound.runs.directory import RunDirectory
from lowerbound.runs.weights import read_header, read_weights, write_weights


def gaps_path(directory: RunDirectory) -> Path:
    """Return where the law of gaps of a run is, if it has one."""
    return directory.path / "gaps.safetensors"


def write_gaps(directory: RunDirectory, found: FittedGaps) -> None:
    """Write a law of gaps beside the weights, which stay as they are."""
    about = {"joint": found.law.joint, "gain": found.gain, "error": found.error}
    about["weights"] = read_header(directory.weights_path)["sha256"]
    tensors = found.law.state_dict()
    write_weights(gaps_path(directory), tensors, gaps=json.dumps(about, sort_keys=True))


def read_gaps(directory: RunDirectory, units: int, cells: int) -> FittedGaps | None:
    """Read the law of gaps of a run; None where there is none for its present weights.

    Args:
        directory: Of the run.
        units: Of the model's z.
        cells: Of an example.

    Raises:
        RunError: The file is damaged, or belongs to another model.
    """
    path = gaps_path(directory)
    if not path.is_file():
        return None
    try:
        about = json.loads(read_header(path).get("gaps", ""))
        if about["weights"] != read_header(directory.weights_path)["sha256"]:
            return None  # of earlier weights: training went on
        gain, error = float(about["gain"]), float(about["error"])
        if not math.isfinite(gain + error) or type(about["joint"]) is not bool:
            raise ValueError("its numbers are none")
        with safe_open(str(path), framework="pt") as file:
            shape = file.get_slice("sets").get_shape()
        if len(shape) != 2 or shape[1] != cells or not 1 <= shape[0] <= 65536:
            raise ValueError("its sets are none")
        law = Gaps(units, torch.zeros(shape, dtype=torch.bool), joint=about["joint"])
        law.load_state_dict(read_weights(path, law.state_dict()))
    except (ValueError, KeyError, TypeError, RuntimeError, RunError, RecursionError) as error:
        remedy = f"undo it with: lowerbound refit {directory.path} --gaps --undo"
        raise RunError(f"{path} is damaged; {remedy}") from error
    return FittedGaps(law.eval(), gain, error)


def drop_gaps(directory: RunDirectory) -> bool:
    """Take the law of gaps away; tell whether there was one."""
    path = gaps_path(directory)
    there = path.is_file()
    path.unlink(missing_ok=True)
    return there
