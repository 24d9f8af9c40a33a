"""What a recipe is: a function that assembles parts, and where it comes from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lowerbound.catalogue.parts import Parts
from lowerbound.data import Schema
from lowerbound.errors import UnknownNameError
from lowerbound.models import VAE
from lowerbound.objectives import Objective

#: Takes the schema and the chosen parts; its keyword arguments are the recipe's own settings.
Build = Callable[..., tuple[VAE, Objective]]


@dataclass(frozen=True)
class Recipe:
    """An entry of the catalogue.

    Attributes:
        name: As given to `--model`.
        title: In words.
        year: Of the paper.
        source: Authors and arXiv id.
        formula: What is maximised.
        use: When to choose it, in a sentence.
        build: Assembles model and objective.
        training: Defaults of `Training` that differ for this recipe.
        avoid: When not to choose it, in a sentence.
        differs: How it departs from its source.
    """

    name: str
    title: str
    year: int
    source: str
    formula: str
    use: str
    build: Build
    training: Mapping[str, Any] = field(default_factory=dict)
    avoid: str = ""
    differs: str = ""

    def __call__(self, schema: Schema, parts: Parts, **settings: Any) -> tuple[VAE, Objective]:
        """Assemble model and objective for data of this schema."""
        return self.build(schema, parts, **settings)


_RECIPES: dict[str, Recipe] = {}


def recipe(name: str, **about: Any) -> Callable[[Build], Build]:
    """Enter a function in the catalogue under a name.

    Args:
        name: As given to `--model`.
        **about: The other attributes of `Recipe`, save `build`.
    """

    def enter(build: Build) -> Build:
        _RECIPES[name] = Recipe(name=name, build=build, **about)
        return build

    return enter


def recipes() -> tuple[Recipe, ...]:
    """Every recipe: the default first, then by year."""
    return tuple(sorted(_RECIPES.values(), key=lambda r: (r.name != "auto", r.year, r.name)))


def recipe_named(name: str) -> Recipe:
    """One recipe.

    Raises:
        UnknownNameError: There is none of that name; names its neighbours.
    """
    if name not in _RECIPES:
        raise UnknownNameError("recipe", name, _RECIPES)
    return _RECIPES[name]
