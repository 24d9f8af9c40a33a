"""Names for models: recipes that assemble parts."""

# importing a recipe's module enters it in the catalogue
from lowerbound.catalogue import (  # noqa: F401  isort: skip
    beta_vae, counts, discrete, dmm, iwae, music, penalised, quantised, semi_supervised, series,
    table, text, vae,
)  # fmt: skip
from lowerbound.catalogue.assemble import Assembly, assemble, build
from lowerbound.catalogue.policy import Chosen, choose
from lowerbound.catalogue.recipe import Recipe, recipe, recipe_named, recipes
from lowerbound.catalogue.slots import SLOTS, Choice

__all__ = [
    "SLOTS",
    "Assembly",
    "Choice",
    "Chosen",
    "Recipe",
    "assemble",
    "build",
    "choose",
    "recipe",
    "recipe_named",
    "recipes",
]
