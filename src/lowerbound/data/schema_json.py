"""Dataclasses as JSON, and back without trusting the file: it may come from a stranger's run."""

import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from lowerbound.errors import DataError

T = TypeVar("T")

LONGEST_NAME = 10_000
LONGEST_LIST = 2**26
LARGEST = sys.float_info.max


def to_json(part: Any) -> Any:
    """Turn a dataclass of plain parts into dictionaries, lists, strings and numbers.

    Fields that hold their default are left out.
    """
    if is_dataclass(part):
        return {
            one.name: to_json(getattr(part, one.name))
            for one in fields(part)
            if getattr(part, one.name) != _default(one)
        }
    return [to_json(item) for item in part] if isinstance(part, tuple) else part


def from_json(kind: type[T], document: object, what: str) -> T:
    """Make the dataclass that `to_json` wrote; every type and size is checked.

    Args:
        kind: The dataclass.
        document: Contents of a file.
        what: Its name in messages.

    Raises:
        DataError: A key, type, range or size is wrong.
    """
    return _read(kind, document, what, what)


def _read(kind: Any, value: object, what: str, where: str) -> Any:
    if is_dataclass(kind):
        return _object(kind, value, what, where)
    options = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        if value is None and NoneType in options:
            return None
        apart = [one for one in options if one is not NoneType]
        fits = [one for one in apart if _holds(one, value)]
        return _read((fits or apart)[0], value, what, where)
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise DataError(f"{where}: {what} is a list, got {_brief(value)}")
        if len(value) > LONGEST_LIST:
            raise DataError(f"{where}: {what} has {len(value)} entries, over {LONGEST_LIST}")
        return tuple(_read(options[0], item, what, where) for item in value)
    if get_origin(kind) is Literal or kind is str:
        return _text(value, what, where)
    if kind is bool:
        if not isinstance(value, bool):
            raise DataError(f"{where}: {what} is true or false, got {_brief(value)}")
        return value
    return _number(value, what, where, whole=kind is int)


def _holds(kind: Any, value: object) -> bool:
    """Whether a value is of the sort that one of several types is written as."""
    if kind is str or get_origin(kind) is Literal:
        return isinstance(value, str)
    return isinstance(value, bool) == (kind is bool) and not isinstance(value, str)


def _object(kind: Any, value: object, what: str, where: str) -> Any:
    known = {one.name: one for one in fields(kind)}
    if not isinstance(value, Mapping):
        raise DataError(
            f"{where}: {what} is an object with {', '.join(known)}, got {_brief(value)}"
        )
    unknown = [key for key in value if key not in known]
    absent = [name for name, one in known.items() if name not in value and _default(one) is MISSING]
    if unknown or absent:
        wrong = f"unknown {_brief(unknown[0])}" if unknown else f"no {absent[0]!r}"
        raise DataError(f"{where}: {what} has the keys {', '.join(known)}; found {wrong}")
    hints = get_type_hints(kind)
    return kind(**{name: _read(hints[name], part, name, where) for name, part in value.items()})


def _default(one: Any) -> Any:
    return one.default if one.default_factory is MISSING else one.default_factory()


def _text(value: object, what: str, where: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        raise DataError(f"{where}: {what} is a string, got {_brief(value)}")
    return value


def _number(value: object, what: str, where: str, *, whole: bool) -> float:
    # bool is an int to Python, and a whole number can be too long for a float
    fits = isinstance(value, int) if whole else isinstance(value, int | float)
    if fits and not isinstance(value, bool) and abs(value) <= LARGEST:  # pyright: ignore
        return value  # pyright: ignore[reportReturnType]
    raise DataError(f"{where}: {what} is a {'whole' if whole else 'finite'} number, "
                    f"got {_brief(value)}")  # fmt: skip


def _brief(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**20:
        return "a number of more than 20 digits"
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
