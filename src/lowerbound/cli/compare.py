"""`lowerbound compare`: which of several runs is better."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowerbound.cli.common import Device, Json, device_of, option, seed_of
from lowerbound.errors import SettingError

if TYPE_CHECKING:
    from lowerbound.compare import Comparison


def command(
    paths: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN...", help="Directories of trained runs.")
    ],
    source: Annotated[
        str | None, option("--data", "DATA", "Compare on this; their own test if left out.")
    ] = None,
    samples: Annotated[int, option("--samples", "K", "Draws of z for each example.")] = 100,
    seed: Annotated[int, option("--seed", "N", "Of the draws.")] = 0,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """State which of several runs is better, on the same held-out examples.

    Differences are paired: mean, standard error and 95 % interval of log p(x) and ELBO, example by
    example. Examples that one of the runs was trained or validated on are left out, and runs whose
    figures are not of the same thing are refused. Of more than two runs, the best is set against
    each of the others, under Bonferroni's correction for all pairs.

    Examples:
      lowerbound compare runs/one runs/two
      lowerbound compare runs/* --samples 1000
      lowerbound compare runs/one runs/two --data new.npy --json
    """
    if len(paths) < 2:
        raise SettingError("compare needs at least two runs; give another one")
    if samples < 1:
        raise SettingError(f"--samples must be a whole number of at least 1, got {samples}")
    from lowerbound.cli.console import say_json, working
    from lowerbound.compare import compare_runs

    seed, device = seed_of(seed), device_of(device)
    with working("comparing") as progress:
        comparison = compare_runs(
            *paths, data=source, samples=samples, seed=seed, device=device, progress=progress
        )
    if json:
        say_json({"seed": seed, **comparison.to_json()})
    else:
        show_comparison(comparison)


def show_comparison(comparison: "Comparison") -> None:
    """Print the verdicts first, then the figures they rest on."""
    from lowerbound.cli.console import say, wrapped
    from lowerbound.cli.figures import plus_minus

    for difference in comparison.differences:
        say(wrapped(f"{difference.verdict}."))
    say(
        f"\n{comparison.data}: {comparison.examples:,} examples, {comparison.samples} draws of z "
        "for each; nats per example, ± is one standard error"
    )
    for run in comparison.runs:
        say(
            f"  {run.run} ({run.recipe}): log p(x) at least {plus_minus(run.log_likelihood)}, "
            f"ELBO {plus_minus(run.elbo)}"
        )
    for difference in comparison.differences:
        say(f"\n{difference.first} minus {difference.second}")
        for name, found in (("log p(x)", difference.log_likelihood), ("ELBO", difference.elbo)):
            low, high = found.interval
            say(
                f"  {name:<9} {found.mean:+,.2f} ± {found.standard_error:,.2f}, "
                f"{100 * found.confidence:.4g} % interval {low:+,.2f} to {high:+,.2f}, "
                f"first better on {found.first_better:.0%}"
            )
    say()
    for note in (comparison.correction, *comparison.notes):
        say(wrapped(f"Note: {note}."))
