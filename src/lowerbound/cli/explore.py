"""`lowerbound explore`: a page on which a person plays with a run."""

from typing import Annotated

import typer

from lowerbound.cli.common import Device, RunPath, option
from lowerbound.cli.serve import serve


def command(
    path: RunPath,
    source: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Examples to show; the run's test split if left out."),
    ] = None,
    port: Annotated[int, option("--port", "N", "Port; 0 for a free one.")] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page by itself.")
    ] = True,
    device: Device = "auto",
) -> None:
    """Open a page: a map of the latent space, sliders for its units, ways between two examples.

    The page is served to this machine alone, at the address that is printed; the token in it is
    the key. Nothing is loaded from elsewhere. Ctrl-C ends it.

    Examples:
      lowerbound explore runs/one
      lowerbound explore runs/table table.csv --no-browser --port 8000
    """
    serve(path, "127.0.0.1", port, None, device, page=True, browser=browser, source=source)
