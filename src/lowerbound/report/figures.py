"""The figures of merit, rounded as their errors allow, and their meaning in sentences."""

import math
from dataclasses import dataclass

from lowerbound.evaluation import Estimate, Evaluation
from lowerbound.evaluation.estimate import NORMAL_FROM
from lowerbound.report.axis import number, signed


@dataclass(frozen=True)
class Headline:
    """One figure of merit: rounded mean, standard error or "", unit, and meaning in a sentence.

    `exact` is the unrounded mean, shown when pointed at.
    """

    name: str
    value: str
    error: str
    unit: str
    about: str
    exact: str = ""


def headlines(evaluation: Evaluation) -> list[Headline]:
    """Collect the figures of merit."""
    found = [
        _headline(
            "Log-likelihood, at least", evaluation.log_likelihood,
            f"Importance-weighted bound on log p(x), {evaluation.samples:,} samples. "
            "Higher is better.",
        ),
        _headline("ELBO", evaluation.elbo, "Evidence lower bound on log p(x). Higher is better."),
    ]  # fmt: skip
    if evaluation.bits_per_dimension is not None:
        found.append(
            _headline(
                evaluation.bits_per_dimension.unit.capitalize(), evaluation.bits_per_dimension,
                "The log-likelihood bound as a code length. Lower is better.",
            )
        )  # fmt: skip
    else:
        why = evaluation.bits_per_dimension_reason or "not known"
        found.append(Headline("Bits per dimension", "–", "", "", f"Not defined: {why}."))
    found += [
        _headline("Rate", evaluation.rate, "KL(q(z|x) ∥ p(z)): nats that the latents carry."),
        _headline("Distortion", evaluation.distortion, "−E[log p(x|z)]: nats left open."),
        Headline(
            "Active units", f"{evaluation.active_units:,}", "",
            f"of {evaluation.latents:,} latents",
            f"Units whose posterior mean has a variance over {evaluation.threshold:g}.",
        ),
    ]  # fmt: skip
    return found


def rounded(estimate: Estimate) -> tuple[str, str]:
    """Round mean and standard error to two significant digits of the error.

    Example:
        >>> rounded(Estimate(-2101.904, 18.693)), rounded(Estimate(3.8294, 0.0339))
        (('−2,102', '19'), ('3.829', '0.034'))
    """
    error = estimate.standard_error
    if error is None or not math.isfinite(error) or not error > 0:
        return number(estimate.mean, 5), "" if error is None else number(error, 2)
    decimals = max(0, min(12, 1 - math.floor(math.log10(error))))
    return signed(f"{estimate.mean:,.{decimals}f}"), f"{error:,.{decimals}f}"


def _headline(name: str, estimate: Estimate, about: str) -> Headline:
    value, error = rounded(estimate)
    return Headline(name, value, error, estimate.unit, about, f"{estimate.mean!r}")


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
