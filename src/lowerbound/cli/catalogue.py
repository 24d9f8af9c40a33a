"""`lowerbound catalogue`: the recipes there are."""

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
    from lowerbound.catalogue.settings import settings_of
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
    settings = settings_of(recipe)
    if json:
        listed = [setting_json(setting) for setting in settings.values()]
        say_json({**about(recipe), "settings": listed})
        return
    show(recipe)
    show_limits(recipe)
    for group, title in (
        ("model", "the model"),
        ("objective", "the objective"),
        ("training", "the training"),
    ):
        say(f"--set for {title}")
        for setting in settings.values():
            if setting.group == group:
                shown = setting_json(setting)
                say(f"  {setting.name:<14} {default_in_words(shown):<12} {shown['type']}")
                say(textwrap.fill(setting.meaning, 79, **INDENTED))
        say()


#: How the meaning of a setting is laid out below its name.
INDENTED: dict[str, Any] = {
    "initial_indent": "      ", "subsequent_indent": "      ", "break_on_hyphens": False
}  # fmt: skip

#: Defaults that `fit` replaces by what suits the number of examples or the schema.
FROM_DATA = ("latents", "epochs", "batch_size", "patience")


def show(recipe: "Recipe") -> None:
    """A recipe in four lines."""
    from lowerbound.cli.console import say

    say(f"{recipe.name}  ({recipe.title}, {recipe.year})")
    say(f"  {recipe.formula}")
    say(f"  {recipe.use}")
    say(f"  {recipe.source}")
    say()


def show_limits(recipe: "Recipe") -> None:
    """When not to choose it, and how it departs from its source."""
    from lowerbound.cli.console import say

    for title, words in (
        ("when not to choose it", recipe.avoid),
        ("how it differs from its source", recipe.differs),
    ):
        if words:
            say(title)
            say(f"  {words}")
    say()


def about(recipe: "Recipe") -> dict[str, Any]:
    """What the catalogue says of a recipe."""
    names = ("name", "title", "year", "source", "formula", "use", "avoid", "differs")
    return {key: getattr(recipe, key) for key in names}


def setting_json(setting: "Setting") -> dict[str, Any]:
    """Name, type, default and group of a setting, and whether the data changes the default."""
    return {
        "name": setting.name,
        "type": type_in_words(setting.kind),
        "default": list(setting.default) if isinstance(setting.default, tuple) else setting.default,
        "from_data": setting.name in FROM_DATA,
        "group": setting.group,
        "meaning": setting.meaning,
    }


def type_in_words(kind: Any) -> str:
    """A setting's type as a person writes it.

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
    """A default as `--set` would take it, or that it follows from the data."""
    value = setting["default"]
    if setting["from_data"]:
        return "from data"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "none" if value is None else str(value)
