"""Settings by name: which there are, and from text or JSON to their types."""

import inspect
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lowerbound.catalogue.parts import Parts
from lowerbound.catalogue.recipe import Recipe, recipes
from lowerbound.errors import SettingError, UnknownNameError
from lowerbound.training import Training


@dataclass(frozen=True)
class Setting:
    """One thing that `--set` can change.

    Attributes:
        name: As written before the equals sign.
        kind: Its type.
        default: Its value when nobody changes it.
        group: "model" (a part), "objective" (the recipe's own) or "training".
        meaning: What it is, as the docstring of what takes it says.
    """

    name: str
    kind: Any
    default: Any
    group: Literal["model", "objective", "training"]
    meaning: str = ""


def settings_of(recipe: Recipe) -> dict[str, Setting]:
    """Every setting of a recipe, by name."""
    found: dict[str, Setting] = {}
    hints, means = get_type_hints(Parts), meanings(Parts)
    for part in fields(Parts):
        name = part.name
        found[name] = Setting(name, hints[name], part.default, "model", means.get(name, ""))
    hints, means = get_type_hints(recipe.build), meanings(recipe.build)
    for name, parameter in inspect.signature(recipe.build).parameters.items():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            default, meaning = parameter.default, means.get(name, "")
            found[name] = Setting(name, hints[name], default, "objective", meaning)
    hints, means = get_type_hints(Training), meanings(Training)
    for entry in fields(Training):
        name = entry.name
        default = recipe.training.get(name, entry.default)
        found[name] = Setting(name, hints[name], default, "training", means.get(name, ""))
    return found


def meanings(documented: Any) -> dict[str, str]:
    """What the section "Args" of a docstring says of each name.

    Example:
        >>> meanings(Training)["average"].partition(",")[0]
        'Decay of the exponential moving average of the weights'
    """
    _, _, section = (inspect.getdoc(documented) or "").partition("\nArgs:\n")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if line and not line.startswith(" "):
            break  # the next section
        if line.startswith("    ") and not line.startswith("     "):
            name, _, text = line.strip().partition(": ")
            found[name] = text
        elif line.strip() and name:
            found[name] += f" {line.strip()}"
    return found


def check_settings(recipe: Recipe, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given settings, each in its type.

    Args:
        recipe: Whose settings they are.
        given: By name; values as text (from a command line) or of their own type (from JSON).

    Raises:
        UnknownNameError: A name that no recipe has; names its neighbours.
        SettingError: A name that other recipes have, or a value that is not of its type.
    """
    known = settings_of(recipe)
    for name in given:
        if name not in known:
            having = [other.name for other in recipes() if name in settings_of(other)]
            if having:
                raise SettingError(
                    f"recipe {recipe.name!r} has no setting {name!r}; give --model with one that "
                    f"has it: {', '.join(having)}"
                )
            raise UnknownNameError("setting", name, known)
    return {name: convert(name, value, known[name].kind) for name, value in given.items()}


def convert(name: str, value: Any, kind: Any) -> Any:
    """One value in its type.

    Raises:
        SettingError: It cannot be.

    Example:
        >>> convert("hidden", "400,400", tuple[int, ...])
        (400, 400)
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None or (isinstance(value, str) and value.lower() in ("none", "auto")):
            return None
        (kind,) = [argument for argument in arguments if argument is not type(None)]
        return convert(name, value, kind)
    if origin is Literal:
        if value not in arguments:
            raise UnknownNameError(name, str(value), arguments)
        return value
    if origin is tuple:
        return _sequence(name, value, arguments)
    if kind is bool:
        return _boolean(name, value)
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        if kind is int and isinstance(value, float) and not value.is_integer():
            raise ValueError
        return kind(value)
    except (ValueError, OverflowError):
        noun = "a whole number" if kind is int else "a number"
        raise SettingError(f"{name} must be {noun}, got {_shown(value)}") from None


def _sequence(name: str, value: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if isinstance(value, str):
        value = [part for part in value.strip("()[] ").split(",") if part.strip()]
    if not isinstance(value, list | tuple) or len(value) > 1000:
        raise SettingError(f"{name} must be numbers with commas between, got {_shown(value)}")
    values = tuple(convert(name, part, arguments[0]) for part in value)
    if Ellipsis not in arguments and len(values) != len(arguments):
        raise SettingError(f"{name} must be {len(arguments)} numbers, got {len(values)}")
    return values


def _boolean(name: str, value: Any) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in words:
        raise SettingError(f"{name} must be true or false, got {_shown(value)}")
    return words[str(value).lower()]


def _shown(value: Any) -> str:
    """The value on one short line, however long it is."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
