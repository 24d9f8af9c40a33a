"""`lowerbound data pack`: any data as rows that are read while training."""

from pathlib import Path
from typing import Annotated

import typer

from lowerbound.cli.common import ImageSize, image_size_of


def command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Whatever fit takes as DATA.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder for the rows.")],
    image_size: ImageSize = None,
) -> None:
    """Write all examples of SOURCE as rows of a file, which fit reads while it trains.

    A part at a time, so that SOURCE may be larger than memory. Pictures are decoded and resized
    once and for all; words of a table become codes, and gaps a mask. The folder appears whole or
    not at all.

    Examples:
      lowerbound data pack photos/ rows --image-size 64x64
      lowerbound data pack scans.parquet rows
      lowerbound fit rows
    """
    size = image_size_of(image_size)
    from lowerbound.cli.console import say, tell, working
    from lowerbound.data import reading
    from lowerbound.data.packed.convert import pack

    options = reading(image_size=size)
    with working("packing") as work:
        count = pack(source, out, options, lambda done: work.stage("written", done, 0))
    total = sum(file.stat().st_size for file in out.iterdir())
    tell(f"{count:,} examples, {total / 2**20:,.1f} MiB")
    say(out)
