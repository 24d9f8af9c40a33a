"""`lowerbound data`: what would be learned from."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowerbound.cli.common import Json, Stream
from lowerbound.cli.reading import reads_data
from lowerbound.errors import SettingError

if TYPE_CHECKING:
    from lowerbound.data import Data

STORED = "The training examples stay on disk: they are read while training, a window at a time."


@reads_data
def command(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA", help="Named set, folder of images, table, array; see lowerbound data."
        ),
    ] = None,
    *,
    reading: dict[str, Any],
    stream: Stream = None,
    json: Json = False,
) -> None:
    """Say what DATA is and what would be chosen for it; without DATA, list the named sets.

    Examples:
      lowerbound data
      lowerbound data fashion-small
      lowerbound data photos/ --image-size 64x64
      lowerbound data table.csv --json

    See also lowerbound data pack --help, for data larger than memory. (Data in a file or folder
    called pack are ./pack.)
    """
    if source is None:
        if reading:
            name = next(iter(reading)).replace("_", "-")
            raise SettingError(f"--{name} needs DATA; see lowerbound data --help")
        list_named(json)
        return
    from lowerbound.catalogue import assemble
    from lowerbound.cli.console import say, say_json, working, wrapped
    from lowerbound.data import read

    with working("reading the data") as work:
        data = read(source, stream=stream, progress=work.stage, **reading)
        assembly = assemble("auto", data.schema, examples=len(data.train), seed=0)
    if json:
        say_json(
            {
                **about(data),
                "likelihood": assembly.settings["likelihood"],
                "network": assembly.settings["network"],
                "latents": assembly.settings["latents"],
                "words": list(assembly.words),
            }
        )
        return
    counts = data.split["counts"]
    say(f"{data.source}: {sum(counts.values()):,} examples")
    say(
        f"Split: {counts['train']:,} training, {counts['validation']:,} validation, "
        f"{counts['test']:,} test, by content."
    )
    if data.stored:
        say(STORED)
    for sentence in (*assembly.words, *(f"Note: {note}." for note in data.notes)):
        say(wrapped(sentence))


def about(data: "Data") -> dict[str, Any]:
    """What a data set is, as JSON values."""
    from lowerbound.data.schema_json import to_json

    schema = data.schema
    fields = [
        {"name": field.name, "kind": field.kind, "shape": list(field.shape), "levels": field.levels}
        for field in schema.fields
    ]
    return {
        "source": data.source,
        "schema": schema.describe(),
        "kind": schema.kind,
        "shape": list(schema.shape),
        "levels": schema.levels,
        "dimensions": schema.dimensions,
        "fields": fields,
        "constants": [column.name for column in schema.constants],
        "reading": to_json(schema.reading),
        "stored": data.stored,
        "split": data.split,
        "notes": [str(note) for note in data.notes],
        "fingerprint": data.fingerprint,
    }


def list_named(json: bool) -> None:
    """The named sets, whether they are here, and how to get them."""
    from lowerbound.cli.console import say, say_json
    from lowerbound.data import named_sets

    if json:
        names = ("name", "description", "licence", "how_to_get")
        say_json(
            [
                {**{key: getattr(known, key) for key in names}, "available": known.available()}
                for known in named_sets()
            ]
        )
        return
    for known in named_sets():
        say(f"{known.name}  ({'here' if known.available() else 'not here'})")
        say(f"  {known.description}; {known.licence}")
        if not known.available():
            say(f"  to get it: {known.how_to_get}")
        say()
    say("Or a folder or zip of images, arrays or tables; a .csv, .parquet, .npy, .npz file; see")
    say("docs/data.md for how each is read.")
