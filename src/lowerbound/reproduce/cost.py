"""Cost of the whole budget of an entry: measured where it was run, else computed."""

import statistics
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lowerbound.reproduce.entry import Entry

#: Assumptions of a computed cost: seconds of an update beside its arithmetic, and operations a
#: second that small products reach. Two cores without AVX-512; one current accelerator, whose
#: updates are bound by the launch of their kernels.
CORES = (2e-3, 60e9)
ACCELERATOR = (3e-4, 2e13)
#: Multiplications of the residual pair, of one image of MNIST.
CONVOLUTIONS = 16_400_000
#: Words that a text is written in, and words of one, its end counted, as in the Penn Treebank.
WORDS, LONG = 10_000, 22


@dataclass(frozen=True)
class Cost:
    """The whole budget in seconds, measured (and scaled) or computed."""

    seconds: float
    measured: bool

    def __str__(self) -> str:
        hours = self.seconds / 3600
        long = f"{hours:,.0f} h" if hours >= 10 else f"{hours:.1f} h"
        text = f"{self.seconds / 60:.0f} min" if hours < 2 else long
        text = f"{self.seconds:.0f} s" if self.seconds < 120 else text
        return f"{text} ({'measured' if self.measured else 'computed'})"


def cost(entry: Entry, runs: list[dict[str, Any]], *, accelerator: bool) -> Cost:
    """Find the cost of the whole budget on two cores, or on an accelerator.

    Seconds for an update of the recorded runs are scaled to all updates.
    """
    seen = [
        run["seconds"] / run["updates"]
        for run in runs
        if (run["device"] != "cpu") == accelerator
        and run["training"]["batch_size"] == entry.batch_size
        and (not run.get("changed_settings") or entry.most_updates is not None)
    ]
    if seen:
        return Cost(statistics.median(seen) * entry.updates, True)
    overhead, rate = ACCELERATOR if accelerator else CORES
    return Cost(entry.updates * (overhead + operations(entry) / rate), False)


def operations(entry: Entry) -> float:
    """Count multiplications and additions of one update: forward once, backward twice as many."""
    model, latents = entry.model, int(entry.model["latents"])
    hidden = model.get("hidden")
    if hidden is None:
        return 6.0 * entry.batch_size * CONVOLUTIONS
    if isinstance(hidden, int):  # of a recurrent pair over words
        inputs = int(model["embedding"])
        steps = 3 * hidden * (1.5 * hidden + 2 * inputs + latents) + (hidden + latents) * WORDS
        return 6.0 * entry.batch_size * LONG * steps
    gates = 2 if model.get("activation") == "gated" else 1
    encoder = _weights([entry.dimensions, *hidden], 2 * latents, gates)
    decoder = _weights([latents, *reversed(hidden)], entry.dimensions, gates)
    # pseudo-inputs are encoded in every update, too
    encoded = entry.batch_size + (model["components"] if model.get("prior") == "vamp" else 0)
    return 6.0 * (encoded * encoder + entry.batch_size * int(entry.training["samples"]) * decoder)


def _weights(widths: list[int], outputs: int, gates: int) -> int:
    hidden = sum(before * after for before, after in pairwise(widths))
    return gates * hidden + widths[-1] * outputs
