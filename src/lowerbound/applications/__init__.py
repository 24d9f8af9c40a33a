"""Every use of a trained model. None of them looks at an objective."""

from lowerbound.applications.encode import Encoding, encode
from lowerbound.applications.generate import decode, generate
from lowerbound.applications.impute import Imputed, impute
from lowerbound.applications.interpolate import interpolate
from lowerbound.applications.reconstruct import reconstruct
from lowerbound.applications.traverse import traverse

__all__ = [
    "Encoding",
    "Imputed",
    "decode",
    "encode",
    "generate",
    "impute",
    "interpolate",
    "reconstruct",
    "traverse",
]
