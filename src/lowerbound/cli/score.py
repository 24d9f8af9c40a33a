"""`lowerbound score`: the bound of each row."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lowerbound.cli.common import Device, Force, RunPath, open_run, option, out_option
from lowerbound.cli.reading import reads_new_data

FORMS = (".csv",)
COLUMNS = ("elbo", "log_likelihood")


@reads_new_data
def command(
    path: RunPath,
    source: Annotated[str, typer.Argument(metavar="DATA", help="Rows to score.")],
    out: Annotated[Path, out_option("A .csv file.")] = Path("scores.csv"),
    samples: Annotated[int, option("--samples", "K", "Draws of z for each row.")] = 100,
    *,
    reading: dict[str, Any],
    force: Force = False,
    device: Device = "auto",
) -> None:
    """Write two lower bounds on log p(x) for every row of DATA, in its order; in nats.

    The columns are row (its number, from 0), elbo, and log_likelihood, the bound by importance
    weighting; for texts and tunes also -log_likelihood per byte or sixteenth. Low rows are unusual
    ones. A row always gets the same scores, whichever others come along. One that lies too far
    from the training data for a number gets -inf or nan and is named.

    Examples:
      lowerbound score runs/one table.csv
      lowerbound score runs/one images.npy --out scores.csv --samples 1000
      lowerbound score runs/one some-columns.csv --allow-missing --gaps age=-99
    """
    import numpy as np

    from lowerbound.cli.console import say, tell, warn, working
    from lowerbound.cli.examples import named, per_token
    from lowerbound.cli.output import check_output, form_of, write_table
    from lowerbound.cli.sources import read_for
    from lowerbound.evaluation import score

    check_output(out, form_of(out, FORMS), force=force, source=source)
    run = open_run(path, device)
    with working("reading the data"):
        examples = read_for(source, run.schema, **reading)
    with working("scoring") as progress:
        found = score(run.model, examples, samples, seed=run.spec.seed, progress=progress)
    if found.note:
        warn(found.note)
    count = len(found.elbo)
    names = named(examples) or {"row": np.arange(count)}
    bounds = (found.elbo.numpy(), found.log_likelihood.numpy())
    more = per_token(examples, -found.log_likelihood)
    write_table(out, names | dict(zip(COLUMNS, bounds, strict=True)) | more)
    finite = found.log_likelihood[found.log_likelihood.isfinite()]
    median = f", median of log p(x) at least {finite.median():,.2f} nats" if len(finite) else ""
    tell(f"{count:,} rows{median}")
    say(out)
