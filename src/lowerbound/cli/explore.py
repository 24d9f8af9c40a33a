"""`lowerbound explore`: a page on which a person plays with a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowerbound.cli.common import Device, Force, RunPath, open_run, option
from lowerbound.cli.serve import listen, new_token
from lowerbound.errors import DataError, SettingError

if TYPE_CHECKING:
    from lowerbound.data import Source
    from lowerbound.runs import Run
    from lowerbound.web.explorer import Explorer


def command(
    path: RunPath,
    source: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Examples to show; the run's test split if left out."),
    ] = None,
    beside: Annotated[
        Path | None,
        option("--beside", "RUN", "Another run, shown beside it with the same examples."),
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
    the key. Nothing is loaded from elsewhere. Ctrl-C ends it. --beside shows a second run on the
    same examples. --static writes a page to send to
    somebody instead: it holds up to 400 of the examples, and the decoder if it is a small one.

    Examples:
      lowerbound explore runs/one
      lowerbound explore runs/one --beside runs/two
      lowerbound explore runs/table table.csv --no-browser --port 8000
      lowerbound explore runs/one --static page.html
    """
    if static is not None:
        if beside is not None:
            raise SettingError("--beside is for the page that is served; leave --static out")
        _write(path, source, static, force, device)
        return

    def load() -> "Explorer":
        from lowerbound.web.explorer import Explorer

        run = open_run(path, device)
        if beside is None:
            return Explorer(run, _shown(run, source))
        second = open_run(beside, device)
        if source is None and _data(run) != _data(second):
            raise DataError(f"{path} and {beside} have other test examples; give some: DATA")
        other = Explorer(second, _shown(second, source))
        return Explorer(run, _shown(run, source), other)

    for one in (path, beside):
        if one is not None and not (one / "spec.json").is_file():
            open_run(one)  # says why it is no run, before an address is printed
    listen(
        load, "127.0.0.1", port, new_token(), page=True, pair=beside is not None, browser=browser
    )


def _shown(run: "Run", source: str | None) -> "Source":
    from lowerbound.cli.sources import own_data, read_for

    return own_data(run).test if source is None else read_for(source, run.schema)


def _data(run: "Run") -> tuple[object, ...]:
    return run.spec.data.get("fingerprint"), run.spec.data.get("split"), run.spec.seed


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
