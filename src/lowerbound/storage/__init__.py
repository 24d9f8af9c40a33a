"""A run on disk: safetensors and JSON, written to a temporary name and renamed. No pickle."""

from lowerbound.storage.directory import RunDirectory
from lowerbound.storage.files import check_new, write_atomically
from lowerbound.storage.spec import FORMAT_VERSION, Spec
from lowerbound.storage.state import StateDirectory
from lowerbound.storage.weights import load_weights, read_weights, write_weights

__all__ = [
    "FORMAT_VERSION",
    "RunDirectory",
    "Spec",
    "StateDirectory",
    "check_new",
    "load_weights",
    "read_weights",
    "write_atomically",
    "write_weights",
]
