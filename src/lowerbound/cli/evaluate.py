"""`lowerbound evaluate`: how good a run is."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from lowerbound.cli.common import Device, Json, RunPath, open_run, option, seed_of
from lowerbound.errors import SettingError, UnknownNameError

if TYPE_CHECKING:
    from lowerbound.evaluation.disentanglement import Disentanglement
    from lowerbound.runs import Run

#: Numbers that --full stands for where nothing else is said.
FULL = {"samples": 5000, "quality": 1000, "examples": 100}
#: Most rows that --synthetic makes.
MOST_ROWS = 10_000
SPLITS = ("test", "validation", "train")


def command(
    path: RunPath,
    source: Annotated[
        str | None, option("--data", "DATA", "Other data; the run's own if left out.")
    ] = None,
    samples: Annotated[
        int | None, option("--samples", "K", "Draws of z for each example (100).")
    ] = None,
    split: Annotated[
        str | None, option("--split", "NAME", "test (if left out), validation or train.")
    ] = None,
    ais: Annotated[int, option("--ais", "N", "Tighten N bounds by annealing.")] = 0,
    gaps: Annotated[int, option("--gaps", "N", "Optimise q(z|x) for N examples.")] = 0,
    simulated: Annotated[
        int, option("--simulated", "N", "Hold N simulated examples between bounds.")
    ] = 0,
    quality: Annotated[int, option("--quality", "N", "Compare N samples with the data.")] = 0,
    features: Annotated[
        str,
        option(
            "--features",
            "SPACE",
            "Where to compare: auto, pixels, pca, classifier, or an Inception .safetensors.",
        ),
    ] = "auto",
    synthetic: Annotated[
        bool, option("--synthetic", None, "Judge rows that the model of a table makes.")
    ] = False,
    target: Annotated[
        str | None, option("--target", "COLUMN", "Of --synthetic: predict it alone.")
    ] = None,
    factors: Annotated[
        str | None,
        option("--factors", "TABLE", "Known factors of each row of --data: is z disentangled?"),
    ] = None,
    full: Annotated[
        bool, option("--full", None, "All of it: 5000 draws, and 100 examples (1000 samples) each.")
    ] = False,
    seed: Annotated[int, option("--seed", "N", "Of the draws.")] = 0,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """State how good a run is, how sure that is, and where it falls short.

    Without --data, the test split of the data the run was trained on is read again. Other data is
    evaluated whole. Figures are nats per example, with one standard error; log p(x) is bounded by
    importance weighting for more and more draws, and it is said whether more would still help.

    --ais, --gaps, --simulated and --quality take minutes; --full asks for all of them. Samples are
    compared with training and held-out data, beside which stand the same measures of real data.

    --factors takes a table with a row for each example of --data, and says how far single latent
    units stand for its columns, words or whole numbers.

    --synthetic is for tables: whether trees tell new rows from real ones, whether columns go
    together, of what use rows are to learn from, what they give away; each beside its value for
    real rows.

    Examples:
      lowerbound evaluate runs/one
      lowerbound evaluate runs/one --samples 5000 --ais 50
      lowerbound evaluate runs/one --quality 1000 --features pca
      lowerbound evaluate runs/one --full --json
      lowerbound evaluate runs/table --synthetic --target income
      lowerbound evaluate runs/one --data other.npy
    """
    if split is not None and split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS)
    if samples is not None and samples < 1:
        raise SettingError(f"--samples must be a whole number of at least 1, got {samples}")
    for flag, count in (("ais", ais), ("gaps", gaps), ("simulated", simulated)):
        if count < 0:
            raise SettingError(f"--{flag} must be a whole number of at least 0, got {count}")
    if target is not None and not synthetic:
        raise SettingError("--target says what --synthetic predicts; give that, or leave it out")
    if factors is not None and source is None:
        raise SettingError("--factors has a row for each example of --data; give that, too")
    if full:
        samples, quality = samples or FULL["samples"], quality or FULL["quality"]
        ais, gaps, simulated = (count or FULL["examples"] for count in (ais, gaps, simulated))
    from lowerbound.cli.console import say_json, warn, working
    from lowerbound.cli.figures import show_evaluation, show_factors, show_rows
    from lowerbound.cli.sources import own_data, read_for, same_data
    from lowerbound.evaluation.evaluate import evaluate, why_no_quality

    seed = seed_of(seed)
    run = open_run(path, device)
    with working("reading the data"):
        data = own_data(run) if source is None else same_data(run, source)
    if data is None and (split is not None or source is None):
        raise SettingError(
            f"{source!r} is not what {path} was trained on and has no splits; leave out --split"
        )
    if data is None and quality and source is not None and not full:
        raise SettingError(
            f"samples are compared with training and held-out data, and {source!r} has no splits; "
            "leave out --data, or --quality"
        )
    if full and quality and (why := why_no_quality(data, split)):
        warn(f"sample quality is left out: {why}")
        quality = 0
    if synthetic and (data is None or split == "train"):
        raise SettingError(
            "synthetic rows are judged by training and held-out data; leave out "
            f"{'--data' if data is None else '--split'}, or --synthetic"
        )
    with working("reading the data"):
        examples = read_for(str(source), run.schema) if data is None else data
    told = None if factors is None or source is None else _factors(run, source, factors)
    with working("evaluating") as work:
        evaluation = evaluate(
            run.model, examples, samples=samples or 100, ais=ais, gaps=gaps, simulated=simulated,
            quality=0 if data is None else quality, features=features, seed=seed,
            name=source or "data", split=split, progress=work, stage=work.rename,
        )  # fmt: skip
    rows = None
    if synthetic and data is not None:
        from lowerbound.applications import generate_rows
        from lowerbound.evaluation.synthetic import judged

        with working("judging synthetic rows"):
            made, known = generate_rows(
                run.model, run.gaps, min(len(data.train), MOST_ROWS), seed=seed
            )
            rows = judged(made, data, known, split=split or "test", target=target, seed=seed)
    if json:
        about = {"run": str(path), "recipe": run.spec.recipe, "seed": seed}
        found = {**about, **evaluation.to_json()}
        found |= {} if rows is None else {"synthetic": rows.to_json()}
        say_json(found | ({} if told is None else {"disentanglement": asdict(told)}))
        return
    show_evaluation(evaluation)
    if told is not None:
        show_factors(told)
    if rows is not None:
        show_rows(rows)


def _factors(run: "Run", source: str, table: str) -> "Disentanglement":
    """Measure how the encodings of a source stand for the columns of a table."""
    import numpy as np

    from lowerbound.applications import encode
    from lowerbound.cli.sources import read_for
    from lowerbound.data.read.source import open_source
    from lowerbound.errors import DataError
    from lowerbound.evaluation.disentanglement import disentangled

    values = open_source(table).values
    if not np.isfinite(values).all():
        raise DataError(f"{table!r} has gaps; give every factor of every example")
    examples = read_for(source, run.schema)
    if len(values) != len(examples):
        raise DataError(
            f"{table!r} has {len(values):,} rows, and {source!r} {len(examples):,} examples; give "
            "the factors of each example in a row, in their order"
        )
    z = encode(run.model, examples).mean.double().numpy()
    return disentangled(z, values)
