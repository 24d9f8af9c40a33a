"""`lowerbound data pack`: shards of any data."""

from pathlib import Path
from typing import Annotated

import typer

from lowerbound.cli.common import ImageSize, image_size_of
from lowerbound.errors import SettingError


def command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Whatever fit takes as DATA.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder for the shards.")],
    image_size: ImageSize = None,
    shard_size: Annotated[
        float, typer.Option("--shard-size", metavar="MIB", help="Of a shard, about, in MiB.")
    ] = 256.0,
) -> None:
    """Write all examples of SOURCE as tar shards, which fit reads while it trains.

    Several shards are written at a time. When it is interrupted, the same command goes on with
    the shards that are missing; manifest.json, with checksums, is written last. Pictures are
    decoded and resized once and for all. A shard holds 000000000.npy, 000000000.cls, ..., as
    WebDataset has them.

    Examples:
      lowerbound data pack photos/ shards --image-size 64x64
      lowerbound data pack scans.parquet shards --shard-size 1024
      lowerbound fit shards
    """
    if not 0 < shard_size <= 2**20:
        raise SettingError(f"--shard-size is a number of MiB above 0, got {shard_size:g}")
    size = image_size_of(image_size)
    from lowerbound.cli.console import say, tell, working
    from lowerbound.data.front import for_packing
    from lowerbound.data.stored.pack import pack

    with working("packing") as work:
        found, key = for_packing(source)
        if size is not None and not (isinstance(found, Path) and found.is_dir()):
            raise SettingError("--image-size is for a folder of pictures")
        manifest = pack(
            found,
            out,
            key=key,
            image_size=size,
            shard_bytes=int(shard_size * 2**20),
            progress=lambda done, total: work.stage("written", done, total),
        )
    count = sum(entry.samples for entry in manifest.shards)
    total = sum(entry.bytes for entry in manifest.shards)
    tell(f"{count:,} examples in {len(manifest.shards):,} shards, {total / 2**20:,.1f} MiB")
    for note in manifest.notes:
        tell(f"Note: {note}.")
    say(out)
