"""`lowerbound pool`: one answer from the analyses of several imputations."""

import math
from pathlib import Path
from typing import Annotated

import typer

from lowerbound.cli.common import Force, Json, option, out_option
from lowerbound.errors import DataError, SettingError

FORMS = (".csv", ".parquet")
NEEDED = ("estimate", "error")


def command(
    source: Annotated[
        Path, typer.Argument(metavar="ESTIMATES", help="A .csv file with estimate and error.")
    ],
    out: Annotated[
        Path | None, out_option("A .csv or .parquet file instead of the screen.")
    ] = None,
    degrees: Annotated[
        float | None,
        option("--degrees", "N", "Degrees of freedom without gaps, such as rows - 1 for a mean."),
    ] = None,
    level: Annotated[float, option("--level", "P", "Coverage of the intervals.")] = 0.95,
    force: Force = False,
    json: Json = False,
) -> None:
    """Combine estimates from several imputed tables by Rubin's rules.

    ESTIMATES has one line for each imputation and quantity: term (its name, if there are several),
    estimate and error (the standard error). The intervals are those of Barnard and Rubin.

    Examples:
      lowerbound impute runs/one table.csv --draws 20
      lowerbound pool estimates.csv --degrees 99
    """
    import csv

    import numpy as np

    from lowerbound.cli.console import say, say_json
    from lowerbound.cli.output import check_output, form_of, write_table
    from lowerbound.evaluation import pool

    if out is not None:
        check_output(out, form_of(out, FORMS), force=force, source=str(source))
    if not source.is_file():
        raise DataError(f"no such file: {str(source)!r}")
    with source.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    absent = [name for name in NEEDED if not rows or name not in rows[0]]
    if absent:
        raise DataError(f"{source} lacks the column {absent[0]!r}; it needs estimate and error")
    by_term: dict[str, list[tuple[float, float]]] = {}
    for number, row in enumerate(rows, start=2):
        try:
            pair = (float(row["estimate"]), float(row["error"]))
        except (TypeError, ValueError):
            raise DataError(f"{source} line {number} holds no estimate and error") from None
        by_term.setdefault(row.get("term") or "estimate", []).append(pair)
    if degrees is not None and not degrees > 0:
        raise SettingError(f"--degrees must be positive, got {degrees:g}")
    pooled = {
        term: pool(*zip(*pairs, strict=True), degrees=degrees or math.inf, level=level)
        for term, pairs in by_term.items()
    }
    if json:
        say_json({term: vars(one) for term, one in pooled.items()})
        return
    if out is not None:
        names = list(vars(next(iter(pooled.values()))))
        table = {n: np.array([getattr(one, n) for one in pooled.values()]) for n in names}
        write_table(out, {"term": np.array(list(pooled), dtype=object), **table})
        say(out)
        return
    for term, one in pooled.items():
        say(
            f"{term}: {one.estimate:.6g} ± {one.error:.3g}, {level:.0%} interval "
            f"{one.low:.6g} to {one.high:.6g}, {one.degrees:.4g} degrees of freedom, "
            f"{one.missing:.0%} of the variance from gaps"
        )
