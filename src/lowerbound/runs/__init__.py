"""A trained model on disk: safetensors and JSON, written whole or not at all. No pickle."""

from lowerbound.runs.directory import RunDirectory
from lowerbound.runs.files import check_new, write_atomically
from lowerbound.runs.gaps import drop_gaps, read_gaps, write_gaps
from lowerbound.runs.load import Run, load
from lowerbound.runs.origin import (
    describe_data,
    has_changed,
    location_of,
    read_again,
    read_if_own,
    recorded,
)
from lowerbound.runs.prior import drop_prior, read_prior, write_prior
from lowerbound.runs.resume import Resumption, load_state, resume
from lowerbound.runs.spec import FORMAT_VERSION, Spec
from lowerbound.runs.state import StateDirectory
from lowerbound.runs.warm_start import warm_start
from lowerbound.runs.weights import load_weights, read_weights, write_weights
from lowerbound.runs.writer import RunWriter, save

__all__ = [
    "FORMAT_VERSION",
    "Resumption",
    "Run",
    "RunDirectory",
    "RunWriter",
    "Spec",
    "StateDirectory",
    "check_new",
    "describe_data",
    "drop_gaps",
    "drop_prior",
    "has_changed",
    "load",
    "load_state",
    "load_weights",
    "location_of",
    "read_gaps",
    "read_prior",
    "read_again",
    "read_if_own",
    "read_weights",
    "recorded",
    "resume",
    "save",
    "warm_start",
    "write_atomically",
    "write_gaps",
    "write_prior",
    "write_weights",
]
