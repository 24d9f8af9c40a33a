"""How good it came out: the figures of merit, rounded to what their errors allow."""

import math
from dataclasses import dataclass

from lowerbound.evaluation import Estimate, Evaluation
from lowerbound.report.axis import number, signed


@dataclass(frozen=True)
class Headline:
    """One figure of merit.

    Attributes:
        name: What it is.
        value: The mean, rounded to what its error allows.
        error: The standard error, or empty.
        unit: What it is counted in.
        about: What it means, in a sentence.
        exact: Unrounded, for who points at it.
    """

    name: str
    value: str
    error: str
    unit: str
    about: str
    exact: str = ""


def headlines(evaluation: Evaluation) -> list[Headline]:
    """The figures of merit."""
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
        _headline("Rate", evaluation.rate, "KL(q(z|x) ∥ p(z)): what the latents carry."),
        _headline("Distortion", evaluation.distortion, "−E[log p(x|z)]: what they leave open."),
        Headline(
            "Active units",
            f"{evaluation.active_units:,}",
            "",
            f"of {evaluation.latents:,} latents",
            f"Those whose posterior mean has a variance over {evaluation.threshold:g}.",
        ),
    ]  # fmt: skip
    return found


def rounded(estimate: Estimate) -> tuple[str, str]:
    """Mean and standard error, to two significant digits of the error.

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
