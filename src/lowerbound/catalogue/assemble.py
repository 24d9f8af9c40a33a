"""From a recipe's name, a schema and some settings to everything that `fit` needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from lowerbound import likelihoods, priors
from lowerbound.catalogue.policy import SMALL_IMAGE, USUAL_UPDATES, choose, training_for
from lowerbound.catalogue.recipe import Recipe, recipe_named
from lowerbound.catalogue.refit import check_replaceable
from lowerbound.catalogue.settings import Setting, check_settings, settings_of
from lowerbound.catalogue.slots import SLOTS, Choice
from lowerbound.core import Model
from lowerbound.data import Schema
from lowerbound.errors import LowerboundError, SettingError
from lowerbound.objectives import Objective
from lowerbound.seeding import seeded
from lowerbound.training import Training

#: Parameters beyond this are taken for a slip of the keyboard.
MOST_PARAMETERS = 2_000_000_000


@dataclass(frozen=True)
class Assembly:
    """Everything that `fit` needs, and what it was made from.

    Attributes:
        recipe: The recipe.
        model: The model, freshly initialised.
        objective: The bound to maximise.
        training: The settings of its training.
        settings: The model's and the objective's settings, all of them, as JSON values.
        words: The reasons for the choices, one sentence each.
        refit: The prior to be fitted after training, "mixture", "flow", "autoregressive" or
            "auto"; empty for none. Without the setting `refit` it is the recipe's, where the
            recipe's own p(z) was not replaced.
    """

    recipe: Recipe
    model: Model
    objective: Objective
    training: Training
    settings: dict[str, Any]
    words: tuple[str, ...]
    refit: str = ""


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
        schema: That of the data.
        settings: Of model, objective and training, by name, as text or in their own types; others
            are chosen.
        examples: Training examples there are; sets defaults of epochs, batch size and patience,
            and how hidden layers start.
        seed: Of the initial weights; None for a fresh one.

    Raises:
        UnknownNameError: No such recipe or setting; names its neighbours.
        SettingError: An impossible value, or parts that do not go together.
    """
    recipe = recipe_named(choose(schema, examples, recipe_named(name).name).recipe)
    given = check_settings(recipe, settings or {})
    check_values(recipe, given)
    chosen = choose(schema, examples, name, given)
    known = settings_of(recipe)
    resolved = resolve(known, chosen.settings)
    unused = [key for key in given if known[key].builders and key not in resolved]
    words = chosen.reasons
    if schema.told:
        names = ", ".join(field.name for field in schema.told)
        words = (*words, f"The model is told, and does not explain: {names}.")
    if unused:
        words = (*words, f"Not used, as no part that was chosen has it: {', '.join(unused)}.")
    trained = {key: value for key, value in given.items() if known[key].group == "training"}
    own = dict(recipe.training)
    most, seen = own.pop("batch_size", 128) if examples else 128, own.pop("seen", None)
    updates = own.pop("updates", USUAL_UPDATES)
    large = schema.is_image and schema.dimensions > SMALL_IMAGE
    cells = schema.dimensions if large else None
    by_size = training_for(examples, most, seen, updates, cells)
    training = Training(**{**by_size, **own, **trained})
    for one in ("mirror", "shift"):
        if getattr(training, one) and not schema.is_image:
            about = f"{one} is for images, and the data is {schema.describe()}; leave it"
            raise SettingError(about)
    if schema.is_sequence and resolved.get("prior") == "vamp":
        raise SettingError(
            f"prior 'vamp' learns inputs that are numbers, and the data is {schema.describe()}; "
            "use prior=mixture"
        )
    arguments = arguments_of(known, resolved)
    try:
        with torch.device("meta"):  # sizes are known before any memory is taken
            count = sum(p.numel() for p in recipe(schema, **arguments)[0].parameters())
    except LowerboundError:
        raise
    except (RuntimeError, ValueError, ZeroDivisionError) as error:  # of torch, of such sizes
        sizes = [f"{key}={given[key]}" for key in given if known[key].group == "model"]
        if not sizes:
            raise
        line = str(error).partition("\n")[0]
        raise SettingError(f"no model can be made with {', '.join(sizes)}: {line}") from error
    if count > MOST_PARAMETERS:
        raise SettingError(
            f"this model would have {count:,} parameters, more than {MOST_PARAMETERS:,}; choose "
            "smaller sizes"
        )
    with seeded(seed):
        model, objective = recipe(schema, **arguments)
    own = settings_of(recipe_named(name))
    refit = str(given.get("refit", own["refit"].default))
    replaced = "prior" in own and resolved.get("prior") != own["prior"].default
    if training.mirror and "mirror" not in given:
        words = (*words, f"Training mirrors images at random, as there are only {examples:,}: "
                 "mirror=false where left and right differ.")  # fmt: skip
    if training.shift and "shift" not in given:
        words = (*words, f"Training moves images by up to {training.shift:.0%} of their sides, "
                 "anew each time: shift=0 where places must stay.")  # fmt: skip
    if refit == "none" or ("refit" not in given and replaced):
        refit = ""
    if refit:
        check_replaceable(model)
        noun = {"auto": "new prior", "autoregressive": "prior of codes, each given those before"}
        kind = noun.get(refit, refit)
        words = (*words, f"After training a {kind} is fitted to the encodings, if it is better.")
    return Assembly(recipe, model, objective, training, plain(resolved), words, refit)


def resolve(known: Mapping[str, Setting], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return every setting of model and objective: those given, and the defaults of the others.

    Of the settings of builders, those of the builders that are in the slots.
    """
    found = {
        name: settings.get(name, setting.default)
        for name, setting in known.items()
        if setting.group in ("model", "objective") and not setting.builders
    }
    for name, setting in known.items():
        slot = name.partition(".")[0]
        own = setting.builders.get(str(found.get(slot)))
        if own is not None:
            found[name] = settings.get(name, own.default)
        elif setting.builders and found[slot] == "auto" and name in settings:
            found[name] = settings[name]
    return found


def arguments_of(known: Mapping[str, Setting], resolved: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of a recipe: a `Choice` for each slot."""
    found: dict[str, Any] = {}
    for name, value in resolved.items():
        if known[name].builders:
            continue
        if known[name].slot is not None:
            prefix = f"{name}."
            inner = {k[len(prefix) :]: v for k, v in resolved.items() if k.startswith(prefix)}
            found[name] = Choice(value, inner)
        else:
            found[name] = value
    return found


def check_values(recipe: Recipe, given: Mapping[str, Any]) -> None:
    """Raise `SettingError` for values, from `check_settings`, that suit no data."""
    known = settings_of(recipe)
    Training(**{name: value for name, value in given.items() if known[name].group == "training"})
    latents = given.get("latents")
    if latents is not None and not 1 <= latents <= 65536:
        raise SettingError(f"latents must be from 1 to 65536, got {latents}")
    probes: dict[str, tuple[Any, ...]] = {
        "prior": (priors.Site(2, (1,), priors.StandardNormal(2)),),
        "likelihood": (likelihoods.Site("real", (1,)),),
        "network": (),
    }
    for slot, arguments in probes.items():
        chosen = given.get(slot, known[slot].default if slot in known else None)
        for builder, function in SLOTS[slot].builders.items():
            if chosen in SLOTS[slot].builders and builder != chosen:
                continue
            inner = {
                name.partition(".")[2]: value
                for name, value in given.items()
                if name.startswith(f"{slot}.") and builder in known[name].builders
            }
            if inner:
                function(*arguments, **inner)


def build(name: str, schema: Schema, **settings: Any) -> tuple[Model, Objective]:
    """Build the model and the objective of a recipe, for data of a schema.

    Args:
        name: Of the recipe.
        schema: That of the data, such as `lowerbound.read(...).schema`.
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
    """Turn tuples into lists, as JSON has them."""
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


def training_to_json(training: Training) -> dict[str, Any]:
    """Write the settings of a training as JSON values."""
    return training.to_json()
