"""Settings by name: a list of them, and their types from text or JSON."""

import inspect
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from lowerbound.catalogue.recipe import Recipe, recipes
from lowerbound.catalogue.slots import Choice, Slot
from lowerbound.errors import SettingError, UnknownNameError
from lowerbound.training import Training

#: Priors that can be fitted after training; "auto" is the one that validation likes best.
Refitted = Literal["auto", "none", "mixture", "flow", "autoregressive"]
REFITTED_MEANS = (
    "The prior that is fitted to the encodings afterwards, where it is better; auto for the better "
    "of a mixture and a flow, or autoregressive for codes."
)


@dataclass(frozen=True)
class Setting:
    """One thing that `--set` can change.

    Attributes:
        name: As written before the equals sign; a builder's own begin with its slot's name and a
            dot, such as "prior.components".
        kind: Its type.
        default: Its value when nobody changes it.
        group: "model" (a part), "objective" (the recipe's own), "training", or "afterwards" (what
            is done to a trained model).
        meaning: Its line in the docstring of its function.
        slot: The slot that it fills; None for other settings.
        builders: The setting as each builder has it, which may differ in its default, by the name
            of the builder; empty for settings of no builder.
    """

    name: str
    kind: Any
    default: Any
    group: Literal["model", "objective", "training", "afterwards"]
    meaning: str = ""
    slot: Slot | None = None
    builders: Mapping[str, "Setting"] = field(default_factory=dict)


def settings_of(recipe: Recipe) -> dict[str, Setting]:
    """Return every setting of a recipe, by its full name: those of the model first.

    They are read from signatures: of the recipe, of what it hands `**parts` on to, and of every
    builder that a slot can hold.
    """
    listed: list[Setting] = []
    if any(p.kind is p.VAR_KEYWORD for p in inspect.signature(recipe.build).parameters.values()):
        listed += _keywords(recipe.parts)
    for setting in _keywords(recipe.build):
        listed.append(replace(setting, group="model" if setting.slot else "objective"))
    found = {one.name: one for setting in listed for one in (setting, *_of_builders(setting))}
    hints, means = get_type_hints(Training), meanings(Training)
    for entry in fields(Training):
        name = entry.name
        default = recipe.training.get(name, entry.default)
        found[name] = Setting(name, hints[name], default, "training", means.get(name, ""))
    found["refit"] = Setting(
        "refit", Refitted, recipe.refit or "none", "afterwards", REFITTED_MEANS
    )
    return found


def _keywords(function: Callable[..., Any]) -> list[Setting]:
    """Read the keyword-only arguments of a function, as settings of the model."""
    # of a class only what makes it: torch's own annotations are text that would be evaluated
    made: Any = function.__init__ if isinstance(function, type) else function
    hints, means = get_type_hints(made, include_extras=True), meanings(function)
    found = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        kind, slot = hints[name], None
        if get_origin(kind) is Annotated:
            kind, *marks = get_args(kind)
            slot = next((mark for mark in marks if isinstance(mark, Slot)), None)
        meaning = means.get(name, "")
        found.append(Setting(name, kind, parameter.default, "model", meaning, slot))
    return found


def _of_builders(setting: Setting) -> list[Setting]:
    """Read the settings of all builders of a slot, under the slot's name."""
    if setting.slot is None:
        return []
    found: dict[str, dict[str, Setting]] = {}
    for builder, function in setting.slot.builders.items():
        for inner in _keywords(function):
            one = replace(inner, name=f"{setting.name}.{inner.name}")
            found.setdefault(one.name, {})[builder] = one
    return [replace(next(iter(each.values())), builders=each) for each in found.values()]


def each_of(setting: Setting) -> list[tuple[str | None, Setting]]:
    """Return a setting as each builder has it, with the builder's name; or alone, with None."""
    return list(setting.builders.items()) or [(None, setting)]


def meanings(documented: Any) -> dict[str, str]:
    """Read the section "Args" of a docstring, by name."""
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
    """Return the given settings by their full names, each in its type.

    Args:
        recipe: Whose settings they are.
        given: By name, a builder's also without its slot's where that is clear ("components" for
            "prior.components"); values as text (from a command line) or of their own type.

    Raises:
        UnknownNameError: A name that no recipe has; names its neighbours.
        SettingError: A name that other recipes or other builders have, or a value that is not of
            its type.
    """
    known = settings_of(recipe)
    found: dict[str, Any] = {}
    for short, value in _spread(given).items():
        name = full_name(short, known)
        if name is None:
            having = [other.name for other in recipes() if knows(other, [short])]
            if having:
                raise SettingError(
                    f"recipe {recipe.name!r} has no setting {short!r}; give --model with one that "
                    f"has it: {', '.join(having)}"
                )
            ends = [name.rpartition(".")[2] for name in known]
            shorts = [end for end in ends if full_name(end, known) is not None]
            raise UnknownNameError("setting", short, [*shorts, *known])
        setting = known[name]
        if setting.slot is not None:
            found[name] = setting.slot.check(value if isinstance(value, str) else str(value))
        else:
            found[name] = convert(short, value, setting.kind)
    for name in found:
        _check_builder(known, found, name)
    return found


def _spread(given: Mapping[str, Any]) -> dict[str, Any]:
    """Put the settings of each `Choice` beside it, by their full names."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, Choice):
            found[name] = value.name
            found.update({f"{name}.{inner}": own for inner, own in value.settings.items()})
        else:
            found[name] = value
    return found


def full_name(short: str, known: Mapping[str, Setting]) -> str | None:
    """Return the setting that a name stands for; None if there is none, or more than one."""
    if short in known:
        return short
    ends = [name for name in known if name.endswith(f".{short}")]
    return ends[0] if len(ends) == 1 else None


def knows(recipe: Recipe, names: Iterable[str]) -> bool:
    """Whether a recipe has settings of these names, full or short."""
    known = settings_of(recipe)
    return all(full_name(name, known) is not None for name in names)


def _check_builder(known: Mapping[str, Setting], found: Mapping[str, Any], name: str) -> None:
    """Raise `SettingError` if a builder's setting is given and another builder is named."""
    builders = known[name].builders
    if not builders:
        return
    slot = name.partition(".")[0]
    chosen = found.get(slot, known[slot].default)
    if chosen not in ("auto", *builders):
        raise SettingError(
            f"{slot} '{chosen}' has no setting '{name.partition('.')[2]}', which "
            f"{' and '.join(builders)} ha{'s' if len(builders) == 1 else 've'}; give --set "
            f"{slot}={next(iter(builders))} with it, or leave it out"
        )


def convert(name: str, value: Any, kind: Any) -> Any:
    """Convert one value to its type; `SettingError` if it cannot be.

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
    """Show a value on one short line, however long it is."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
