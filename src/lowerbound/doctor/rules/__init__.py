"""The diagnoses: pure functions from `Symptoms` to findings, one idea a file."""

from collections.abc import Callable

from lowerbound.doctor.finding import Finding
from lowerbound.doctor.rules.collapse import collapse, unused_units
from lowerbound.doctor.rules.leak import leak
from lowerbound.doctor.rules.likelihood import counted_data, dispersion, vanishing_scale
from lowerbound.doctor.rules.rate import (
    heavy_tails,
    rate_not_used,
    rate_too_high,
    worse_than_no_model,
)
from lowerbound.doctor.rules.training import non_finite, overfitting, spikes, under_training
from lowerbound.doctor.symptoms import Symptoms

Rule = Callable[[Symptoms], Finding | None]

#: Every diagnosis by its name, in the order in which findings of one severity are told.
RULES: dict[str, Rule] = {
    "non-finite training": non_finite,
    "worse than no model": worse_than_no_model,
    "posterior collapse": collapse,
    "rate not used": rate_not_used,
    "leak between splits": leak,
    "vanishing scale": vanishing_scale,
    "scale out of proportion": dispersion,
    "overfitting": overfitting,
    "under-training": under_training,
    "loss spikes": spikes,
    "rate too high": rate_too_high,
    "counted data under a density": counted_data,
    "heavy-tailed weights": heavy_tails,
    "unused units": unused_units,
}
#: Rules that need at least one recorded epoch.
FROM_EPOCHS = ("overfitting", "under-training", "loss spikes")
#: Rules that need no more than the files of a run.
FROM_RECORD = ("non-finite training", "posterior collapse", *FROM_EPOCHS)
#: Rules that need the data and no weights.
FROM_DATA = ("leak between splits", "counted data under a density")
