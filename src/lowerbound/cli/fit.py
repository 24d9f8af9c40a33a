"""`lowerbound fit`: train a model on data."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lowerbound.cli.common import (
    Device,
    Json,
    Stream,
    device_of,
    given,
    out_option,
    refuse_beside,
    seed_of,
    settings_from,
)
from lowerbound.cli.reading import reads_data
from lowerbound.errors import SettingError


@reads_data
def command(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA", help="Named set, folder of images, table, array; see lowerbound data."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="Recipe; see lowerbound catalogue.")
    ] = "auto",
    out: Annotated[
        Path | None, out_option("Directory of the run; runs/DATA-MODEL if left out.")
    ] = None,
    latents: Annotated[
        int | None, typer.Option("--latents", metavar="N", help="Latent units; chosen if left out.")
    ] = None,
    likelihood: Annotated[
        str | None,
        typer.Option(
            "--likelihood", metavar="NAME", help="p(x|z); follows from the data if left out."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", metavar="N", help="Passes over the training examples.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", metavar="M", help="Train this long instead.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other setting; may be repeated."),
    ] = None,
    *,
    reading: dict[str, Any],
    stream: Stream = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an old run at --out.")] = False,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Of weights, shuffling and noise.")
    ] = 0,
    device: Device = "auto",
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="RUN", help="Go on with a run; see below."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option("--from", metavar="RUN", help="Begin with the weights of a run; see below."),
    ] = None,
    save_every: Annotated[
        float,
        typer.Option(
            "--save-every", metavar="SECONDS", help="Between two saves of the training's state."
        ),
    ] = 60.0,
    save_every_updates: Annotated[
        int | None,
        typer.Option(
            "--save-every-updates", metavar="N", help="Also save it after every N updates."
        ),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Write report.html at the end.")
    ] = True,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say how it would be trained and why, and train nothing."),
    ] = False,
    json: Json = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the final figures and errors only.")
    ] = False,
) -> None:
    """Train a model on DATA, evaluate it on held-out examples, write a report.

    Likelihood, networks and sizes follow from the data unless they are given. The best weights on
    the validation split are kept; Ctrl-C ends training early and keeps them too.

    Examples:
      lowerbound fit fashion-small
      lowerbound fit photos/ --image-size 64x64 --minutes 30 --out runs/photos
      lowerbound fit table.csv --latents 4 --epochs 100
      lowerbound fit digits --model beta-vae --set beta=4 --set hidden=256,256
      lowerbound fit scans.npy --binarize --json > result.json
      lowerbound fit photos/ --explain
      lowerbound fit mnist --binarize-dynamic --model iwae --set gradient=dreg
      lowerbound fit --resume runs/photos
      lowerbound fit --resume runs/photos --epochs 200
      lowerbound fit more-photos/ --from runs/photos
      torchrun --nproc-per-node 2 -m lowerbound.cli fit photos/ --out runs/photos

    The split into training, validation and test depends on the data alone, not on --seed, so that
    runs can be compared. See lowerbound catalogue MODEL for all settings.

    Data of more than a quarter of the memory is left on disk and read while training; --stream does
    so with any. Then "lowerbound data pack" makes packed rows of what cannot be read in parts.

    --resume RUN goes on with a training that was interrupted, in whatever way, as if it had not
    been: to the same weights, on the same machine. Data and settings are those of the run. With
    --epochs N or --minutes M, larger than before, also a finished run goes on; its learning rate
    and warm-up then follow the schedule of the new length, and so go up again at first.

    Under torchrun several processes train one model, each on its share of every batch. Processes
    that torchrun starts anew (--max-restarts) go on with the run at --out from its last state.

    --from RUN begins a new training on DATA with the model and the weights of a run, whose data had
    the same columns or the same kind of images.
    """
    if source is None and resume is None:
        raise SettingError("missing argument 'DATA'; see lowerbound fit --help")
    from lowerbound.cli.order import Order
    from lowerbound.cli.ranks import restarted
    from lowerbound.cli.train import go_on, train
    from lowerbound.runs.writer import check_interval, check_updates

    check_interval(save_every)
    check_updates(save_every_updates)
    if resume is None and restarted() and out is not None and (out / "spec.json").is_file():
        resume = out  # a launcher began anew; everything else is as the run has it
        setting, latents, likelihood, epochs, minutes, start = None, None, None, None, None, None
    elif resume is not None:
        refuse_beside(context, "--resume", BESIDE_RESUME, "takes everything from the run")
    if start is not None and given(context, "model"):
        raise SettingError("--from takes the recipe of the run; leave --model out")
    settings = settings_from(setting or [])
    options = {"latents": latents, "likelihood": likelihood, "epochs": epochs, "minutes": minutes}
    for name, value in options.items():
        if value is not None and name in settings:
            raise SettingError(f"--{name} and --set {name}= say the same thing; give one of them")
        if value is not None:
            settings[name] = str(value)
    if "epochs" in settings and "minutes" in settings:
        raise SettingError("--epochs and --minutes exclude each other; give one of them")
    order = Order(
        source=source or "",
        model=model,
        out=out,
        settings=settings,
        reading=reading,
        stream=stream,
        force=force,
        seed=seed_of(seed),
        device="" if resume is not None and device == "auto" else device_of(device),
        resume=resume,
        start=start,
        save_every=save_every,
        save_every_updates=save_every_updates,
        report=report,
        explain=explain,
        json=json,
        quiet=quiet,
    )
    code = train(order) if resume is None else go_on(order)
    if code:
        raise typer.Exit(code)


#: What may be said beside --resume; everything else is the run's.
BESIDE_RESUME = {
    "resume",
    "epochs",
    "minutes",
    "save_every",
    "save_every_updates",
    "device",
    "report",
    "json",
    "quiet",
}
