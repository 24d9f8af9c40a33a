"""`lowerbound report`: the report of a run, written again."""

from pathlib import Path
from typing import Annotated

from lowerbound.cli.common import Device, Force, RunPath, open_run, option, out_option
from lowerbound.errors import DataError

FORMS = (".html",)


def command(
    path: RunPath,
    out: Annotated[Path | None, out_option("RUN/report.html if left out.")] = None,
    samples: Annotated[int, option("--samples", "K", "Draws of z for each test example.")] = 100,
    force: Force = False,
    device: Device = "auto",
) -> None:
    """Write the report of a run again, and print where it is.

    The run's data is read again and its test split evaluated; where the data is gone, the report is
    written without what needs it.

    Examples:
      lowerbound report runs/one
      lowerbound report runs/one --samples 1000
    """
    from lowerbound.cli.console import say, warn, working
    from lowerbound.cli.output import check_output, form_of
    from lowerbound.cli.sources import own_data
    from lowerbound.evaluation import evaluate
    from lowerbound.report import write_report

    if out is not None:
        check_output(out, form_of(out, FORMS), force=force)
    run = open_run(path, device)
    data = evaluation = None
    try:
        with working("reading the data"):
            data = own_data(run, remedy="put it back for a full report")
    except DataError as error:
        warn(error)
    if data is not None:
        with working("evaluating on the test split") as progress:
            evaluation = evaluate(run.model, data, samples=samples, progress=progress)
    with working("writing the report"):
        written = write_report(run, data, evaluation, out)
    say(written)
