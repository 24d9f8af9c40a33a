"""`lowerbound generate`: new examples."""

from pathlib import Path
from typing import Annotated

import typer

from lowerbound.cli.common import Device, Force, RunPath, Seed, open_run, out_option, seed_of


def command(
    path: RunPath,
    count: Annotated[int, typer.Option("--count", "-n", metavar="N", help="How many.")] = 64,
    out: Annotated[
        Path | None,
        out_option("samples.png, .npy, a folder (images); .csv, .parquet, .npy (other data)."),
    ] = None,
    draw: Annotated[
        bool | None,
        typer.Option("--draw/--mean", help="Draw x from p(x|z), or give its mean."),
    ] = None,
    force: Force = False,
    seed: Seed = None,
    device: Device = "auto",
) -> None:
    """Make new examples: z from the prior, x from the decoder.

    Images are by default the mean of p(x|z), as papers show them: without the noise of the
    likelihood. Other data are draws, which spread as the data do.

    Examples:
      lowerbound generate runs/one
      lowerbound generate runs/one --count 1000 --out folder/
      lowerbound generate runs/one --draw --seed 1 --out new.npy
      lowerbound generate runs/table --count 500 --out new.csv
    """
    from lowerbound.applications import generate
    from lowerbound.cli.console import say, tell, working
    from lowerbound.cli.examples import check_count, place, write_examples
    from lowerbound.processes import current

    chosen = seed_of(seed)
    run = open_run(path, device)
    first = current().first
    target, form = place(out, "samples", run.schema, force=force or not first)
    check_count(count, run.schema, form)
    drawn = not run.schema.is_image if draw is None else draw
    with working("generating"):
        x = generate(run.model, count, draw=drawn, seed=chosen)
        if not first:
            return
        write_examples(target, form, x, run.schema, seed=chosen)
    tell(f"{count:,} examples, {'drawn from' if drawn else 'means of'} p(x|z), seed {chosen}")
    say(target)
