"""Every use of a trained model. None of them looks at an objective."""

from lowerbound.applications.anomalies import Anomalies, Calibration, anomalies, calibrate
from lowerbound.applications.clusters import Clusters, clusters
from lowerbound.applications.complete import complete
from lowerbound.applications.conditions import (
    Condition,
    Conditioned,
    condition_of,
    generate_where,
)
from lowerbound.applications.encode import Encoding, encode
from lowerbound.applications.generate import decode, generate, generate_rows
from lowerbound.applications.impute import Imputed, impute
from lowerbound.applications.interpolate import interpolate
from lowerbound.applications.reconstruct import reconstruct
from lowerbound.applications.traverse import traverse

__all__ = [
    "Anomalies",
    "Calibration",
    "Clusters",
    "Condition",
    "Conditioned",
    "Encoding",
    "Imputed",
    "anomalies",
    "calibrate",
    "clusters",
    "complete",
    "condition_of",
    "decode",
    "encode",
    "generate",
    "generate_rows",
    "generate_where",
    "impute",
    "interpolate",
    "reconstruct",
    "traverse",
]
