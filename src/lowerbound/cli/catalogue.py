"""`lowerbound catalogue`: the recipes there are."""

import inspect
import textwrap
import typing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lowerbound.cli.common import Json

if TYPE_CHECKING:
    from lowerbound.catalogue import Recipe
    from lowerbound.catalogue.settings import Setting


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One recipe, with all its settings.")
    ] = None,
    json: Json = False,
) -> None:
    """List the recipes for --model; with NAME, everything that --set can change.

    Examples:
      lowerbound catalogue
      lowerbound catalogue beta-vae
      lowerbound catalogue beta-vae --json
    """
    from lowerbound.catalogue import recipe_named, recipes
    from lowerbound.catalogue.settings import each_of, settings_of
    from lowerbound.cli.console import say, say_json

    if name is None:
        if json:
            say_json([about(recipe) for recipe in recipes()])
            return
        for recipe in recipes():
            show(recipe)
        say("lowerbound catalogue NAME lists the settings of one.")
        return
    recipe = recipe_named(name)
    settings = [one for setting in settings_of(recipe).values() for one in each_of(setting)]
    if json:
        listed = [setting_json(setting, builder) for builder, setting in settings]
        say_json({**about(recipe), "settings": listed})
        return
    show(recipe)
    if recipe.avoid:
        say(f"when not to choose it\n  {recipe.avoid}")
    if recipe.differs:
        say(f"how it differs from its source\n  {recipe.differs}")
    say()
    for group, title in (
        ("model", "the model"),
        ("objective", "the objective"),
        ("training", "the training"),
        ("afterwards", "a trained model"),
    ):
        say(f"--set for {title}")
        for builder, setting in settings:
            if setting.group == group and builder is None:
                show_setting(setting)
                for part, words in choices(setting).items():
                    say_indented(f"{part}: {words}", 4, hanging=4)
                    for of, inner in settings:
                        if of == part and inner.name.startswith(f"{setting.name}."):
                            show_setting(inner, 6)
        say()


def show_setting(setting: "Setting", indent: int = 2) -> None:
    """Show the name, default, type and meaning of a setting, in lines of at most 79 characters."""
    shown = setting_json(setting)
    kind = "one of these" if shown["choices"] else shown["type"]
    name = f"{setting.name:<{24 - indent}}"
    say_indented(f"{name} {default_in_words(shown):<16} {kind}", indent)
    say_indented(setting.meaning, indent + 4)


def say_indented(text: str, indent: int, hanging: int = 0) -> None:
    """Print some text, each line of it indented, those after the first by `hanging` more."""
    from lowerbound.cli.console import say

    first, further = " " * indent, " " * (indent + hanging)
    say(textwrap.fill(text, 79, initial_indent=first, subsequent_indent=further,
                      break_on_hyphens=False))  # fmt: skip


def choices(setting: "Setting") -> dict[str, str]:
    """List the builders of a slot, each with the first line of its docstring."""
    if setting.slot is None:
        return {}
    said = {"auto": "Whatever suits the data."} if setting.slot.auto else {}
    for name, builder in setting.slot.builders.items():
        said[name] = (inspect.getdoc(builder) or "").partition("\n")[0]
    return said


#: Defaults that `fit` replaces by what suits the number of examples or the schema.
FROM_DATA = ("latents", "epochs", "batch_size", "patience")


def show(recipe: "Recipe") -> None:
    """Show a recipe in four lines."""
    from lowerbound.cli.console import say

    say(f"{recipe.name}  ({recipe.title}, {recipe.year})")
    say(f"  {recipe.formula}\n  {recipe.use}\n  {recipe.source}\n")


def about(recipe: "Recipe") -> dict[str, Any]:
    """Collect the words of the catalogue on a recipe."""
    names = ("name", "title", "year", "source", "formula", "use", "avoid", "differs")
    return {key: getattr(recipe, key) for key in names}


def setting_json(setting: "Setting", builder: str | None = None) -> dict[str, Any]:
    """Collect name, type, default and group of a setting, and whether data changes the default.

    `builder` is the name of the part that has it, None for settings of no part.
    """
    return {
        "name": setting.name,
        "builder": builder,
        "type": type_in_words(setting.kind) if setting.slot is None else "a name",
        "choices": choices(setting),
        "default": list(setting.default) if isinstance(setting.default, tuple) else setting.default,
        "from_data": setting.name in FROM_DATA,
        "group": setting.group,
        "meaning": setting.meaning,
    }


def type_in_words(kind: Any) -> str:
    """Write a setting's type as a person does.

    Example:
        >>> type_in_words(tuple[int, ...]), type_in_words(float | None)
        ('whole numbers, comma between', 'number, or none')
    """
    arguments = typing.get_args(kind)
    if type(None) in arguments:
        (inner,) = [argument for argument in arguments if argument is not type(None)]
        return f"{type_in_words(inner)}, or none"
    if typing.get_origin(kind) is typing.Literal:
        return " | ".join(map(str, arguments))
    if typing.get_origin(kind) is tuple:
        return f"{type_in_words(arguments[0])}s, comma between"
    words = {int: "whole number", float: "number", bool: "true or false"}
    return words.get(kind, getattr(kind, "__name__", str(kind)))


def default_in_words(setting: dict[str, Any]) -> str:
    """Write a default as `--set` would take it, or that it follows from the data."""
    value = setting["default"]
    if setting["from_data"]:
        return "from data"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "none" if value is None else str(value)
