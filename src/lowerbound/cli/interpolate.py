"""`lowerbound interpolate`: the way from one example to another."""

from pathlib import Path
from typing import Annotated

import typer

from lowerbound.cli.common import Device, Force, RunPath, open_run, option, out_option
from lowerbound.errors import SettingError


def command(
    path: RunPath,
    source: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Examples; the run's own test split if left out."),
    ] = None,
    start: Annotated[int, option("--from", "I", "Index of the first, from 0.")] = 0,
    end: Annotated[int, option("--to", "J", "Index of the last, from 0.")] = 1,
    steps: Annotated[int, option("--steps", "N", "Points on the way, both ends included.")] = 8,
    out: Annotated[
        Path | None,
        out_option("interpolation.png, .npy, a folder (images); .csv, .parquet, .npy (other)."),
    ] = None,
    force: Force = False,
    device: Device = "auto",
) -> None:
    """Decode points on the great circle between two examples' posterior means.

    Examples:
      lowerbound interpolate runs/one --from 3 --to 8
      lowerbound interpolate runs/one images.npy --to 5 --steps 12 --out way.png
    """
    if steps < 2:
        raise SettingError(f"--steps must be a whole number of at least 2, got {steps}")
    import torch

    from lowerbound.applications import interpolate
    from lowerbound.cli.console import say, working
    from lowerbound.cli.examples import check_count, place, write_examples
    from lowerbound.cli.sources import examples_of

    run = open_run(path, device)
    target, form = place(out, "interpolation", run.schema, force=force)
    check_count(steps, run.schema, form)
    with working("reading the data"):
        examples = examples_of(run, source)
    for name, index in (("from", start), ("to", end)):
        if not 0 <= index < len(examples):
            raise SettingError(f"--{name} is an index from 0 to {len(examples) - 1}, got {index}")
    ends = examples.batch(torch.tensor([start, end])).x
    x = interpolate(run.model, *ends, steps=steps)
    write_examples(target, form, x, run.schema, columns=steps)
    say(target)
