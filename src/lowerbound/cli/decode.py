"""`lowerbound decode`: from latent vectors to examples."""

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
from lowerbound.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor


def command(
    path: RunPath,
    latents: Annotated[
        Path, typer.Argument(metavar="Z", help="z.npy, z.csv or z.parquet, as encode writes them.")
    ],
    out: Annotated[
        Path | None,
        out_option(
            "decoded.png, .npy, a folder (images); .txt (texts); .mid, .wav, .png (tunes); .csv, "
            ".parquet, .npy (other data)."
        ),
    ] = None,
    draw: Annotated[
        bool, option("--draw/--mean", None, "Draw x from p(x|z), or give its mean.")
    ] = False,
    force: Force = False,
    seed: Seed = None,
    device: Device = "auto",
) -> None:
    """Decode latent vectors, one row each.

    Examples:
      lowerbound encode runs/one images.npy --out z.npy
      lowerbound decode runs/one z.npy --out decoded.png
    """
    from lowerbound.applications import decode
    from lowerbound.cli.console import say, tell, working
    from lowerbound.cli.examples import check_count, place, write_examples

    chosen = seed_of(seed)
    run = open_run(path, device)
    target, form = place(out, "decoded", run.schema, force=force, source=str(latents))
    z = read_latents(latents)
    check_count(len(z), run.schema, form)
    with working("decoding"):
        x = decode(run.model, z, draw=draw, seed=chosen)
        write_examples(target, form, x, run.schema)
    if draw:
        tell(f"seed {chosen}")
    say(target)


def read_latents(path: Path) -> "Tensor":
    """Read latent vectors `(N, D)` from a file; of named columns, those called z0, z1, ..."""
    import re

    import numpy as np
    import torch

    from lowerbound.data.read.source import open_source

    if path.suffix.lower() not in (".npy", ".csv", ".tsv", ".parquet"):
        raise DataError(f"{path.name!r} is no file of latents; give a .npy, .csv or .parquet")
    raw = open_source(path)
    values = np.asarray(raw.values, dtype=np.float32)
    if raw.names is not None:
        columns = [i for i, name in enumerate(raw.names) if re.fullmatch(r"z\d+", name)]
        values = values[:, columns] if columns else values
    return torch.from_numpy(np.array(values))
