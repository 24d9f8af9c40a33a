"""`lowerbound data pack`: any data as one packed folder."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lowerbound.cli.reading import reads_data
from lowerbound.errors import SettingError


@reads_data
def command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Whatever fit takes as DATA.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder for the rows.")],
    *,
    reading: dict[str, Any],
) -> None:
    """Write all examples of SOURCE as rows that are read by position, which fit reads as it trains.

    Pictures are decoded and fitted once and for all; tables, archives and folders of arrays are
    read a part at a time.

    Examples:
      lowerbound data pack photos/ packed --image-size 64x64
      lowerbound data pack scans.parquet packed
      lowerbound fit packed
    """
    if reading.get("binarize"):
        raise SettingError("rows are packed as they are; give --binarize to fit")
    from lowerbound.cli.console import say, tell, working
    from lowerbound.data.packed.convert import pack
    from lowerbound.data.reading import reading as reading_of

    with working("packing") as work:
        count = pack(
            source, out, reading_of(**reading), lambda done: work.stage("written", done, 0)
        )
    size = sum(file.stat().st_size for file in out.iterdir())
    tell(f"{count:,} examples, {size / 2**20:,.1f} MiB")
    say(out)
