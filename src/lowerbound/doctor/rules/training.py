"""Training that ended too early or too late, leapt, or stopped being a number."""

from itertools import pairwise
from math import log
from statistics import median

from lowerbound.doctor.finding import Finding
from lowerbound.doctor.symptoms import Belief, Record, Symptoms

#: Share of all nats over independent cells that the second half of a training added.
#: By then the learning rate falls, so that twice the epochs usually bring more than this again.
STILL_RISING = 0.15
#: Without the data, of all that was gained since the first epoch, which counts for less.
STILL_RISING_SINCE_FIRST = 0.08
#: A rise of less is not worth another hour, a fall of less not a word, nats per example.
WORTH = 0.1
#: A curve of fewer epochs shows no trend; then so many updates are too few for any model.
FEWEST_EPOCHS, FEWEST_UPDATES = 4, 250
#: The best epoch lies in this last part of a training that had not ended by itself.
LAST = 0.9
#: Of what a model gains over independent cells in training, at least half should hold elsewhere.
HOLDS = 0.5
#: Gains smaller than this many standard errors are not measured.
SURELY = 4.9
#: A held-out bound that fell by a tenth of everything it had gained has turned.
TURNED = 0.1
#: A fall of so many times the usual change from epoch to epoch is no noise.
UNUSUAL = 10.0
#: Of all that the bound has moved through, a fall by less than this is not worth a word, ...
MOVED = 0.05
#: ... nor is one by less than a bit.
BIT = log(2.0)
#: A held-out bound that lost half of all it ever moved through in one epoch was as good as lost.
LOST = 0.5
#: A curve of fewer epochs shows no turn.
FEWEST_TO_TURN = 5


def under_training(symptoms: Symptoms) -> Finding | None:
    """Find a held-out bound that still rose when training ended.

    The learning rate falls to nearly 0 at the end, and any curve flattens with it: what counts is
    the rise over the whole second half.
    """
    record = symptoms.record
    held_out, count = record.held_out, len(record.history)
    if count == 0 or record.best is None:
        return None
    updates = record.history[-1].updates
    if count < FEWEST_EPOCHS:
        if updates >= FEWEST_UPDATES:
            return None
        words = (
            f"Training was {count} epoch{'s' * (count > 1)} of {updates // count:,} updates, too "
            "few to learn anything: a usual model takes some 2,500 updates."
        )
        return Finding("under-training", "ill", words, _longer(-(-2500 * count // updates)))
    if record.best.epoch < LAST * count:
        return None
    rise = held_out[-1] - held_out[count // 2 - 1]
    if symptoms.belief is None:
        known, threshold = held_out[-1] - held_out[0], STILL_RISING_SINCE_FIRST
        of = "gained since the first epoch"
    else:
        # in the units of what is maximised: a weighted rate counts by its weight
        known = symptoms.belief.over_baseline - (record.beta - 1) * symptoms.belief.rate
        if record.beta < 1 and symptoms.belief.over_baseline < 0:
            return None  # it rises the wrong way
        threshold, of = STILL_RISING, "known beyond independent cells"
    if rise < WORTH or rise < threshold * known:
        return None
    share = f", {rise / known:.0%} of the {known:,.1f} {of}" if known > rise else ""
    words = (
        f"The held-out bound was still rising: the second half of {count} epochs added "
        f"{rise:,.1f} nats per example{share}."
    )
    return Finding("under-training", "ill", words, _longer(2 * count))


def _longer(epochs: int) -> str:
    return f"Train longer: --epochs {epochs:,}".replace(",", "") + ", or --minutes."


def overfitting(symptoms: Symptoms) -> Finding | None:
    """Find a gain that does not hold on held-out examples, or a held-out bound that has turned.

    A training that ended for want of patience turns by design, and keeps its best epoch: there
    only the weights that were kept are judged.
    """
    memorised = None if symptoms.belief is None else _memorised(symptoms.belief)
    record = symptoms.record
    turned = None if record.stopped == "patience" else _turned(record)
    if memorised is None and turned is None:
        return None
    remedies = ["more data, or a smaller model: --set hidden=64, fewer --latents"]
    if turned is not None and record.best is not None:
        earlier = "--set patience=10" if record.kept == record.best else "--set keep=best"
        remedies.insert(0, f"{earlier}, or --epochs {record.best.epoch}")
    text = "; ".join([*remedies, "--set weight_decay=0.01"])
    words = " ".join(words for words in (memorised, turned) if words is not None)
    severity = "warning" if memorised is None else "ill"
    return Finding("overfitting", severity, words, f"{text[:1].upper()}{text[1:]}.")


def _memorised(belief: Belief) -> str | None:
    """Compare gains over the same independent cells, so that easy and hard examples cancel."""
    learned, holds = belief.train_over_baseline, belief.over_baseline
    lost = learned - holds
    error = (belief.over_baseline_error**2 + belief.train_over_baseline_error**2) ** 0.5
    if learned <= SURELY * belief.train_over_baseline_error or lost <= SURELY * error:
        return None
    if holds >= HOLDS * learned:
        return None
    return (
        f"Of the {learned:,.1f} nats per example that the model gains over independent cells on "
        f"training examples, {holds:,.1f} hold on held-out ones."
    )


def _turned(record: Record) -> str | None:
    held_out, learned = record.held_out, record.learned
    if len(held_out) < FEWEST_TO_TURN:
        return None
    best = max(range(len(held_out)), key=held_out.__getitem__)
    fall = held_out[best] - held_out[-1]
    rise = learned[-1] - learned[best]
    if fall < max(WORTH, TURNED * (held_out[best] - held_out[0])) or rise <= 0:
        return None
    kept = best + 1 if record.kept is None else record.kept.epoch
    return (
        f"After epoch {best + 1} of {len(held_out)} the held-out bound fell by {fall:,.1f} nats "
        f"while that of training rose by {rise:,.1f}; epoch {kept} was kept."
    )


def non_finite(symptoms: Symptoms) -> Finding | None:
    """Find a training that ended because a bound or a gradient was no number."""
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
    """Find steep falls in one epoch that were made good again, in training or held-out."""
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
    """List the epochs, from 1, in which it fell steeply and later rose past half of the fall."""
    if len(values) < FEWEST_TO_TURN:
        return []
    changes = [later - earlier for earlier, later in pairwise(values)]
    usual = median(abs(change) for change in changes)
    least = max(UNUSUAL * usual, MOVED * (max(values) - min(values)), BIT)
    return [
        (i + 1, -change)
        for i, change in enumerate(changes, start=1)
        if -change > least and max(values[i:]) - values[i] >= -change / 2
    ]
