"""Trust in the figures and their meaning, in sentences and a table."""

from lowerbound.evaluation import Estimate, Evaluation
from lowerbound.evaluation.estimate import NORMAL_FROM
from lowerbound.report.axis import number
from lowerbound.report.figures import rounded


def rungs(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """List draws of z, the bound on log p(x) they give, and its error over draws."""
    rows = []
    for rung in evaluation.ladder:
        value, error = rounded(Estimate(rung.bound.mean, rung.bound.draw_error))
        rows.append((f"{rung.samples:,}", value, error))
    return rows


def sentences(evaluation: Evaluation) -> list[str]:
    """Say whether the bound has converged, where the rate goes, and the gap to training."""
    stated = evaluation.convergence
    found = [f"{stated.words[:1].upper()}{stated.words[1:]}."]
    heavy = stated.heavy_tailed
    if heavy is not None:
        found.append(
            f"The median effective sample size is {number(stated.effective_samples, 3)} of "
            f"{evaluation.samples:,} draws; the importance weights of {heavy:.0%} of the examples "
            "have heavy tails."
        )
    truth = evaluation.log_evidence
    enough = evaluation.examples >= NORMAL_FROM
    if enough and stated.converged and truth is not None and truth.interval is not None:
        low, high = (number(end, 6) for end in truth.interval)
        found.append(f"For data like these log p(x) lies from {low} to {high} nats, at 95 %.")
    if evaluation.information is not None:
        told, apart = evaluation.information.mutual_information, evaluation.information.mismatch
        found.append(
            f"Of the rate, {_between(told.lower.mean, told.upper.mean)} nats tell examples apart, "
            f"I(x; z), and {_between(apart.lower.mean, apart.upper.mean)} nats are lost because "
            "the encodings of all examples together are not distributed as the prior, "
            "KL(q(z) ∥ p(z))."
        )
    seen = evaluation.generalisation
    if seen is not None:
        value, error = rounded(seen.gap)
        sure = f" ± {error}" if error else ""
        found.append(
            f"The ELBO of {seen.examples:,} training examples is {value}{sure} nats above that of "
            "the held-out ones."
        )
    return found


def _between(one: float, other: float) -> str:
    """Write the smaller one first, neither below 0."""
    low, high = sorted(max(0.0, value) for value in (one, other))
    return f"{number(low, 3)} to {number(high, 3)}"
