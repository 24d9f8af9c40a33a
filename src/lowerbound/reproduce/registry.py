"""Reader of the published figures, which are data: a TOML file for each source.

The files are `benchmarks/reproduce/*.toml` of the repository; an installed package holds them in
`reproduce/rows`. A row may be `like` another, and then has only the differences.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lowerbound.errors import DataError, UnknownNameError
from lowerbound.reproduce.entry import Entry, Published

#: Where the rows may be: beside this file where installed, in the repository in a checkout.
PLACES = (Path(__file__).parent / "rows", Path(__file__).parents[3] / "benchmarks" / "reproduce")


@cache
def entries() -> tuple[Entry, ...]:
    """Read every published figure, in the order of the files."""
    return read_rows(next((place for place in PLACES if place.is_dir()), PLACES[0]))


def entry_named(name: str) -> Entry:
    """Find one published figure; `UnknownNameError` names the neighbours of an unknown one."""
    known = {entry.name: entry for entry in entries()}
    if name not in known:
        raise UnknownNameError("published figure", name, known)
    return known[name]


def read_rows(folder: Path) -> tuple[Entry, ...]:
    """Read the rows of every TOML file of a folder."""
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise DataError(f"no rows of published figures in {str(folder)!r}; install lowerbound anew")
    rows: dict[str, dict[str, Any]] = {}
    for path in paths:
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"cannot read {str(path)!r}: {error}") from error
        twice = rows.keys() & found.keys()
        if twice:
            raise DataError(f"{str(path)!r}: the row {min(twice)!r} is there already")
        rows |= found
    return tuple(_entry(name, _whole(name, rows)) for name in rows)


def _whole(name: str, rows: Mapping[str, dict[str, Any]], seen: tuple[str, ...] = ()) -> dict:
    """Complete a row from the row that it is like; tables are joined, the rest replaced."""
    row = {key: value for key, value in rows[name].items() if key != "like"}
    like = rows[name].get("like")
    if like is None:
        return row
    if like not in rows or like in (name, *seen):
        raise DataError(f"the published figure {name!r} is like {like!r}, which is no other row")
    base = _whole(like, rows, (name, *seen))
    joined = {
        key: {**base[key], **value}
        for key, value in row.items()
        if isinstance(value, dict) and isinstance(base.get(key), dict)
    }
    return {**base, **row, **joined}


def _entry(name: str, row: dict[str, Any]) -> Entry:
    try:
        tables = {key: _values(row[key]) for key in ("published", "model", "training")}
        others = tuple((figure, source) for figure, source in row.get("others", ()))
        whole = {**row, **tables, "name": name, "others": others}
        return Entry(**{**whole, "published": Published(**tables["published"])})
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the published figure {name!r} cannot be read: {error}") from error


def _values(table: Mapping[str, Any]) -> dict[str, Any]:
    """Turn values into those of the library: TOML has neither None nor tuples."""
    return {
        key: None if value == "none" else tuple(value) if isinstance(value, list) else value
        for key, value in table.items()
    }
