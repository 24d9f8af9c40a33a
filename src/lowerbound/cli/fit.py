"""`lowerbound fit`: train a model on data."""

from dataclasses import replace

import typer

from lowerbound.cli.common import command_of, given, refuse_beside, seed_of
from lowerbound.cli.fit_options import FitOptions
from lowerbound.cli.reading import reads_data
from lowerbound.errors import SettingError

#: Options beside --resume; everything else is the run's.
BESIDE_RESUME = {
    "resume", "epochs", "minutes", "save_every", "save_every_updates", "keep_state", "device",
    "refit", "report", "explain", "json", "quiet",
}  # fmt: skip


def fit(context: typer.Context, options: FitOptions) -> None:
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
      lowerbound fit photos/ --condition class
      lowerbound fit --resume runs/photos
      lowerbound fit --resume runs/photos --epochs 200
      lowerbound fit more-photos/ --from runs/photos
      torchrun --nproc-per-node 2 -m lowerbound.cli fit photos/ --out runs/photos

    The split into training, validation and test depends on the data alone, not on --seed, so that
    runs can be compared. See lowerbound catalogue MODEL for all settings.

    Data of more than a quarter of the memory is left on disk and read while training; --stream does
    so with any. "lowerbound data pack" converts it once for all.

    --resume RUN goes on with a training that was interrupted, in whatever way, as if it had not
    been: to the same weights, on the same machine. Data and settings are those of the run. With
    --epochs N or --minutes M, larger than before, also a finished run goes on; its learning rate
    and warm-up then follow the schedule of the new length, and so go up again at first. The state
    that this needs is in RUN/state, which --no-state leaves out of a finished run; it may also be
    deleted.

    Under torchrun several processes train one model, each on its share of every batch. Processes
    that torchrun starts anew (--max-restarts) go on with the run at --out from its last state.

    --from RUN begins a new training on DATA with the model and the weights of a run, whose data had
    the same columns or the same kind of images. --force replaces the files of an old run, and no
    others that are there.
    """
    if options.source is None and options.resume is None:
        raise SettingError("missing argument 'DATA'; see lowerbound fit --help")
    from lowerbound.cli.ranks import restarted
    from lowerbound.cli.train import go_on, train
    from lowerbound.runs.writer import check_saving

    check_saving(options.save_every, options.save_every_updates)
    seed_of(options.seed)
    out = options.out
    if options.resume is None and restarted() and out is not None and (out / "spec.json").is_file():
        # a launcher began anew; everything else is as the run has it
        cleared = ("setting", "latents", "likelihood", "epochs", "minutes", "start")
        options = replace(options, resume=out, **dict.fromkeys(cleared))
    elif options.resume is not None:
        refuse_beside(context, "--resume", BESIDE_RESUME, "takes everything from the run")
    if options.start is not None and given(context, "model"):
        raise SettingError("--from takes the recipe of the run; leave --model out")
    code = train(options) if options.resume is None else go_on(options)
    if code:
        raise typer.Exit(code)


command = reads_data(command_of(FitOptions, fit))
