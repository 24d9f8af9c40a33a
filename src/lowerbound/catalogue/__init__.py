"""Names for models: recipes that assemble parts, and runs that say which recipe made them."""

# importing a recipe's module enters it in the catalogue
from lowerbound.catalogue import auto, beta_vae, iwae, vae  # noqa: F401  isort: skip
from lowerbound.catalogue.assemble import Assembly, assemble, build
from lowerbound.catalogue.origin import describe_data, recorded
from lowerbound.catalogue.parts import Parts
from lowerbound.catalogue.recipe import Recipe, recipe, recipe_named, recipes
from lowerbound.catalogue.resume import Resumption, load_state, resume
from lowerbound.catalogue.runs import Run, load
from lowerbound.catalogue.warm_start import warm_start
from lowerbound.catalogue.writer import RunWriter, save

__all__ = [
    "Assembly",
    "Parts",
    "Recipe",
    "Resumption",
    "Run",
    "RunWriter",
    "assemble",
    "build",
    "describe_data",
    "load",
    "load_state",
    "recipe",
    "recipe_named",
    "recipes",
    "recorded",
    "resume",
    "save",
    "warm_start",
]
