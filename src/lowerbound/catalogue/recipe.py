"""Recipes: functions that assemble parts, and their sources."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lowerbound.catalogue.flat import flat
from lowerbound.core import Model
from lowerbound.data import Schema
from lowerbound.errors import UnknownNameError
from lowerbound.objectives import Objective

#: Takes the schema; its keyword-only arguments are the recipe's settings.
Build = Callable[..., tuple[Model, Objective]]


@dataclass(frozen=True)
class Recipe:
    """An entry of the catalogue.

    Attributes:
        name: As given to `--model`.
        title: In words.
        year: Of the paper.
        source: Authors and arXiv id.
        formula: Of the quantity that is maximised.
        use: When to choose it, in a sentence.
        build: Assembles model and objective.
        parts: Takes the settings that `build` hands on by `**parts`.
        training: Defaults of `Training` that differ for this recipe; `batch_size` is the most, and
            `seen` about how many examples are gone through at most.
        avoid: When not to choose it, in a sentence.
        differs: How it departs from its source.
        refit: The prior that is fitted after training of itself, where the recipe's own was not
            replaced; empty for none.
    """

    name: str
    title: str
    year: int
    source: str
    formula: str
    use: str
    build: Build
    parts: Callable[..., Model] = flat
    training: Mapping[str, Any] = field(default_factory=dict)
    avoid: str = ""
    differs: str = ""
    refit: str = ""

    def __call__(self, schema: Schema, **settings: Any) -> tuple[Model, Objective]:
        """Assemble model and objective for data of this schema."""
        return self.build(schema, **settings)


_RECIPES: dict[str, Recipe] = {}


def recipe(name: str, **about: Any) -> Callable[[Build], Build]:
    """Enter a function in the catalogue under a name, with the other attributes of `Recipe`."""

    def enter(build: Build) -> Build:
        _RECIPES[name] = Recipe(name=name, build=build, **about)
        return build

    return enter


def recipes() -> tuple[Recipe, ...]:
    """Return every recipe: the default first, then by year."""
    return tuple(sorted(_RECIPES.values(), key=lambda r: (r.name != "auto", r.year, r.name)))


def recipe_named(name: str) -> Recipe:
    """Return one recipe; `UnknownNameError` names the neighbours of an unknown one."""
    if name not in _RECIPES:
        raise UnknownNameError("recipe", name, _RECIPES)
    return _RECIPES[name]
