"""A schema as JSON, and back without trusting the file: it may come from a stranger's run."""

import math
import sys
from collections.abc import Mapping
from typing import Any

from lowerbound.data.schema import MOST_CELLS, Constant, Field, Schema
from lowerbound.errors import DataError

MOST_FIELDS = 2**20
LONGEST_NAME = 10_000
LARGEST = sys.float_info.max


def schema_to_json(schema: Schema) -> dict[str, Any]:
    """See `Schema.to_json`."""
    return {
        "fields": [
            {
                "name": field.name,
                "kind": field.kind,
                "shape": list(field.shape),
                "levels": field.levels,
                "location": None if field.location is None else list(field.location),
                "unit": None if field.unit is None else list(field.unit),
            }
            for field in schema.fields
        ],
        "shape": list(schema.shape),
        "constants": [
            {"name": column.name, "position": column.position, "value": column.value}
            for column in schema.constants
        ],
        "threshold": schema.threshold,
        "precision": schema.precision,
        **({} if schema.white is None else {"white": schema.white}),
    }


def schema_from_json(document: object) -> Schema:
    """See `Schema.from_json`."""
    keys = ("fields", "shape", "constants", "threshold", "precision")
    top = _mapping(document, "schema", keys, ("white",))
    threshold, white = top["threshold"], top.get("white")
    return Schema(
        fields=tuple(_field(item) for item in _list(top["fields"], "fields", MOST_FIELDS)),
        shape=_shape(top["shape"], "shape"),
        constants=tuple(
            _constant(item) for item in _list(top["constants"], "constants", MOST_FIELDS)
        ),
        threshold=None if threshold is None else _number(threshold, "threshold"),
        precision=_text(top["precision"], "precision"),  # pyright: ignore[reportArgumentType]
        white=None if white is None else _number(white, "white"),
    )


def _field(item: object) -> Field:
    given = _mapping(item, "field", ("name", "kind", "shape", "levels", "location", "unit"))
    levels = given["levels"]
    return Field(
        name=_text(given["name"], "name"),
        kind=_text(given["kind"], "kind"),  # pyright: ignore[reportArgumentType]
        shape=_shape(given["shape"], "field shape"),
        levels=None if levels is None else _whole(levels, "levels", 2, 65536),
        location=_numbers(given["location"], "location"),
        unit=_numbers(given["unit"], "unit"),
    )


def _constant(item: object) -> Constant:
    given = _mapping(item, "constant", ("name", "position", "value"))
    return Constant(
        name=_text(given["name"], "name"),
        position=_whole(given["position"], "position", 0, MOST_CELLS),
        value=_number(given["value"], "value"),
    )


def _mapping(
    value: object, what: str, keys: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise DataError(f"schema: {what} is an object with {', '.join(keys)}, got {_brief(value)}")
    unknown = [key for key in value if key not in keys + optional]
    absent = [key for key in keys if key not in value]
    if unknown or absent:
        wrong = f"unknown {_brief(unknown[0])}" if unknown else f"no {absent[0]!r}"
        raise DataError(f"schema: {what} has exactly the keys {', '.join(keys)}; found {wrong}")
    return value


def _list(value: object, what: str, longest: int) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise DataError(f"schema: {what} is a list, got {_brief(value)}")
    if len(value) > longest:
        raise DataError(f"schema: {what} has {len(value)} entries, more than {longest}")
    return list(value)


def _shape(value: object, what: str) -> tuple[int, ...]:
    sizes = tuple(_whole(size, what, 1, MOST_CELLS) for size in _list(value, what, 3))
    if math.prod(sizes) > MOST_CELLS:
        raise DataError(f"schema: {what} {sizes} has more than 2**26 cells")
    return sizes


def _numbers(value: object, what: str) -> tuple[float, ...] | None:
    if value is None:
        return None
    return tuple(_number(item, what) for item in _list(value, what, MOST_CELLS))


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        raise DataError(f"schema: {what} is a string, got {_brief(value)}")
    return value


def _whole(value: object, what: str, least: int, most: int) -> int:
    # bool is an int to Python, not to a schema
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise DataError(f"schema: {what} is a whole number in {least}..{most}, got {_brief(value)}")
    return value


def _number(value: object, what: str) -> float:
    # a Python integer can be too long for a float: compare before converting
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST:
        return float(value)
    raise DataError(f"schema: {what} is a finite number, got {_brief(value)}")


def _brief(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**20:
        return "a number of more than 20 digits"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
