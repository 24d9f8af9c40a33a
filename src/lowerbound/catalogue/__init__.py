"""Names for models: recipes that assemble parts."""

# importing a recipe's module enters it in the catalogue
from lowerbound.catalogue import auto, beta_vae, iwae, vae  # noqa: F401  isort: skip
from lowerbound.catalogue.assemble import Assembly, assemble, build
from lowerbound.catalogue.parts import Parts
from lowerbound.catalogue.recipe import Recipe, recipe, recipe_named, recipes

__all__ = [
    "Assembly",
    "Parts",
    "Recipe",
    "assemble",
    "build",
    "recipe",
    "recipe_named",
    "recipes",
]
