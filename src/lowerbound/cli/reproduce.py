"""`lowerbound reproduce`: a published figure, trained and evaluated as its source did."""

import typer

from lowerbound.cli.common import command_of, refuse_beside
from lowerbound.cli.reproduce_options import ReproduceOptions
from lowerbound.errors import SettingError

#: Options beside --list.
BESIDE_LIST = {"list_all", "name", "results", "json", "quiet"}


def reproduce(context: typer.Context, options: ReproduceOptions) -> None:
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
    if options.list_all:
        from lowerbound.cli.published import list_entries

        refuse_beside(context, "--list", BESIDE_LIST, "trains nothing")
        list_entries(options.name, options.results, options.json)
        return
    if options.name is None:
        raise SettingError("missing argument 'NAME'; see lowerbound reproduce --list")
    from lowerbound.cli.reproductions import train_and_judge

    code = train_and_judge(options)
    if code:
        raise typer.Exit(code)


command = command_of(ReproduceOptions, reproduce)
