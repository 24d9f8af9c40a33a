"""From a recipe's name, a schema and some settings to everything that `fit` needs."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch

from lowerbound.catalogue.auto import in_words
from lowerbound.catalogue.parts import MOST_PARAMETERS, Parts
from lowerbound.catalogue.recipe import Recipe, recipe_named
from lowerbound.catalogue.settings import check_settings, settings_of
from lowerbound.data import Schema
from lowerbound.errors import SettingError
from lowerbound.models import VAE
from lowerbound.objectives import Objective
from lowerbound.seeding import seeded
from lowerbound.training import Training

#: Updates after which a model of default size is usually trained; sets the default of `epochs`.
USUAL_UPDATES = 2500
#: Bounds of that default.
FEWEST_EPOCHS, MOST_EPOCHS = 20, 1000


@dataclass(frozen=True)
class Assembly:
    """Everything that `fit` needs, and what it was made from.

    Attributes:
        recipe: The recipe.
        model: The model, freshly initialised.
        objective: What is maximised.
        training: How.
        settings: The model's and the objective's settings, all of them, as JSON values.
        words: Why it was chosen so, one sentence each.
    """

    recipe: Recipe
    model: VAE
    objective: Objective
    training: Training
    settings: dict[str, Any]
    words: tuple[str, ...]


def assemble(
    name: str,
    schema: Schema,
    settings: Mapping[str, Any] | None = None,
    *,
    examples: int | None = None,
    seed: int | None = None,
) -> Assembly:
    """Assemble a recipe for data of a schema.

    Args:
        name: Of the recipe.
        schema: What the data is.
        settings: Of model, objective and training, by name, as text or in their own types; what
            is not given is chosen.
        examples: Training examples there are; sets defaults of epochs, batch size and patience,
            and how hidden layers start.
        seed: Of the initial weights; None for a fresh one.

    Returns:
        The assembly.

    Raises:
        UnknownNameError: No such recipe or setting; names its neighbours.
        SettingError: An impossible value, or parts that do not go together.
    """
    recipe = recipe_named(name)
    given = check_settings(recipe, settings or {})
    known = settings_of(recipe)
    groups: dict[str, dict[str, Any]] = {"model": {}, "objective": {}, "training": {}}
    for key, setting in known.items():
        if key in given or setting.group == "objective":
            groups[setting.group][key] = given.get(key, setting.default)
    parts = Parts(**groups["model"]).chosen(schema, examples)
    training = Training(**{**_defaults(examples), **recipe.training, **groups["training"]})
    with torch.device("meta"):  # sizes are known before any memory is taken
        count = sum(p.numel() for p in recipe(schema, parts, **groups["objective"])[0].parameters())
    if count > MOST_PARAMETERS:
        raise SettingError(
            f"this model would have {count:,} parameters, more than {MOST_PARAMETERS:,}; choose "
            "smaller sizes"
        )
    with seeded(seed):
        model, objective = recipe(schema, parts, **groups["objective"])
    resolved = {**asdict(parts), **groups["objective"]}
    return Assembly(recipe, model, objective, training, plain(resolved), in_words(schema, parts))


def build(name: str, schema: Schema, **settings: Any) -> tuple[VAE, Objective]:
    """The model and the objective of a recipe, for data of a schema.

    Args:
        name: Of the recipe.
        schema: What the data is, such as `lowerbound.read(...).schema`.
        **settings: Of model and objective, such as `latents=16`.

    Raises:
        UnknownNameError: No such recipe or setting; names its neighbours.
        SettingError: An impossible value, or parts that do not go together.

    Example:
        >>> import lowerbound as lb
        >>> schema = lb.read("fashion-small").schema
        >>> model, objective = lb.catalogue.build("beta-vae", schema, latents=8, beta=2.0)
        >>> objective.beta
        2.0
    """
    assembly = assemble(name, schema, settings)
    return assembly.model, assembly.objective


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same with tuples as lists, as JSON has them."""
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


def training_to_json(training: Training) -> dict[str, Any]:
    """The settings of a training as JSON values."""
    return plain({entry.name: getattr(training, entry.name) for entry in fields(training)})


def _defaults(examples: int | None) -> dict[str, Any]:
    """Epochs, batch size and patience for so many examples."""
    if examples is None:
        return {}
    batch_size = max(16, min(128, examples // 20))
    per_epoch = math.ceil(examples / batch_size)
    epochs = max(FEWEST_EPOCHS, min(MOST_EPOCHS, math.ceil(USUAL_UPDATES / per_epoch)))
    return {"batch_size": batch_size, "epochs": epochs, "patience": max(10, epochs // 5)}
