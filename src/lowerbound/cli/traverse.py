"""`lowerbound traverse`: the effect of single latent units."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from lowerbound.cli.common import Device, Force, RunPath, open_run, option, out_option
from lowerbound.errors import SettingError

if TYPE_CHECKING:
    from lowerbound.runs import Run

#: Units shown where nobody says which, and examples looked at to choose them.
SHOWN, LOOKED_AT = 8, 500


def command(
    path: RunPath,
    units: Annotated[
        str | None, option("--units", "0,3,...", "Which units; the most active if left out.")
    ] = None,
    steps: Annotated[int, option("--steps", "N", "Points for each unit.")] = 9,
    reach: Annotated[float, option("--reach", "R", "From -R to R standard deviations.")] = 3.0,
    out: Annotated[
        Path | None,
        out_option(
            "traversal.png, .npy, a folder (images); .txt (texts); .mid, .wav, .png (tunes); .csv, "
            ".parquet, .npy (other data)."
        ),
    ] = None,
    force: Force = False,
    device: Device = "auto",
) -> None:
    """Move one latent unit at a time, the others at the prior's mean, and decode.

    A .png has one row a unit. Other files list the examples unit by unit; a .npy is
    (units, steps, ...). Which units are the most active is measured on the run's own test split.

    Examples:
      lowerbound traverse runs/one
      lowerbound traverse runs/one --units 0,3,7 --steps 11 --out units.png
    """
    try:
        chosen = None if units is None else [int(part) for part in units.split(",")]
    except ValueError:
        raise SettingError(f"--units takes numbers with commas between, got {units!r}") from None
    if steps < 2:
        raise SettingError(f"--steps must be a whole number of at least 2, got {steps}")
    if not 0 < reach < float("inf"):
        raise SettingError(f"--reach must be a positive number, got {reach}")
    from lowerbound.applications import traverse
    from lowerbound.cli.console import say, tell, working
    from lowerbound.cli.examples import check_count, place, unpacked, write_examples
    from lowerbound.cli.output import write_array

    run = open_run(path, device)
    target, form = place(out, "traversal", run.schema, force=force)
    if chosen is None:
        with working("finding the most active units"):
            chosen = most_active(run)
    check_count(len(chosen) * steps, run.schema, form)
    x = traverse(run.model, chosen, reach=reach, steps=steps)
    if form == ".npy":
        flat = unpacked(x.flatten(end_dim=1), run.schema)
        write_array(target, flat.reshape(len(chosen), steps, *flat.shape[1:]))
    else:
        write_examples(target, form, x.flatten(end_dim=1), run.schema, columns=steps)
    listed = f"unit{'s' * (len(chosen) > 1)} {', '.join(map(str, chosen))}"
    tell(f"{listed}: from {-reach:g} to {reach:g} in {steps} steps")
    say(target)


def most_active(run: "Run") -> list[int]:
    """Find the units with the highest rate on the run's test split, highest first."""
    from lowerbound.cli.sources import own_data
    from lowerbound.evaluation.evidence import evidence

    test = own_data(run, remedy="choose units with --units").test
    found = evidence(run.model, test.select(slice(0, LOOKED_AT)), 1)
    rate = found.unit_rate if found.unit_rate is not None else found.means.var(dim=0)
    return rate.argsort(descending=True)[:SHOWN].tolist()
