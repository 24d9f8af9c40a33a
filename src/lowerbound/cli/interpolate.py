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
    start: Annotated[str, option("--from", "I", "Index of the first, from 0; or a text.")] = "0",
    end: Annotated[str, option("--to", "J", "Index of the last, from 0; or a text.")] = "1",
    steps: Annotated[int, option("--steps", "N", "Points on the way, both ends included.")] = 8,
    out: Annotated[
        Path | None,
        out_option(
            "interpolation.png, .npy, a folder (images); .txt (texts); .mid, .wav, .png (tunes); "
            ".csv, .parquet, .npy (other)."
        ),
    ] = None,
    force: Force = False,
    device: Device = "auto",
) -> None:
    """Decode points on the great circle between two examples' posterior means.

    The way between two texts is also printed: at each point the most probable text.

    Examples:
      lowerbound interpolate runs/one --from 3 --to 8
      lowerbound interpolate runs/one images.npy --to 5 --steps 12 --out way.png
      lowerbound interpolate runs/names --from "a dog" --to "it rained"
    """
    if steps < 2:
        raise SettingError(f"--steps must be a whole number of at least 2, got {steps}")
    import torch

    from lowerbound.applications import interpolate
    from lowerbound.cli.console import say, tell, working
    from lowerbound.cli.examples import check_count, lines_of, place, write_examples
    from lowerbound.cli.sources import examples_of, read_for

    run = open_run(path, device)
    target, form = place(out, "interpolation", run.schema, force=force)
    check_count(steps, run.schema, form)
    if run.schema.is_text and not (start.isdigit() and end.isdigit()):
        if start.isdigit() or end.isdigit():
            raise SettingError("--from and --to are two texts, or two indices")
        ends = read_for([start, end], run.schema).batch(torch.arange(2)).x
    else:
        with working("reading the data"):
            examples = examples_of(run, source)
        places = [
            _place(name, index, len(examples)) for name, index in (("from", start), ("to", end))
        ]
        ends = examples.batch(torch.tensor(places)).x
    x = interpolate(run.model, *ends, steps=steps)
    write_examples(target, form, x, run.schema, columns=steps)
    for line in lines_of(x) if run.schema.is_text else ():
        tell(f"  {line}")
    say(target)


def _place(name: str, index: str, count: int) -> int:
    if not index.isdigit() or int(index) >= count:
        raise SettingError(f"--{name} is an index from 0 to {count - 1}, got {index}")
    return int(index)
