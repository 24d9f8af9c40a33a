"""`lowerbound evaluate`: how good a run is."""

from typing import Annotated

import typer

from lowerbound.cli.common import Device, Json, RunPath, open_run, seed_of
from lowerbound.errors import SettingError, UnknownNameError

SPLITS = ("test", "validation", "train")


def command(
    path: RunPath,
    source: Annotated[
        str | None,
        typer.Option("--data", metavar="DATA", help="Other data; the run's own if left out."),
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", metavar="K", help="Draws of z for each example.")
    ] = 100,
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="NAME", help="test (if left out), validation or train."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the draws.")] = 0,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """State how good a run is: bounds on log p(x), rate, distortion, active units.

    Without --data, the test split of the data the run was trained on is read again. Other data is
    evaluated whole. Figures are nats per example, with one standard error; log p(x) is bounded by
    importance weighting, which gets tighter as --samples grows.

    Examples:
      lowerbound evaluate runs/one
      lowerbound evaluate runs/one --samples 5000
      lowerbound evaluate runs/one --split validation --json
      lowerbound evaluate runs/one --data other.npy
    """
    if split is not None and split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS)
    if samples < 1:
        raise SettingError(f"--samples must be a whole number of at least 1, got {samples}")
    from lowerbound.cli.console import say_json, working
    from lowerbound.cli.figures import show_evaluation
    from lowerbound.cli.sources import own_data, read_for, same_data
    from lowerbound.evaluation import evaluate

    seed = seed_of(seed)
    run = open_run(path, device)
    with working("reading the data"):
        data = own_data(run) if source is None else same_data(run, source)
    if data is not None:
        name, part = data.source, split or "test"
        examples = data.part(part)
    elif source is not None and split is None:
        name, part = source, "all"
        with working("reading the data"):
            examples = read_for(source, run.schema)
    else:
        raise SettingError(
            f"{source!r} is not what {path} was trained on and has no splits; leave out --split"
        )
    with working("evaluating") as progress:
        evaluation = evaluate(
            run.model,
            examples,
            samples=samples,
            seed=seed,
            name=name,
            split=part,
            progress=progress,
        )
    if json:
        about = {"run": str(path), "recipe": run.spec.recipe, "seed": seed}
        say_json({**about, **evaluation.to_json()})
    else:
        show_evaluation(evaluation)
