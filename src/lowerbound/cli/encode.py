"""`lowerbound encode`: where examples lie in the latent space."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lowerbound.cli.common import Device, Force, RunPath, open_run, option, out_option
from lowerbound.cli.reading import reads_new_data

FORMS = (".npy", ".csv", ".parquet")


@reads_new_data
def command(
    path: RunPath,
    source: Annotated[str, typer.Argument(metavar="DATA", help="Examples to encode.")],
    out: Annotated[Path, out_option("z.npy, z.csv or z.parquet.")] = Path("z.npy"),
    scale: Annotated[
        bool, option("--scale", None, "Add the posterior standard deviations, s0, s1, ...")
    ] = False,
    clusters: Annotated[
        bool, option("--clusters", None, "Add the likeliest component of p(z), and its chance.")
    ] = False,
    *,
    reading: dict[str, Any],
    force: Force = False,
    device: Device = "auto",
) -> None:
    """Write the posterior mean of every example, one row each, in the order of DATA.

    The columns of a .csv or .parquet are z0, z1, ... and, with --scale, s0, s1, ...; with
    --clusters component and chance, of a mixture prior or a latent class. A .npy has the same
    columns without names.

    Examples:
      lowerbound encode runs/one images.npy --out z.npy
      lowerbound encode runs/one photos/ --out z.csv --scale
      lowerbound encode runs/one table.csv --out z.csv --clusters
    """
    from lowerbound.applications import clusters as clusters_of
    from lowerbound.applications import encode
    from lowerbound.cli.console import say, tell, working
    from lowerbound.cli.examples import named
    from lowerbound.cli.output import check_output, form_of, write_array, write_table
    from lowerbound.cli.sources import read_for
    from lowerbound.processes import current

    form = form_of(out, FORMS)
    first = current().first
    if first:
        check_output(out, form, force=force, source=source)
    run = open_run(path, device)
    with working("reading the data"):
        examples = read_for(source, run.schema, **reading)
    with working("encoding"):
        encoding = encode(run.model, examples)
        groups = clusters_of(run.model, examples) if clusters else None
    if not first:
        return
    parts = {"z": encoding.mean.numpy()}
    if scale:
        parts["s"] = encoding.scale.numpy()
    import numpy as np

    names = [f"{letter}{unit}" for letter, part in parts.items() for unit in range(part.shape[1])]
    if groups is not None:
        chance, component = groups.chances.max(dim=1)
        parts["component"] = np.stack([component.numpy(), chance.numpy()], axis=1)
        names += ["component", "chance"]
        used, there = groups.effective, groups.chances.shape[1]
        tell(f"{used:.1f} of {there} components in use, by the entropy of their shares")
    values = np.concatenate(list(parts.values()), axis=1)
    if form == ".npy":
        write_array(out, values)
    else:
        columns = dict(zip(names, values.T, strict=True))
        write_table(out, named(examples) | columns)
    tell(f"{len(values):,} examples, {encoding.mean.shape[1]} latent units")
    say(out)
