"""A model that knows its training examples, and others less and less."""

from lowerbound.doctor.finding import Finding
from lowerbound.doctor.symptoms import Belief, Record, Symptoms

#: Of what a model gains over independent cells in training, at least half should hold elsewhere.
HOLDS = 0.5
#: Gains smaller than this many standard errors are not measured.
SURELY = 4.9
#: A held-out bound that fell by a tenth of everything it had gained has turned.
TURNED = 0.1
#: A fall of less is not worth a word, nats per example.
WORTH = 0.1
FEWEST_EPOCHS = 5


def overfitting(symptoms: Symptoms) -> Finding | None:
    """The gain does not hold on held-out examples, or the held-out bound has turned.

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
    text = "; ".join(remedies)
    return Finding(
        "overfitting",
        "ill" if memorised is not None else "warning",
        " ".join(words for words in (memorised, turned) if words is not None),
        f"{text[:1].upper()}{text[1:]}; --set weight_decay=0.01.",
    )


def _memorised(belief: Belief) -> str | None:
    """Both gains are over the same independent cells, so that easy and hard examples cancel."""
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
    if len(held_out) < FEWEST_EPOCHS:
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
