"""The figures of an evaluation, as a person reads them."""

from typing import TYPE_CHECKING

from lowerbound.cli.console import clean, paragraph, say, show

if TYPE_CHECKING:
    from lowerbound.evaluation import Between, Estimate, Evaluation
    from lowerbound.evaluation.disentanglement import Disentanglement
    from lowerbound.evaluation.synthetic import SyntheticQuality


def show_evaluation(evaluation: "Evaluation", *, brief: bool = False) -> None:
    """Print every figure with its standard error and what it was measured on, by sections.

    In brief, the ladder of draws is only said in a sentence.
    """
    paragraph(
        f"{clean(evaluation.data)}: {evaluation.examples:,} examples ({evaluation.split}), "
        f"{evaluation.samples:,} draws of z for each; ± is one standard error"
    )
    table(_headlines(evaluation))
    if evaluation.bits_per_dimension_reason:
        paragraph(f"No bits per dimension: {evaluation.bits_per_dimension_reason}.")
    if not brief:
        say("Bound on log p(x) by draws of z:")
        ladder = ((rung.samples, rung.bound) for rung in evaluation.ladder)
        table([(f"  {count:,}", f"{bound.mean:,.2f}", _draws(bound)) for count, bound in ladder])
    _show_convergence(evaluation)
    if (found := evaluation.tightened) is not None:
        say(
            f"\nAnnealed importance sampling, {found.examples:,} examples, {found.chains} ways of "
            f"{found.temperatures:,} steps:"
        )
        table(
            [
                ("log p(x), at least", plus_minus(found.annealed), NATS),
                ("  by plain weighting", plus_minus(found.importance_weighted), NATS),
                ("  gain", plus_minus(found.gain), NATS),
                ("  acceptance", f"{found.acceptance:.0%}", "65 % is best"),
            ]
        )
    if (gaps := evaluation.gaps) is not None:
        say(f"\nWhere the ELBO is loose, {gaps.examples:,} examples:")
        table(
            [
                ("amortisation gap", plus_minus(gaps.amortisation), "one encoder for all; or more"),
                ("approximation gap", plus_minus(gaps.approximation), "the family of q, about"),
                ("ELBO of the encoder", plus_minus(gaps.encoder), NATS),
                ("ELBO of the best q found", plus_minus(gaps.optimised), NATS),
                ("log p(x), at least", plus_minus(gaps.log_likelihood), NATS),
            ]
        )
    if (own := evaluation.simulated) is not None:
        low, high = own.interval
        say(f"\nlog p(x) of {own.examples:,} examples simulated from the model:")
        table(
            [
                ("at most", f"{own.upper.mean:,.2f}", _draws(own.upper)),
                ("at least", f"{own.lower.mean:,.2f}", _draws(own.lower)),
                ("at least, plain weighting", f"{own.importance_weighted.mean:,.2f}", NATS),
                ("the truth lies between", f"{low:,.2f} and {high:,.2f}", "± 3 errors over draws"),
            ]
        )
    if evaluation.quality is not None:
        say("\nHow good samples are:")
        first, *lines, features, nearest = evaluation.quality.lines()
        paragraph(first)
        for line in lines:
            say(line)
        paragraph(features)
        paragraph(nearest)


#: The name of a figure, the figure, its unit.
Row = tuple[str, str, str]


def table(rows: list[Row]) -> None:
    """Print rows aligned; those that begin with "log p" in bold."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, show_header=False, pad_edge=False)
    drawn.add_column(no_wrap=True)
    drawn.add_column(justify="right", no_wrap=True)
    drawn.add_column(no_wrap=True, style="dim")
    for name, value, unit in rows:
        style = "bold" if name.startswith("log p") else ""
        drawn.add_row(Text(name, style), Text(value, style), unit)
    show(drawn)


NATS = "nats per example"


def show_factors(found: "Disentanglement") -> None:
    """Print how single latent units stand for known factors."""
    say(f"\nUnits and known factors, {found.examples:,} examples; 1 is a unit for each:")
    rows = [
        ("mutual information gap", found.mig, "MIG"),
        ("explained variance gap", found.sap, "SAP"),
        ("FactorVAE score", found.factor_vae, "share of votes"),
        ("disentanglement", found.disentanglement, "DCI: a unit for one factor alone"),
        ("completeness", found.completeness, "DCI: a factor in one unit alone"),
        ("informativeness", found.informativeness, "DCI: accuracy of factors from z"),
    ]
    table([(f"  {name}", f"{value:.3f}", of) for name, value, of in rows])


def _headlines(evaluation: "Evaluation") -> list[Row]:
    rows = [
        ("log p(x), at least", plus_minus(evaluation.log_likelihood), NATS),
        ("ELBO", plus_minus(evaluation.elbo), NATS),
        ("  rate", plus_minus(evaluation.rate), NATS),
        ("  distortion", plus_minus(evaluation.distortion), NATS),
    ]
    if evaluation.bits_per_dimension is not None:
        bits = plus_minus(evaluation.bits_per_dimension, 4)
        rows.append((evaluation.bits_per_dimension.unit, bits, "from log p(x)"))
    if evaluation.accuracy is not None:
        rows.append(("accuracy of q(y|x)", plus_minus(evaluation.accuracy, 4), "share of classes"))
    used = f"{evaluation.active_units} of {evaluation.latents}"
    rows.append(("active latent units", used, f"variance of the mean > {evaluation.threshold:g}"))
    if (told := evaluation.information) is not None:
        of = f"nats, {told.examples:,} examples mixed"
        rows.append(("  I(x; z)", from_to(told.mutual_information), of))
        rows.append(("  KL(q(z) || p(z))", from_to(told.mismatch), of))
    if (seen := evaluation.generalisation) is not None:
        examples = f"{seen.examples:,} training examples"
        rows.append(("training ELBO", plus_minus(seen.elbo), examples))
        rows.append(("  above the held-out one by", plus_minus(seen.gap), NATS))
    return rows


def _show_convergence(evaluation: "Evaluation") -> None:
    from lowerbound.evaluation.estimate import NORMAL_FROM

    stated = evaluation.convergence
    paragraph(f"{stated.words[:1].upper()}{stated.words[1:]}.")
    heavy = stated.heavy_tailed
    tails = "" if heavy is None else f"; {heavy:.0%} of the examples have heavy-tailed weights"
    paragraph(f"Effective sample size, median: {stated.effective_samples:,.1f}{tails}.")
    truth = evaluation.log_evidence
    enough = evaluation.examples >= NORMAL_FROM
    if enough and stated.converged and truth is not None and truth.interval is not None:
        low, high = truth.interval
        paragraph(f"log p(x) of such data, 95 % interval: {low:,.2f} to {high:,.2f} {NATS}.")


def _draws(estimate: "Estimate") -> str:
    return "" if estimate.draw_error is None else f"± {estimate.draw_error:.3f} over draws"


def show_rows(found: "SyntheticQuality") -> None:
    """Print how good synthetic rows are, each measure beside its value for real rows."""
    say("\nHow good synthetic rows are:")
    first, *table = found.lines()
    paragraph(first)
    for line in table:
        say(line)
    for use in found.uses:
        f1 = "" if use.f1 is None else f", F1 {use.f1:.3f} (real {use.null_f1:.3f})"
        say(f"  {clean(use.target)}: {use.score} {use.value:.3f} (real {use.null:.3f}){f1}")


def from_to(between: "Between") -> str:
    """Write two estimates from either side, the smaller one first, neither below 0."""
    low, high = sorted(max(0.0, side.mean) for side in (between.lower, between.upper))
    return f"{low:,.2f} to {high:,.2f}"


def plus_minus(estimate: "Estimate", places: int = 2) -> str:
    """Write mean and standard error.

    Example:
        >>> from lowerbound.evaluation import Estimate
        >>> plus_minus(Estimate(-101.234, 0.5))
        '-101.23 ± 0.50'
    """
    if estimate.standard_error is None:
        return f"{estimate.mean:,.{places}f}"
    return f"{estimate.mean:,.{places}f} ± {estimate.standard_error:,.{places}f}"
