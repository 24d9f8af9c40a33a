"""Held-out examples that training has as good as seen."""

import math

from lowerbound.doctor.finding import Finding
from lowerbound.doctor.symptoms import Symptoms

#: Fewer are a matter of chance whatever the share.
FEWEST = 3
#: Share of held-out examples with a copy that is told, and that makes held-out figures untrue.
SOME, MANY = 0.01, 0.05
#: Chance of so many copies, were all of them chance, below which they are not.
BY_CHANCE = 1e-6


def leak(symptoms: Symptoms) -> Finding | None:
    """Find more near copies of training among held-out examples than chance allows."""
    seen = symptoms.neighbours
    if seen is None or seen.held_out == 0:
        return None
    if seen.copies < max(FEWEST, SOME * seen.held_out):
        return None
    if at_least(seen.copies, seen.chance) > BY_CHANCE:
        return None
    share = seen.copies / seen.held_out
    times = seen.usual / seen.nearest if seen.nearest > 0 else math.inf
    distance = "identical to it" if math.isinf(times) else f"{times:,.0f} times nearer to it"
    words = (
        f"{seen.copies} of {seen.held_out} held-out examples ({share:.0%}) have a near copy among "
        f"{seen.pool:,} training examples, {distance} than the fifth neighbours usually are; "
        f"chance would make {seen.chance:.1f}. Identical rows are kept on one side of the split, "
        "almost identical ones are not: held-out figures flatter the model."
    )
    remedy = (
        "Keep one of each group of copies (repeated measurements, augmented or re-encoded "
        "pictures, frames of one film), or give a test part that shares no group with training."
    )
    return Finding("leak between splits", "ill" if share >= MANY else "warning", words, remedy)


def at_least(count: int, mean: float) -> float:
    """Return the probability of so many or more events of a Poisson law; `count` is at least 1."""
    if mean <= 0:
        return 0.0
    # the terms from `count` on, each mean / k times the one before, until they vanish
    term = math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
    total, k = 0.0, count
    while term > 1e-18 * total or k < mean:
        total += term
        k += 1
        term *= mean / k
    return min(1.0, total)
