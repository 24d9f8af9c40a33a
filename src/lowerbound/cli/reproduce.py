"""`lowerbound reproduce`: a published figure, trained and evaluated as its source did."""

from pathlib import Path
from typing import Annotated

import typer

from lowerbound.cli.common import Device, Json, device_of, refuse_beside, settings_from
from lowerbound.errors import SettingError


def command(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which figure; see --list.")
    ] = None,
    list_all: Annotated[
        bool, typer.Option("--list", help="Every figure: source, protocol, cost, state.")
    ] = False,
    epochs: Annotated[
        int | None, typer.Option("--epochs", metavar="N", help="A smaller budget.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", metavar="M", help="Likewise, by the clock.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="The whole published budget.")] = False,
    pause_after: Annotated[
        float | None,
        typer.Option(
            "--pause-after", metavar="M", help="With --full: stop after so many minutes, evaluate."
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="N,N,...", help="One training each.")
    ] = "0",
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Another setting; may be repeated."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="PATH", help="Where the data is, if it has to be said."),
    ] = None,
    test_images: Annotated[
        int | None,
        typer.Option(
            "--test-images", metavar="N", help="Give all draws to so many test images only."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="PATH", help="Of the runs; runs/reproduce/NAME."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            metavar="FOLDER",
            help="Of the figures; benchmarks/results in a checkout, else runs/reproduce/results.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what was interrupted.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace old runs at --out.")] = False,
    device: Device = "auto",
    json: Json = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the final figures and errors only.")
    ] = False,
) -> None:
    """Train and evaluate as a published figure was, and put ours beside it.

    Architecture, data, schedule and evaluation are written down with each NAME. A smaller budget
    (--epochs, --minutes) keeps the shape of the schedule; --full --pause-after runs the beginning
    of the published one, and the same command with --resume goes on, so that many sittings add up
    to all of it. The result says how much was run: a figure is called reproduced only when the
    whole budget was.

    Examples:
      lowerbound reproduce --list
      lowerbound reproduce burda-vae-1-dynamic --minutes 25 --test-images 1000
      lowerbound reproduce burda-iwae-5-static --full --data binarized_mnist/
      lowerbound reproduce tenth-vae-1-dynamic --epochs 300 --seeds 0,1,2
      lowerbound reproduce tenth-vae-1-dynamic --full --set batch_size=200
      lowerbound reproduce burda-iwae-50-dynamic --full --pause-after 60 --resume

    Each training is a run of its own, which doctor, report and the rest read like any other; with
    --resume one that was killed goes on, and one that is finished is only evaluated.
    """
    if list_all:
        from lowerbound.cli.published import list_entries

        refuse_beside(context, "--list", BESIDE_LIST, "trains nothing")
        list_entries(name, results, json)
        return
    from lowerbound.cli.reproductions import Wanted, reproduce

    if name is None:
        raise SettingError("missing argument 'NAME'; see lowerbound reproduce --list")
    wanted = Wanted(
        name=name,
        epochs=epochs,
        minutes=minutes,
        full=full,
        pause_after=pause_after,
        seeds=_seeds(seeds),
        settings=settings_from(setting or []),
        data=data,
        test_images=test_images,
        out=out,
        results=results,
        resume=resume,
        force=force,
        device=device_of(device),
        json=json,
        quiet=quiet,
    )
    code = reproduce(wanted)
    if code:
        raise typer.Exit(code)


#: What may be said beside --list.
BESIDE_LIST = {"list_all", "name", "results", "json", "quiet"}


def _seeds(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() and len(part) < 19 for part in parts):
        raise SettingError(f"--seeds takes whole numbers with commas between, got {text!r}")
    seeds = tuple(int(part) for part in parts)
    if len(set(seeds)) < len(seeds):
        raise SettingError(f"--seeds names a seed twice: {text!r}")
    return seeds
