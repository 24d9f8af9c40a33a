"""`lowerbound anomalies`: the rows that do not fit, and why."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowerbound.cli.common import (
    Device,
    Force,
    RunPath,
    open_run,
    option,
    out_option,
    refuse_beside,
)
from lowerbound.cli.reading import reads_new_data
from lowerbound.errors import DataError, LowerboundError, SettingError

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator

    import numpy as np

    from lowerbound.applications import Anomalies, Calibration
    from lowerbound.data import Schema, Source
    from lowerbound.runs import Run

FORMS = (".csv", ".parquet")
#: Held-out rows that others are compared with, at most; rows of a stream judged at a time.
MOST_HELD, AT_ONCE = 5000, 500
#: Rows that are told on the screen, and pictures on a map.
TOLD, MAPPED = 5, 16
#: Rows of a stream that are compared with the held-out ones, and the chance of a false alarm.
WINDOW, ALARM = 500, 1e-4


@reads_new_data
def command(
    context: typer.Context,
    path: RunPath,
    source: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Rows to judge; the run's own test split if left out."),
    ] = None,
    out: Annotated[Path | None, out_option("anomalies.csv or .parquet.")] = None,
    cells: Annotated[
        Path | None, option("--cells", "PATH", "Also write how odd each cell is: .csv, .npy.")
    ] = None,
    picture: Annotated[
        Path | None, option("--map", "PATH", "Images: the oddest beside what is odd in them, .png.")
    ] = None,
    fdr: Annotated[
        float | None,
        option("--fdr", "RATE", "Flag rows so that at most this share of the flagged is normal."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Judge lines of CSV as they come, on stdout.")
    ] = False,
    samples: Annotated[int, option("--samples", "K", "Draws of z for each row.")] = 100,
    *,
    reading: dict[str, Any],
    force: Force = False,
    device: Device = "auto",
) -> None:
    """Say how unusual each row of DATA is, how sure that is, and which of its cells is odd.

    The columns are score (-log p(x) in nats; gaps count as what such cells cost on average),
    percentile (of held-out rows that score lower), p_value (conformal: a share of at most p of
    normal rows gets p or less, however good the model is), the oddest cell and its nats above the
    usual, given the rest of the row; for texts and tunes the score per byte or sixteenth instead.
    Rows are compared with the run's test split, or, where that is judged itself, with its
    validation split. A row always gets the same numbers.

    Of recordings the rows are windows, and --cells has one row a step: nats of each channel above
    the usual, from the window in which the step lies nearest the middle.

    With --follow DATA is a file or - for stdin: lines of CSV under a header, judged as they come.

    Examples:
      lowerbound anomalies runs/one
      lowerbound anomalies runs/one table.csv --fdr 0.05 --cells odd.csv
      lowerbound anomalies runs/one photos/ --map odd.png
      tail -f log.csv | lowerbound anomalies runs/one - --follow
    """
    if fdr is not None and not 0 < fdr < 1:
        raise SettingError(f"--fdr must lie between 0 and 1, got {fdr:g}")
    if reading and source is None:
        raise SettingError("--gaps, --column and --allow-missing say how DATA is read; name it")
    run = open_run(path, device)
    if follow:
        beside = {"path", "source", "samples", "device", "follow"}
        refuse_beside(context, "--follow", beside, "writes rows as they come")
        _follow(run, source or "-", samples)
        return
    import numpy as np

    from lowerbound.applications import anomalies
    from lowerbound.cli.console import say, tell, working
    from lowerbound.cli.examples import named, per_token
    from lowerbound.cli.output import check_output, form_of, write_array, write_table
    from lowerbound.cli.sources import read_for
    from lowerbound.cli.steps import by_step, is_cut, recordings_for, sensors_of, write_steps

    target = out or Path("anomalies.csv")
    wanted = [(target, FORMS)]
    wanted += [(cells, (".csv", ".parquet", ".npy"))] if cells is not None else []
    wanted += [(picture, (".png",))] if picture is not None else []
    for place, forms in wanted:
        check_output(place, form_of(place, forms), force=force, source=source)
    if picture is not None and not run.schema.is_image:
        raise SettingError(f"--map is for images; the model takes {run.schema.describe()}")
    if cells is not None and run.schema.is_sequence:
        raise SettingError(
            "--cells is for data whose cells do not depend on each other given z; the model takes "
            f"{run.schema.describe()}"
        )
    with working("reading the data"):
        examples = None if source is None else read_for(source, run.schema, **reading)
        examples, calibration = _calibrated(run, examples, samples)
    with working("judging"):
        found = anomalies(run.model, examples, calibration, cells=not run.schema.is_sequence)
    count = len(found.score)
    odd = _odd(found, run.schema)
    table = named(examples) or {"row": np.arange(count)}
    table |= {
        "score": found.score.numpy(), "percentile": found.percentile.numpy(),
        "p_value": found.p_value.numpy(),
    }  # fmt: skip
    if fdr is not None:
        table["anomaly"] = found.flagged(fdr).numpy()
    if odd:
        table |= {"cell": np.array([name for name, _ in odd], dtype=object)}
        table |= {"nats": np.array([nats for _, nats in odd])}
    table |= per_token(examples, found.score)
    write_table(target, table)
    if cells is not None and found.cells is not None:
        if is_cut(run.schema) and source is not None:
            whole = recordings_for(source, run.schema)
            nats = by_step(whole, found.cells.numpy())
            write_steps(cells, whole, sensors_of(run.schema), nats)
        elif form_of(cells, (".csv", ".parquet", ".npy")) == ".npy":
            write_array(cells, found.cells.numpy())
        else:
            flat = found.cells.flatten(start_dim=1).numpy()
            names = _names(run.schema)[: flat.shape[1]]
            write_table(cells, dict(zip(names, flat.T, strict=True)))
    if picture is not None:
        _map(picture, examples, found, run.schema)
    held = len(calibration.scores)
    if fdr is None:
        tell(f"{count:,} rows, {int((found.p_value <= 0.05).sum()):,} with a p-value up to 0.05")
    else:
        tell(f"{count:,} rows, {int(found.flagged(fdr).sum()):,} flagged at a rate of {fdr:g}")
        if fdr / count < 1 / (held + 1):
            tell(
                f"no p-value is below {1 / (held + 1):.2g}, for {held:,} rows were held out: "
                "single anomalies among many rows cannot be flagged at this rate"
            )
    names = next(iter(table.values()))
    for row in found.score.argsort(descending=True)[:TOLD].tolist():
        about = ""
        if odd:
            cell, nats = odd[row]
            about = f", odd: {cell} ({nats:+.1f} nats)" if cell else ", all of it gaps"
        tell(f"  {names[row]}: score {found.score[row]:.2f}, p {found.p_value[row]:.3g}{about}")
    for place, _ in wanted:
        say(place)


def _calibrated(
    run: "Run", examples: "Source | None", samples: int
) -> "tuple[Source, Calibration]":
    """The rows to judge, and how held-out rows of the run score."""
    from lowerbound.applications import calibrate
    from lowerbound.cli.sources import own_data

    data = own_data(run, remedy="put it back where it was: scores are compared with held-out rows")
    held = data.validation if examples is None else data.test
    examples = data.test if examples is None else examples
    gaps = run.schema.missing or examples.observed is not None
    return examples, calibrate(
        run.model, held.few(MOST_HELD), gaps=data.train if gaps else None, samples=samples,
        seed=run.spec.seed, cells=not run.schema.is_sequence,
    )  # fmt: skip


def _names(schema: "Schema") -> list[str]:
    """The names of the cells of a flattened example, and of columns that never varied."""
    constants = [one.name for one in schema.constants]
    if schema.is_table:
        return [field.name for field in schema.modelled] + constants
    if schema.is_series:
        from lowerbound.cli.steps import sensors_of

        names = sensors_of(schema)
        return [f"{name}, step {step}" for step in range(schema.shape[0]) for name in names]
    return [f"x{place}" for place in range(schema.dimensions)] + constants


def _odd(found: "Anomalies", schema: "Schema") -> list[tuple[str, float]]:
    """The oddest cell of each row, and its nats; none in a row of gaps."""
    import torch

    if found.cells is None:
        return []
    flat = found.cells.flatten(start_dim=1)
    if found.constants is not None:
        flat = torch.cat([flat, found.constants], dim=1)
    nats, place = flat.nan_to_num(nan=-math.inf).max(dim=1)
    names = _names(schema)
    pairs = zip(place.tolist(), nats.tolist(), strict=True)
    return [(names[p], n) if n > -math.inf else ("", math.nan) for p, n in pairs]


def _map(path: Path, examples: "Source", found: "Anomalies", schema: "Schema") -> None:
    """Draw the oddest images, and to the right of each how odd its pixels are: white is odd."""
    import numpy as np

    from lowerbound.applications.pictures import legible_sheet, to_pixels
    from lowerbound.cli.output import write_picture

    oddest = found.score.argsort(descending=True)[:MAPPED]
    pixels = to_pixels(examples.batch(oddest).x, schema)
    if found.cells is None:
        return
    nats = found.cells[oddest].nan_to_num(nan=0.0).clamp(min=0.0).sum(dim=1).numpy()
    most = nats.max(axis=(1, 2), keepdims=True).clip(min=1e-12)
    heat = np.round(255 * nats / most).astype(np.uint8)[..., None]
    heat = np.repeat(heat, pixels.shape[-1], axis=-1)
    if heat.shape != pixels.shape:  # channels side by side
        heat = np.tile(heat, (1, 1, pixels.shape[2] // heat.shape[2], 1))
    both = np.stack([pixels, heat], axis=1).reshape(-1, *pixels.shape[1:])
    write_picture(path, legible_sheet(both, 8))


def _follow(run: "Run", source: str, samples: int) -> None:
    """Judge lines of CSV as they come; memory does not grow."""
    import csv
    import sys
    import tempfile
    from collections import deque
    from queue import Queue
    from threading import Thread

    from lowerbound.applications import anomalies, calibrate
    from lowerbound.cli.console import warn
    from lowerbound.cli.sources import own_data

    data = own_data(run, remedy="put it back where it was: scores are compared with held-out rows")
    calibration = calibrate(
        run.model, data.test.few(MOST_HELD), gaps=data.train, samples=samples, seed=run.spec.seed
    )
    if source != "-" and not Path(source).is_file():
        raise DataError(f"no such file: {source!r}; --follow takes a file of CSV, or - for stdin")
    lines: Queue[str | None] = Queue(maxsize=10 * AT_ONCE)

    def read() -> None:
        with sys.stdin if source == "-" else Path(source).open(encoding="utf-8-sig") as stream:
            for line in stream:
                lines.put(line)
        lines.put(None)

    Thread(target=read, daemon=True).start()
    head, row, seen, ended = lines.get(), 0, 0, False
    held = calibration.scores.numpy()
    window: deque[float] = deque(maxlen=WINDOW)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["row", "score", "percentile", "p_value", "cell", "nats"])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "rows.csv"
        while head is not None and not ended:
            batch = [lines.get()]
            while batch[-1] is not None and len(batch) < AT_ONCE and not lines.empty():
                batch.append(lines.get())
            ended = batch[-1] is None
            text = [line for line in batch if line is not None and line.strip()]
            for numbers, examples in _read_lines(run.schema, head, text, row, place):
                found = anomalies(run.model, examples, calibration)
                for i, (cell, nats) in zip(numbers, _odd(found, run.schema), strict=True):
                    own = (
                        part[i - numbers[0]]
                        for part in (found.score, found.percentile, found.p_value)
                    )
                    writer.writerow([i, *(f"{float(n):.6g}" for n in own), cell, f"{nats:.6g}"])
                sys.stdout.flush()
                for score in found.score.tolist():
                    window.append(score)
                    seen += 1
                    if seen % WINDOW == 0 and _differ(window, held):
                        warn(
                            f"drift: the {WINDOW:,} rows up to row {numbers[-1]:,} score other "
                            "than the held-out ones; the model may need new data"
                        )
            row += len(text)


def _differ(window: "deque[float]", held: "np.ndarray") -> bool:
    """Tell whether recent scores and those of held-out rows follow different laws."""
    from scipy.stats import ks_2samp

    result: Any = ks_2samp(window, held)
    return bool(result.pvalue < ALARM)


def _read_lines(
    schema: "Schema", head: str, lines: list[str], first: int, place: Path
) -> "Iterator[tuple[range, Source]]":
    """Read lines of CSV below their header: all at once, or one by one where some are broken."""
    from lowerbound.cli.console import warn
    from lowerbound.data import read_examples

    if not lines:
        return
    place.write_text(head + "".join(f"{line.rstrip()}\n" for line in lines), encoding="utf-8")
    try:
        examples = read_examples(place, schema)[0]
    except LowerboundError as error:
        if len(lines) == 1:
            warn(f"row {first:,} is left out: {error}")
            return
        for number, line in enumerate(lines, start=first):
            yield from _read_lines(schema, head, [line], number, place)
    else:
        yield range(first, first + len(lines)), examples
