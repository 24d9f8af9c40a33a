"""`lowerbound generate`: new examples."""

import math
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
    from lowerbound.applications import Condition
    from lowerbound.data import Schema

#: Effective draws below which rows under a condition share too few z.
FEW_DRAWS = 20
#: Texts that are also printed.
PRINTED = 10


def command(
    path: RunPath,
    count: Annotated[int, typer.Option("--count", "-n", metavar="N", help="How many.")] = 64,
    out: Annotated[
        Path | None,
        out_option(
            "samples.png, .npy, a folder (images); .txt (texts); .mid, .wav, .png (tunes); .csv, "
            ".parquet, .npy (other data)."
        ),
    ] = None,
    draw: Annotated[
        bool | None, option("--draw/--mean", None, "Draw x from p(x|z), or give its mean.")
    ] = None,
    temperature: Annotated[
        float | None,
        option("--temperature", "T", "Of texts and tunes: below 1 tokens are more usual."),
    ] = None,
    where: Annotated[
        list[str] | None,
        option("--where", "COLUMN=...", "A value, A|B, or LOW..HIGH; for each column once."),
    ] = None,
    like: Annotated[
        str | None, option("--like", "PATH", "A table whose first row the others are like.")
    ] = None,
    vary: Annotated[
        str | None, option("--vary", "A,B", "The columns in which they differ from it.")
    ] = None,
    gaps: Annotated[
        bool, option("--gaps/--no-gaps", None, "Leave cells empty as the data does, or none.")
    ] = True,
    told: Annotated[
        list[str] | None,
        option("--condition", "NAME=VALUE", "Told to a conditional model: class=Bag."),
    ] = None,
    force: Force = False,
    seed: Seed = None,
    device: Device = "auto",
) -> None:
    """Make new examples: z from the prior, x from the decoder.

    Images are by default the mean of p(x|z), as papers show them: without the noise of the
    likelihood. Other data are draws, which spread as the data do. Texts and tunes drawn at a
    --temperature other than 1 are not draws from the model.

    With --where every row of a table fulfils the conditions, and none is thrown away for it; the
    probability of the conditions is told. With --like the rows agree with a given one in all but
    the columns of --vary and --where: what might they be, for a row that is otherwise the same?

    Rows of a table that has gaps have gaps as it does, and --where "pay=NA" asks for them;
    --no-gaps fills every cell.
    A model that was trained with --condition is told --condition "class=Bag"; without it, examples
    are of all classes.

    Examples:
      lowerbound generate runs/one
      lowerbound generate runs/one --count 1000 --out folder/
      lowerbound generate runs/one --draw --seed 1 --out new.npy
      lowerbound generate runs/tunes --temperature 0.7 --out tunes.mid
      lowerbound generate runs/table --count 500 --out new.csv
      lowerbound generate runs/table --where "age=30..40" --where "town=Bern|Chur"
      lowerbound generate runs/table --where pay=NA --count 100
      lowerbound generate runs/table --like row.csv --vary pay,hours
    """
    from lowerbound.applications import generate, generate_rows, generate_where
    from lowerbound.cli.console import say, tell, warn, working
    from lowerbound.cli.examples import check_count, lines_of, place, write_examples
    from lowerbound.processes import current

    if temperature is not None and not (math.isfinite(temperature) and temperature > 0):
        raise SettingError(
            f"--temperature is a number above 0, got {temperature:g}; --mean gives the most "
            "probable tokens"
        )
    if temperature is not None and draw is False:
        raise SettingError("--temperature is of draws; leave --mean out")
    chosen = seed_of(seed)
    run = open_run(path, device)
    if temperature is not None and not run.schema.is_sequence:
        raise SettingError(
            f"--temperature is for texts and tunes; the model takes {run.schema.describe()}"
        )
    first = current().first
    target, form = place(out, "samples", run.schema, force=force or not first)
    check_count(count, run.schema, form)
    from lowerbound.data import condition_codes

    codes = condition_codes(",".join(told) if told else None, run.schema, count, chosen)
    wanted = _conditions(run.schema, where or [], like, vary)
    law = run.gaps if gaps and form != ".npy" else None
    if law is None and any(one.gap for one in wanted):
        remedy = f"fit one: lowerbound refit {path} --gaps"
        if run.gaps is not None:
            remedy = "leave out --no-gaps, and write a .csv or .parquet file"
        raise SettingError(f"--where asks for a gap, and the rows have no law of gaps; {remedy}")
    if wanted:
        if draw is False:
            raise SettingError("--where and --like draw their rows; leave --mean out")
        with working("generating"):
            found = generate_where(run.model, count, wanted, run.schema, gaps=law, seed=chosen)
            if first:
                write_examples(target, form, found.x, run.schema, observed=found.observed)
        if first:
            if found.effective < FEW_DRAWS:
                warn(
                    f"the condition leaves {found.effective:.0f} effective draws of z: many rows "
                    "share one; loosen it"
                )
            tell(
                f"{count:,} examples, seed {chosen}; log p of the condition {found.log_p:.2f} "
                f"nats, {found.effective:,.0f} effective draws"
            )
            say(target)
        return
    drawn = not run.schema.is_image if draw is None else draw
    with working("generating"):
        if drawn and codes is None and law is not None:
            x, known = generate_rows(run.model, law, count, seed=chosen)
        else:
            tokens = 1.0 if temperature is None else temperature
            x = generate(
                run.model, count, draw=drawn, token_temperature=tokens, seed=chosen, condition=codes
            )
            known = None
        if not first:
            return
        write_examples(target, form, x, run.schema, observed=known, seed=chosen)
    for line in lines_of(x[:PRINTED]) if run.schema.is_text else ():
        tell(f"  {line}")
    means = "the most probable under" if run.schema.is_sequence else "means of"
    tell(f"{count:,} examples, {'drawn from' if drawn else means} p(x|z), seed {chosen}")
    say(target)


def _conditions(
    schema: "Schema", where: list[str], like: str | None, vary: str | None
) -> "list[Condition]":
    """Collect the facts told of the cells."""
    from lowerbound.applications import Condition, condition_of
    from lowerbound.cli.sources import read_for
    from lowerbound.errors import UnknownNameError

    told = {one.cell: one for one in (condition_of(text, schema) for text in where)}
    if len(told) < len(where):
        raise SettingError('a column has two conditions; write several values as "town=Bern|Chur"')
    if (like is None) != (vary is None):
        raise SettingError("--like names a row and --vary the columns to draw anew; give both")
    if like is None or vary is None:
        return list(told.values())
    if not schema.is_table:
        raise SettingError(f"--like is for tables; the model takes {schema.describe()}")
    names = [field.name for field in schema.modelled]
    free = [name.strip() for name in vary.split(",")]
    for name in free:
        if name not in names:
            raise UnknownNameError("column", name, names)
    batch = read_for(like, schema).batch(slice(0, 1))
    for cell, name in enumerate(names):
        known = batch.observed is None or bool(batch.observed[0, cell])
        if known and name not in free and cell not in told:
            told[cell] = Condition(cell, (float(batch.x[0, cell]),))
    return list(told.values())
