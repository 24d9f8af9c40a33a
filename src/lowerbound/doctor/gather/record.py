"""The record of a run, believed no further than its types."""

import math
from typing import Any

from lowerbound.catalogue.policy import latents_for
from lowerbound.doctor.symptoms import Record
from lowerbound.runs import Spec
from lowerbound.training import Epoch


def record_of(spec: Spec, history: tuple[Epoch, ...]) -> Record:
    """Read the record of a run, also of one in progress; values of a wrong type count as absent."""
    settings, stopped = spec.settings, spec.result.get("stopped")
    free_bits = _number(settings.get("free_bits", settings.get("floor")), 0.0)
    staged = "alone" in settings or _number(settings.get("beta_warm_up"), 0.0) > 0
    gaussian = settings.get("likelihood") == "gaussian"
    scale = settings.get("likelihood.scale")
    return Record(
        stopped=stopped if isinstance(stopped, str) else None,
        epochs=int(_number(spec.training.get("epochs"), 0)),
        history=history,
        usual_latents=settings.get("latents") == latents_for(spec.schema),
        beta=_number(settings.get("beta"), 1.0),
        free_bits=free_bits,
        annealed=free_bits > 0 or staged,
        scale=scale if gaussian and isinstance(scale, str) else "",
    )


def _number(value: Any, default: float) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return value if known and math.isfinite(value) else default
