"""Training that leapt: a bound that fell steeply in one epoch, or stopped being a number."""

from itertools import pairwise
from math import log
from statistics import median

from lowerbound.doctor.finding import Finding
from lowerbound.doctor.symptoms import Symptoms

#: A fall of so many times the usual change from epoch to epoch is no noise.
UNUSUAL = 10.0
#: Of all that the bound has moved through, a fall by less than this is not worth a word, ...
MOVED = 0.05
#: ... nor is one by less than a bit.
BIT = log(2.0)
#: A held-out bound that lost half of all it ever moved through in one epoch was as good as lost.
LOST = 0.5
FEWEST_EPOCHS = 5


def non_finite(symptoms: Symptoms) -> Finding | None:
    """Training ended because a bound or a gradient was no number."""
    if symptoms.record.stopped != "non-finite":
        return None
    count = len(symptoms.record.history)
    words = (
        f"Training ended in epoch {count + 1} because a bound or a gradient was not a number; the "
        "best weights before that were kept."
    )
    remedy = "A smaller --set learning_rate=0.0005, a smaller --set clip=1, or no extreme values."
    return Finding("non-finite training", "ill", words, remedy)


def spikes(symptoms: Symptoms) -> Finding | None:
    """A steep fall in one epoch that was made good again, in training or on held-out examples."""
    record = symptoms.record
    falls = _falls(record.held_out) or _falls(record.learned)
    if not falls:
        return None
    epoch, depth = max(falls, key=lambda fall: fall[1])
    held_out = bool(_falls(record.held_out))
    words = (
        f"The {'held-out' if held_out else 'training'} bound fell {len(falls)} time"
        f"{'s' * (len(falls) > 1)} in a single epoch and recovered, by {depth:,.1f} nats in epoch "
        f"{epoch}: the steps are too long for this model."
    )
    remedy = (
        "A smaller --set learning_rate=0.0005, a smaller --set clip=1, a longer --set "
        "warm_up=0.2, or larger batches with --set batch_size=256."
    )
    lost = held_out and depth >= LOST * (max(record.held_out) - min(record.held_out))
    return Finding("loss spikes", "ill" if lost else "warning", words, remedy)


def _falls(values: list[float]) -> list[tuple[int, float]]:
    """Epochs, from 1, in which the value fell steeply and later rose past half of the fall."""
    if len(values) < FEWEST_EPOCHS:
        return []
    changes = [later - earlier for earlier, later in pairwise(values)]
    usual = median(abs(change) for change in changes)
    least = max(UNUSUAL * usual, MOVED * (max(values) - min(values)), BIT)
    return [
        (i + 1, -change)
        for i, change in enumerate(changes, start=1)
        if -change > least and max(values[i:]) - values[i] >= -change / 2
    ]
