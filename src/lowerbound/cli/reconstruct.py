"""`lowerbound reconstruct`: examples as the model keeps them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lowerbound.cli.common import Device, Force, RunPath, open_run, out_option
from lowerbound.cli.reading import reads_new_data
from lowerbound.errors import SettingError

#: Examples on a sheet where nobody says how many, and pairs in one of its rows.
SHOWN, PAIRS = 32, 4
#: Texts that are also printed, each with its reconstruction below it.
PRINTED = 10


@reads_new_data
def command(
    path: RunPath,
    source: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Examples; the run's own test split if left out."),
    ] = None,
    out: Annotated[
        Path | None,
        out_option(
            "reconstructions.png, .npy, a folder (images); .txt (texts); .mid, .wav, .png (tunes); "
            ".csv, .parquet, .npy (other)."
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option("--count", "-n", metavar="N", help="The first N; 32 on a sheet, else all."),
    ] = None,
    *,
    reading: dict[str, Any],
    force: Force = False,
    device: Device = "auto",
) -> None:
    """Encode examples and decode them again, without drawing any noise.

    A .png shows each original with its reconstruction to the right of it; so does each file of a
    folder. Arrays and tables hold the reconstructions only, row by row.

    Examples:
      lowerbound reconstruct runs/one
      lowerbound reconstruct runs/one photos/ --count 16 --out pairs.png
      lowerbound reconstruct runs/one images.npy --out there-and-back.npy
    """
    if reading and source is None:
        raise SettingError(f"--{next(iter(reading)).replace('_', '-')} needs DATA")
    if count is not None and count < 1:
        raise SettingError(f"--count must be a whole number of at least 1, got {count}")
    import torch

    from lowerbound.applications import reconstruct
    from lowerbound.applications.tunes import alike
    from lowerbound.cli.console import say, tell, working
    from lowerbound.cli.examples import check_count, lines_of, place, write_examples
    from lowerbound.cli.output import FOLDER
    from lowerbound.cli.sources import examples_of

    run = open_run(path, device)
    target, form = place(out, "reconstructions", run.schema, force=force, source=source)
    with working("reading the data"):
        examples = examples_of(run, source, **reading)
    wanted = count or (SHOWN if form == ".png" else len(examples))
    examples = examples.select(slice(0, wanted))
    check_count(2 * len(examples), run.schema, form)
    examples = examples.load()
    with working("reconstructing"):
        x = reconstruct(run.model, examples)
        if run.schema.is_tune:
            sixteenths, notes = alike(examples.x, x)
            tell(f"{sixteenths:.1%} of the sixteenths come back, {notes:.1%} of the notes")
        if form in (".png", FOLDER):
            pairs = [examples.x.double(), x.double()]
            if form == ".png":
                both = torch.stack(pairs, dim=1).flatten(0, 1)
                write_examples(target, form, both, run.schema, columns=2 * PAIRS)
            else:
                write_examples(target, form, torch.cat(pairs, dim=-1), run.schema)
        else:
            write_examples(target, form, x, run.schema, rows=examples)
            if run.schema.is_text:
                both = zip(lines_of(examples.x[:PRINTED]), lines_of(x[:PRINTED]), strict=True)
                for before, after in both:
                    tell(f"  {before}\n    {after}")
    say(target)
