"""Training that ended while there was still much to learn."""

from lowerbound.doctor.finding import Finding
from lowerbound.doctor.symptoms import Symptoms

#: What the second half of a training added to all that the model knows beyond independent cells.
#: By then the learning rate falls, so that twice the epochs usually bring more than this again.
STILL_RISING = 0.15
#: Without the data, of all that was gained since the first epoch, which counts for less.
STILL_RISING_SINCE_FIRST = 0.08
#: A rise of less is not worth another hour, nats per example.
WORTH = 0.1
#: A curve of fewer epochs shows no trend; then so many updates are too few for any model.
FEWEST_EPOCHS, FEWEST_UPDATES = 4, 250
#: The best epoch lies in this last part of a training that had not ended by itself.
LAST = 0.9


def under_training(symptoms: Symptoms) -> Finding | None:
    """The held-out bound still rose when training ended.

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
