"""`lowerbound impute`: the gaps of a table, filled."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowerbound.cli.common import (
    Device,
    Force,
    RunPath,
    Seed,
    open_run,
    option,
    out_option,
    seed_of,
)
from lowerbound.errors import SettingError

if TYPE_CHECKING:
    from lowerbound.applications import Imputed
    from lowerbound.core import Model
    from lowerbound.data import Schema
    from lowerbound.runs import Run

FORMS = (".csv", ".tsv", ".parquet", ".feather")
ERRORS = (".csv", ".parquet")
OF_SERIES = (".csv", ".parquet", ".npy")
#: Rows below which one model's parameters are no small part of the uncertainty.
FEW_ROWS = 5000


def command(
    path: RunPath,
    source: Annotated[str, typer.Argument(metavar="DATA", help="A table or array with gaps.")],
    out: Annotated[
        Path | None, out_option("filled.csv, .tsv, .parquet, .feather (tables); .npy (arrays).")
    ] = None,
    draws: Annotated[
        int, option("--draws", "M", "Also write M imputed tables, below each other.")
    ] = 0,
    errors: Annotated[
        Path | None,
        option("--errors", "PATH", "Also write each gap with its value, its spread, 5 %, 95 %."),
    ] = None,
    point: Annotated[
        str, option("--point", "NAME", "mean, median or mode; auto: what suits the column.")
    ] = "auto",
    samples: Annotated[int, option("--samples", "K", "Draws of z for each row.")] = 1000,
    models: Annotated[
        int,
        option("--models", "S", "Train S models on resamples of the run's data, and use them all."),
    ] = 1,
    force: Force = False,
    seed: Seed = None,
    device: Device = "auto",
) -> None:
    """Fill the gaps of DATA; every other cell stays as it was in the file.

    Of recordings that were cut into windows all steps are written, those between others that the
    file lacks included, and each gap is filled by the window in which it lies nearest the middle.

    A gap gets the mean of its draws given the row's other cells, whole numbers their median, words
    the most frequent one. With --draws, M whole tables follow in NAME-draws, for analyses that
    `pool` combines: one filled table alone pretends to know what it guesses. --models adds how
    much the model itself would differ on other rows, which counts below some 5,000 of them.

    Examples:
      lowerbound impute runs/one table.csv
      lowerbound impute runs/one table.csv --draws 20 --errors gaps.csv
      lowerbound impute runs/one table.csv --draws 20 --models 5 --out filled.csv
    """
    if models < 1:
        raise SettingError(f"--models must be a whole number of at least 1, got {models}")
    import numpy as np

    from lowerbound.applications import impute
    from lowerbound.cli.console import say, tell, warn, working
    from lowerbound.cli.examples import stored, unpacked
    from lowerbound.cli.filling import can_fill, fill
    from lowerbound.cli.output import check_output, form_of, write_array, write_table
    from lowerbound.cli.sources import read_for
    from lowerbound.cli.steps import is_cut
    from lowerbound.data.table import words_of

    chosen = seed_of(seed)
    run = open_run(path, device)
    cut = is_cut(run.schema)
    table = can_fill(source)
    target = out or Path("filled.csv" if table else "filled.npy")
    form = form_of(target, OF_SERIES if cut else FORMS if table else (".npy",))
    if cut and draws:
        raise SettingError(
            "--draws is not offered for recordings, whose windows overlap: their draws would not "
            "fit together; --errors tells how sure each value is"
        )
    several = target.with_name(f"{target.stem}-draws{target.suffix}")
    for place in (target, *([several] if draws else [])):
        check_output(place, form, force=force, source=source)
    if errors is not None:
        check_output(errors, form_of(errors, ERRORS), force=force, source=source)
    with working("reading the data"):
        examples = read_for(source, run.schema)
    used = _resampled(run, models, chosen, device) if models > 1 else [run.model]
    with working("imputing"):
        found = impute(
            used,
            examples,
            run.schema,
            samples=samples,
            draws=draws,
            point=point,
            seed=chosen,
        )
    gaps = (found.row.numpy(), found.cell.numpy())
    few = int((found.effective < 20).sum())
    if few:
        warn(
            f"{few:,} rows or windows rest on fewer than 20 effective draws; raise --samples above "
            f"{samples:,}"
        )
    if cut:
        count, many = _write_recordings(source, run.schema, found, target, errors)
        where = f"{many:,} recordings" if many > 1 else "one recording"
        tell(f"{count:,} gaps in {where} filled, seed {chosen}")
        for written in (target, *([errors] if errors is not None else [])):
            say(written)
        return
    if table:
        words = words_of(run.schema, *gaps, found.value.numpy(), found.x.numpy())
        fill(Path(source), target, run.schema, len(examples), [words])
        if draws:
            each = [
                words_of(run.schema, *gaps, one.numpy(), found.complete(m).numpy())
                for m, one in enumerate(found.draws)
            ]
            fill(Path(source), several, run.schema, len(examples), each)
    else:
        write_array(target, unpacked(found.x, run.schema))
        if draws:
            each = [stored(found.complete(m), run.schema).numpy() for m in range(draws)]
            write_array(several, np.stack(each))
    if errors is not None:
        names = [field.name for field in run.schema.modelled for _ in range(field.cells)]
        columns = {
            "row": gaps[0], "column": np.array([names[c] for c in gaps[1]], dtype=object),
            "value": found.value.numpy(), "spread": found.spread.numpy(),
            "low": found.low.numpy(), "high": found.high.numpy(),
        }  # fmt: skip
        write_table(errors, columns)
    count = run.spec.data.get("split", {}).get("counts", {}).get("train", FEW_ROWS)
    if draws and models == 1 and count < FEW_ROWS:
        warn(
            f"trained on {count:,} rows: --models 5 adds how much the model would differ on others"
        )
    tell(f"{len(gaps[0]):,} gaps in {len(set(gaps[0].tolist())):,} rows filled, seed {chosen}")
    say(target)
    if draws:
        say(several)
    if errors is not None:
        say(errors)


def _write_recordings(
    source: str, schema: "Schema", found: "Imputed", target: Path, errors: Path | None
) -> tuple[int, int]:
    """Write recordings with their gaps filled; return how many gaps and recordings there are."""
    import numpy as np

    from lowerbound.cli.output import write_table
    from lowerbound.cli.steps import (
        by_step,
        frame,
        recordings_for,
        rounded,
        sensors_of,
        write_steps,
    )

    whole = recordings_for(source, schema)
    names = sensors_of(schema)
    known = [one.values for one in whole.each]
    filled = by_step(whole, found.x.numpy())
    filled = [rounded(one, own) for one, own in zip(filled, known, strict=True)]
    write_steps(target, whole, names, filled)
    gaps = np.concatenate([np.isnan(own) for own in known])
    if errors is not None:
        row, channel = np.nonzero(gaps)
        steps = frame(whole, [], [np.empty((len(own), 0)) for own in known])
        told = {name: column[row] for name, column in steps.items()}
        told["channel"] = np.array(names, dtype=object)[channel]
        for name in ("value", "spread", "low", "high"):
            windows = np.full(found.x.shape, np.nan).reshape(len(found.x), -1)
            windows[found.row.numpy(), found.cell.numpy()] = getattr(found, name).numpy()
            each = by_step(whole, windows.reshape(found.x.shape))
            told[name] = np.concatenate(each)[gaps]
        write_table(errors, told)
    return int(gaps.sum()), len(whole.each)


def _resampled(run: "Run", models: int, seed: int, device: str) -> "list[Model]":
    """Train the models of a bootstrap, as the run was trained."""
    from lowerbound.catalogue.bootstrap import bootstrap
    from lowerbound.cli.common import device_of
    from lowerbound.cli.console import working
    from lowerbound.cli.sources import own_data

    data, spec = own_data(run, remedy="leave --models out"), run.spec
    refit = "none" if run.refit is None else run.refit.prior
    settings = {**spec.settings, **spec.training, "refit": refit}
    made = []
    for index in range(models):
        with working(f"training model {index + 1} of {models}"):
            made.append(
                bootstrap(spec.recipe, settings, data, seed=seed + index, device=device_of(device))
            )
    return made
