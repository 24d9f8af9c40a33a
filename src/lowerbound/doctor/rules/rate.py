"""Bounds below no model's, rates paid for nothing, codes off the prior, weights of heavy tails."""

import math
from statistics import median

from lowerbound.doctor.finding import Finding
from lowerbound.doctor.symptoms import Symptoms
from lowerbound.evaluation import ACTIVE_THRESHOLD
from lowerbound.evaluation.ladder import TOLERANCE

#: Standard errors by which the bound must lie below: one false alarm in a million, house-wide.
SURELY = 4.9
#: A typical unit that spreads over twice the prior's variance has a sixth of its codes where the
#: prior has a twentieth of its draws.
TWICE = 2.0
#: Share of examples with a heavy tail beyond which it is the rule and not the exception.
MOST = 0.5
#: A z that is used costs about its rate or more where it is another example's.
USED = 0.2
#: With less saved than this part of the rate, at its weight, a model without z has a better bound.
WORTH = 0.5
#: A rate within this factor of its floor has arrived there.
AT_FLOOR = 1.05
#: Nats of rate from which it is asked what they are for.
WORTH_ASKING = 0.5
#: Missing nats matter from this share of all nats over independent cells on.
MATTERS = 0.05


def worse_than_no_model(symptoms: Symptoms) -> Finding | None:
    """Find an ELBO below that of independent cells fitted to the training marginals.

    It need not be tested against less: a latent variable model contains the model of no latents,
    up to what its likelihood can express.
    """
    belief, record = symptoms.belief, symptoms.record
    if belief is None:
        return None
    loss = -belief.over_baseline
    if loss <= SURELY * belief.over_baseline_error:
        return None
    words = (
        f"The model is worse than no model: its held-out ELBO is {belief.elbo:,.1f} nats per "
        f"example, and independent cells with the marginals of the training data reach "
        f"{belief.elbo + loss:,.1f}, {loss:,.1f} ± {belief.over_baseline_error:.1f} more."
    )
    if symptoms.train and belief.rate > math.log(symptoms.train):
        words += (
            f" Its code costs {belief.rate:,.1f} nats, where log N = "
            f"{math.log(symptoms.train):.1f} would name each of {symptoms.train:,} training "
            "examples."
        )
    if record.beta < 1:
        remedy = f"--set beta=1 (it is {record.beta:g}: the rate is hardly counted)."
    else:
        remedy = (
            "Train longer with --epochs, or a smaller model: --latents, --set hidden=128; where "
            "the data has levels, --likelihood categorical can express any marginal."
        )
    return Finding("worse than no model", "ill", words, remedy)


def rate_not_used(symptoms: Symptoms) -> Finding | None:
    """Find a decoder that does without the z it is paid for, as one that sees x_<t can.

    Free bits make an encoder pay a rate, and nothing makes the decoder look at it. A swap alone
    does not show it: a decoder that is misled by a z can gain next to nothing by its own.
    """
    belief, record = symptoms.belief, symptoms.record
    if belief is None or belief.swap is None or belief.rate < WORTH_ASKING:
        return None
    saved = math.inf if belief.saved is None else belief.saved
    if belief.swap >= USED * belief.rate and saved >= WORTH * record.beta * belief.rate:
        return None
    floor = record.free_bits * len(belief.variances)
    words = (
        f"The rate is paid, not used: z costs {belief.rate:.1f} nats per example"
        f"{', the floor of its free bits' if belief.rate <= AT_FLOOR * floor else ''}, and the z "
        f"of another example instead of its own costs the decoder {belief.swap:.1f} nats"
        f"{'' if belief.saved is None else f', no z (z = 0) {belief.saved:.1f}'}."
    )
    remedy = (
        "Longer training with --epochs, so that the decoder knows what it can know without z "
        "before the encoder joins (--set alone=0.4); then a lower floor, --set floor=0.05, or a "
        "smaller decoder, --set hidden=128."
    )
    return Finding("rate not used", "ill", words, remedy)


def rate_too_high(symptoms: Symptoms) -> Finding | None:
    """Find an aggregated posterior beyond the prior, which then generates elsewhere.

    KL(q(z) || p(z)) is part of the rate and tells no example from another. A Gaussian unit whose
    mean square is s times that of the prior wastes (s - 1 - log s) / 2 nats of it.
    """
    belief, record = symptoms.belief, symptoms.record
    if belief is None:
        return None
    found: list[tuple[float, float, str]] = []
    for name, place in belief.by_group():
        units = zip(belief.spread[place], belief.variances[place], strict=True)
        active = [spread for spread, variance in units if variance > ACTIVE_THRESHOLD]
        if active and median(active) >= TWICE:
            wasted = sum((s - 1 - math.log(s)) / 2 for s in active)
            found.append((median(active), wasted, f" of group {name}" if name else ""))
    if not found:
        return None
    typical, wasted, group = max(found)
    words = (
        f"The code lies beyond the prior: over the training examples a typical active unit{group} "
        f"has {typical:.1f} times the prior's variance, which wastes {wasted:.1f} of "
        f"{belief.rate:.1f} nats of rate; the prior generates from a part of what was learned."
    )
    remedy = "Fewer latents with --latents, or training for less long with --set patience=10."
    if record.beta < 1:
        remedy = f"A larger weight of the rate: --set beta=1 (it is {record.beta:g})."
    return Finding("rate too high", "warning", words, remedy)


def heavy_tails(symptoms: Symptoms) -> Finding | None:
    """Find a bound on log p(x) that is short of it by more than its standard error admits.

    Heavy tails alone are the rule in some twenty dimensions of latents, and harm nothing where the
    bound is short by a little of a lot. As much as the last doubling of draws gained is missing at
    least (the bias falls like 1/K or slower): that is measured against the standard error, which
    is printed beside the figure as if it were all, and against what the model has learned.
    """
    belief = symptoms.belief
    if belief is None or belief.heavy <= MOST:
        return None
    missing = belief.last_doubling
    small = missing <= belief.error and missing <= MATTERS * belief.over_baseline
    if missing <= TOLERANCE or small:
        return None
    words = (
        f"The importance weights of {belief.heavy:.0%} of the examples have so heavy a tail "
        f"that {belief.samples} draws count for {belief.effective_samples:.1f}: "
        f"the bound on log p(x) still rose by {missing:.1f} nats with the last doubling and is "
        f"too low by as much at least (its standard error is {belief.error:.1f}); it lies "
        f"{belief.gap:.1f} above the ELBO. Posterior and model disagree: compare by the ELBO only."
    )
    remedy = (
        "More draws, evaluate --samples 5000; a better posterior, --set posterior=full or --model "
        "iwae; and no weight of the rate below 1."
    )
    return Finding("heavy-tailed weights", "warning", words, remedy)
