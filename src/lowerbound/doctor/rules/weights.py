"""Importance weights whose largest ones were not drawn."""

from lowerbound.doctor.finding import Finding
from lowerbound.doctor.symptoms import Symptoms
from lowerbound.evaluation.ladder import TOLERANCE

#: Share of examples with a heavy tail beyond which it is the rule and not the exception.
MOST = 0.5
#: What is missing matters if it is so much of all that the model knows beyond independent cells.
MATTERS = 0.05


def heavy_tails(symptoms: Symptoms) -> Finding | None:
    """The bound on log p(x) is short of it by more than its standard error admits.

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
