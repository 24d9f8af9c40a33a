"""A rate that is paid for nothing: a bound below that of no model, a code off the prior."""

import math
from statistics import median

from lowerbound.doctor.finding import Finding
from lowerbound.doctor.symptoms import Symptoms
from lowerbound.evaluation import ACTIVE_THRESHOLD

#: Standard errors by which the bound must lie below: one false alarm in a million, house-wide.
SURELY = 4.9
#: A typical unit that spreads over twice the prior's variance has a sixth of its codes where the
#: prior has a twentieth of its draws.
TWICE = 2.0


def worse_than_no_model(symptoms: Symptoms) -> Finding | None:
    """The ELBO is below the log-likelihood of independent cells fitted to the training marginals.

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


def rate_too_high(symptoms: Symptoms) -> Finding | None:
    """The aggregated posterior spreads beyond the prior, so that the prior generates elsewhere.

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
