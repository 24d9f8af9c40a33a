"""`lowerbound data`: the data that would be learned from."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from lowerbound.cli.common import Json, Stream
from lowerbound.cli.reading import reads_data
from lowerbound.errors import SettingError

if TYPE_CHECKING:
    from lowerbound.data import Data

#: Columns that are listed, and letters of a cell of the list.
MOST_COLUMNS, WIDEST = 100, 30
STORED = "The training examples stay on disk: they are read while training, a window at a time."


class DataGroup(TyperGroup):
    """`data DATA` and `data pack SOURCE OUT`: a first word that is a command is no DATA."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Leave DATA out before a command; elsewhere options may follow it."""
        is_command = bool(args) and args[0] in self.commands
        ctx.allow_interspersed_args = not is_command
        return super().parse_args(ctx, ["", *args] if is_command else args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command; a second DATA is none."""
        if args[0] not in self.commands:
            ctx.fail(f"Got unexpected extra argument ({args[0]})")
        return super().resolve_command(ctx, args)

    def get_params(self, ctx: Any) -> list[Any]:
        """List the parameters; in the usage of a command DATA is none."""
        own = ctx.command is self
        return [p for p in super().get_params(ctx) if own or p.param_type_name == "option"]


@reads_data
def command(
    context: typer.Context,
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
      lowerbound data table.csv --column zip=categorical
      lowerbound data table.csv --column paid=date:%d.%m.%Y
      lowerbound data table.csv --column note=skip --gaps age=-99 --json

    See also lowerbound data pack --help, for data larger than memory. (Data in a file or folder
    called pack are ./pack.)
    """
    if context.invoked_subcommand is not None:
        return
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
        # recipes of texts and tunes have one likelihood and one network, and no name for them
        names = ("likelihood", "network", "latents")
        chosen = {name: assembly.settings.get(name) for name in names}
        chosen["latents"] = chosen["latents"] or next(iter(assembly.model.latents.values())).units
        words = {"recipe": assembly.recipe.name, "words": list(assembly.words)}
        say_json({**about(data), **chosen, **words})
        return
    counts = data.split["counts"]
    say(f"{data.source}: {sum(counts.values()):,} examples")
    say(
        f"Split: {counts['train']:,} training, {counts['validation']:,} validation, "
        f"{counts['test']:,} test, {'as given' if data.split['test'] == 'given' else 'by content'}."
    )
    if data.stored and not data.schema.is_cells:
        say(STORED)
    say_columns(data)
    for sentence in (*assembly.words, *(f"Note: {note}." for note in data.notes)):
        say(wrapped(sentence))


def say_columns(data: "Data") -> None:
    """The columns of a table, one a line: kind, gaps, a sample, the reason."""
    from lowerbound.cli.console import say
    from lowerbound.data.listing import listed

    rows = [
        (one.name, one.kind, f"{one.gaps:,}" if one.gaps else "", ", ".join(one.sample), one.reason)
        for one in listed(data)
    ]
    if not rows:
        return
    rows = [("column", "kind", "gaps", "sample", "because"), *rows[:MOST_COLUMNS]]
    widths = [min(WIDEST, max(len(row[j]) for row in rows)) for j in range(4)]
    for row in rows:
        cells = [_cut(cell, width).ljust(width) for cell, width in zip(row, widths, strict=False)]
        say("  ".join([*cells, row[-1]]).rstrip())
    if len(data.schema.columns or ()) > MOST_COLUMNS:
        say(f"... {len(data.schema.columns or ()):,} columns in all; --json lists them")
    say("--column NAME=KIND tells another kind (id, text or skip leave a column out)")


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 3] + "..."


def about(data: "Data") -> dict[str, Any]:
    """Describe a data set in JSON values."""
    from lowerbound.data.listing import listed
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
        "columns": [vars(one) | {"sample": list(one.sample)} for one in listed(data)],
        "constants": [column.name for column in schema.constants],
        "reading": to_json(schema.reading),
        "stored": data.stored,
        "split": data.split,
        "notes": [str(note) for note in data.notes],
        "fingerprint": data.fingerprint,
    }


def list_named(json: bool) -> None:
    """List the named sets, whether they are here, and how to get them."""
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
    say("Or a folder or zip of images, arrays, tables or tunes; a .csv, .parquet, .npy, .npz,")
    say(".txt, .mid, .h5ad or .ts file; see docs/data.md for how each is read.")
