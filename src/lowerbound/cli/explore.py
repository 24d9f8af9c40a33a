"""`lowerbound explore`: a page on which a person plays with a run."""

from pathlib import Path
from typing import Annotated

import typer

from lowerbound.cli.common import Device, Force, RunPath, open_run, option
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
    static: Annotated[
        Path | None,
        option("--static", "PAGE.html", "Write one file that needs no server, and end."),
    ] = None,
    force: Force = False,
    device: Device = "auto",
) -> None:
    """Open a page: a map of the latent space, sliders for its units, ways between two examples.

    The page is served to this machine alone, at the address that is printed; the token in it is
    the key. Nothing is loaded from elsewhere. Ctrl-C ends it. --static writes a page to send to
    somebody instead: it holds up to 400 of the examples, and the decoder if it is a small one.

    Examples:
      lowerbound explore runs/one
      lowerbound explore runs/table table.csv --no-browser --port 8000
      lowerbound explore runs/one --static page.html
    """
    if static is not None:
        _write(path, source, static, force, device)
        return
    serve(path, "127.0.0.1", port, None, device, page=True, browser=browser, source=source)


def _write(path: Path, source: str | None, page: Path, force: bool, device: str) -> None:
    from lowerbound.cli.console import say, working
    from lowerbound.cli.output import check_output
    from lowerbound.cli.sources import examples_of
    from lowerbound.runs.files import write_atomically

    check_output(page, ".html", force=force, source=source)
    run = open_run(path, device)
    with working("decoding"):
        from lowerbound.web.explorer import Explorer
        from lowerbound.web.static import MOST_EXAMPLES, page_of

        explorer = Explorer(run, examples_of(run, source).few(MOST_EXAMPLES))
        write_atomically(page, page_of(explorer).encode())
    say(page)
