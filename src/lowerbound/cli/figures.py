"""The figures of an evaluation, as a person reads them."""

from typing import TYPE_CHECKING

from lowerbound.cli.console import clean, say, show, wrapped

if TYPE_CHECKING:
    from lowerbound.evaluation import Estimate, Evaluation


def show_evaluation(evaluation: "Evaluation") -> None:
    """Print a table of every figure with its standard error, and what it was measured on."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    nats = "nats per example"
    rows: list[tuple[str, str, str]] = [
        ("log p(x), at least", plus_minus(evaluation.log_likelihood), nats),
        ("ELBO", plus_minus(evaluation.elbo), nats),
        ("  rate", plus_minus(evaluation.rate), nats),
        ("  distortion", plus_minus(evaluation.distortion), nats),
    ]
    if evaluation.bits_per_dimension is not None:
        bits = plus_minus(evaluation.bits_per_dimension, 4)
        rows.append(("bits per dimension", bits, "from log p(x)"))
    used = f"{evaluation.active_units} of {evaluation.latents}"
    rows.append(("active latent units", used, f"variance of the mean > {evaluation.threshold:g}"))
    for name, value, unit in rows:
        style = "bold" if name.startswith("log p") else ""
        table.add_row(Text(name, style), Text(value, style), unit)
    say(
        f"{clean(evaluation.data)}: {evaluation.examples:,} examples ({evaluation.split}), "
        f"{evaluation.samples} draws of z for each; ± is one standard error"
    )
    show(table)
    if evaluation.bits_per_dimension_reason:
        say(wrapped(f"No bits per dimension: {evaluation.bits_per_dimension_reason}."))


def plus_minus(estimate: "Estimate", places: int = 2) -> str:
    """Mean and standard error.

    Example:
        >>> from lowerbound.evaluation import Estimate
        >>> plus_minus(Estimate(-101.234, 0.5))
        '-101.23 ± 0.50'
    """
    if estimate.standard_error is None:
        return f"{estimate.mean:,.{places}f}"
    return f"{estimate.mean:,.{places}f} ± {estimate.standard_error:,.{places}f}"
