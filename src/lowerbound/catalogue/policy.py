"""The choices that follow from the data, each with its reason."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lowerbound.catalogue.laws import COLOURS, law_for, law_of
from lowerbound.data import KINDS, Schema
from lowerbound.distributions.pieces import BYTES
from lowerbound.errors import SettingError
from lowerbound.networks import Init

#: Latent units beyond this are not chosen by themselves: the ELBO leaves those it cannot use idle.
MOST_LATENTS = 32
#: Latent units of images beyond small ones, likewise: 32 say colours and coarse shapes. 128 are
#: ahead on faces, and no worse on food (benchmarks/results/networks.json, "larger").
MOST_OF_IMAGES = 128
#: Latent units of series, likewise: fewer where a step says much of the next one by itself.
MOST_OF_SERIES, MOST_WHERE_TOGETHER = 64, 16
#: Latent units of each step of a deep Markov model.
UNITS_OF_STEP = 16
#: Cells of a window whose deviations from the mean have one law together: see `series_vae`.
MOST_TOGETHER = 1024
#: Fewer windows are learned by heart by such a law: 292 were, 1,250 not
#: (benchmarks/results/series.json).
ENOUGH_WINDOWS = 1000
#: Images of up to this many cells get an MLP: on two cores it is far ahead after the same minutes.
#: Beyond, its first layer outgrows a convolutional pair, which is ahead on food of 64x64 after a
#: quarter of a minute; on faces of 112x92 an MLP still was, after a third of one
#: (benchmarks/results/networks.json, "larger").
SMALL_IMAGE = 1024
#: Of images with at least so many cells a convolutional pair is ahead of an MLP where there are
#: fewer than `ENOUGH`, after the same minute already, and of more after `MANY_MINUTES`
#: (benchmarks/results/auto.json).
LARGE_ENOUGH, MANY_MINUTES = 400, 5.0
#: Larger images are gone through until so many cells were seen, at most: about ten minutes of two
#: cores at 200 colour images of 64x64 a second and core. Batches are in between: small ones leave
#: the processor waiting, large ones leave too few updates.
MOST_CELLS = 2_000_000_000
BATCH_OF_IMAGES = (32, 64)
#: How far fewer large images than `ENOUGH` are moved in training, as a fraction of their sides.
MOVED = 1 / 16
#: With fewer training examples hidden layers start small. A choice between two measurements:
#: 1,439 digits do not gain from even ones, 5,400 garments do (benchmarks/results/starts.json).
ENOUGH = 3000
#: Updates after which a model of default size is usually trained; sets the default of `epochs`.
USUAL_UPDATES = 2500
#: Bounds of that default.
FEWEST_EPOCHS, MOST_EPOCHS = 20, 1000
#: How the sentence about them begins.
FIRST_WEIGHTS = "First weights"

#: The settings that a model of single cells is given by itself.
FOR_CELLS: Mapping[str, Any] = {
    "latents": 10,
    "inputs": "logs",
    "network": "mlp",
    "network.hidden": (128,),
    "network.dropout": 0.1,
}

#: By name: first weights as part of a sentence.
STARTS: Mapping[str, str] = {
    "even": "hidden layers hand on numbers of the size they are given",
    "small": "hidden layers as they come, the last one of the encoder near zero",
    "glorot": "all layers as Glorot and Bengio have them",
    "torch": "all layers as torch draws them",
}


@dataclass(frozen=True)
class Chosen:
    """A recipe with every choice made.

    Attributes:
        recipe: Its name.
        settings: The settings that were chosen, by name.
        reasons: Why, one sentence each.
    """

    recipe: str
    settings: dict[str, Any]
    reasons: tuple[str, ...]


def choose(
    schema: Schema,
    examples: int | None = None,
    recipe: str = "auto",
    given: Mapping[str, Any] | None = None,
) -> Chosen:
    """Choose a recipe and every setting that is left open, and say why.

    Args:
        schema: That of the data.
        examples: Training examples there are; None for very many.
        recipe: Of the catalogue, or "auto".
        given: Settings that are already decided, by their full names; None and "auto" are not.

    Returns:
        The recipe's name; its settings, those that were given included; the reasons.
    """
    given = dict(given or {})

    def open_to(name: str) -> bool:
        return given.get(name) in (None, "auto")

    if schema.is_sequence:
        own, told = (
            ("text-vae", "Each byte given those before it and z")
            if schema.is_text
            else ("music-vae", "Each sixteenth given z")
        )
        if recipe not in ("auto", own):
            raise SettingError(f"recipe '{recipe}' is not for {schema.describe()}; use {own}")
        words = f"{told}, by recipe {own}."
        why = [f"The data is {schema.describe()}.", words]
        if (given.get("tokens") or BYTES) > BYTES:
            why[1] = words.replace("byte", "piece")
            why.append(
                f"Texts are cut into {given['tokens']:,} pieces: bytes, and what often stands "
                "together in the training part. log p(x) is of this one way to cut a text, at most "
                "that of the text."
            )
        return Chosen(own, given, tuple(why))
    if recipe == "dmm":
        own = {"latents": UNITS_OF_STEP, "likelihood": law_for(schema)}
        own = {**given, **{key: value for key, value in own.items() if open_to(key)}}
        words = f"{own['latents']} latent units a step, each given those of the step before."
        return Chosen(recipe, own, (f"The data is {schema.describe()}.", words))
    name = recipe
    if recipe == "auto":
        name = "table" if schema.is_table else "series-vae" if schema.is_series else "vae"
        name = "count-vae" if schema.is_cells else name
    found: dict[str, Any] = {
        "latents": latents_for(schema),
        "likelihood": law_for(schema),
        "network": network_for(schema, examples, given.get("minutes")),
        **({"likelihood.logistics": 1} if law_for(schema) == COLOURS else {}),
        **(for_table(schema) if name == "table" and schema.is_table else {}),
        **(for_series(schema, examples) if name == "series-vae" and schema.is_series else {}),
        **(FOR_CELLS if name == "count-vae" and schema.is_cells else {}),
    }
    settings = {**given, **{key: value for key, value in found.items() if open_to(key)}}
    if not open_to("likelihood") and given.get("likelihood.logistics") is None:
        settings.pop("likelihood.logistics", None)
    if open_to("init"):
        settings["init"] = init_for(settings["network"], examples)
    if settings["likelihood"] == "gaussian" and open_to("likelihood.scale"):
        scales = {3: "shared", 2: "per-channel"}
        settings["likelihood.scale"] = scales.get(len(schema.shape), "per-dimension")
    return Chosen(name, settings, reasons(schema, settings, examples))


def for_table(schema: Schema) -> dict[str, Any]:
    """Return the settings that a table's model is given by itself."""
    return {
        "latents": max(8, min(MOST_LATENTS, schema.dimensions)),
        "likelihood": "binned",
        "inputs": "binned",
        "network": "mlp",
        "network.hidden": (256, 256),
        "network.dropout": 0.1,
    }


def for_series(schema: Schema, examples: int | None = None) -> dict[str, Any]:
    """Return the settings that a model of series is given by itself."""
    many = examples is None or examples >= ENOUGH_WINDOWS
    together = schema.kind == "real" and schema.dimensions <= MOST_TOGETHER and many
    most = MOST_WHERE_TOGETHER if together else MOST_OF_SERIES
    own = {"likelihood": "gaussian" if together else "student-t"} if schema.kind == "real" else {}
    return {**own, "latents": max(1, min(most, schema.dimensions // 8))}


def latents_for(schema: Schema) -> int:
    """Return the number of latent units that data of a schema is given by itself."""
    large = schema.is_image and schema.dimensions > SMALL_IMAGE
    return max(1, min(MOST_OF_IMAGES if large else MOST_LATENTS, (schema.dimensions + 1) // 2))


def network_for(schema: Schema, examples: int | None = None, minutes: float | None = None) -> str:
    """Return the name of the networks that data of a schema is given by itself.

    Args:
        schema: That of the data.
        examples: Training examples there are; None for very many.
        minutes: Of the training, where they are given.
    """
    if schema.is_series:
        return "convolution"
    if not schema.is_image or schema.dimensions < LARGE_ENOUGH:
        return "mlp"
    few = examples is not None and examples < ENOUGH
    long = minutes is not None and minutes >= MANY_MINUTES
    return "residual" if few or long or schema.dimensions > SMALL_IMAGE else "mlp"


def init_for(network: str, examples: int | None) -> Init:
    """Return the first weights of a network, given the number of examples (None: very many)."""
    many = examples is None or examples >= ENOUGH
    return "even" if network == "residual" or (network == "mlp" and many) else "small"


def training_for(
    examples: int | None,
    most: int = 128,
    seen: int | None = None,
    updates: int = USUAL_UPDATES,
    cells: int | None = None,
) -> dict[str, Any]:
    """Return epochs, batch size (`most` at most) and patience for a number of examples.

    So many epochs as make `updates`; with `seen`, as few as go through so many examples, where that
    is less. With `cells`, those of an image beyond small ones: as many as `MOST_CELLS` allow, one
    at least, and fewer images than `ENOUGH` are mirrored and moved.
    """
    if examples is None:
        return {}
    fewest, least, more = FEWEST_EPOCHS, 16, {}
    if cells is not None:
        fewest, (least, most), seen = 1, BATCH_OF_IMAGES, MOST_CELLS // cells
        more = {"mirror": True, "shift": MOVED} if examples < ENOUGH else {}
    batch_size = max(least, min(most, examples // 20))
    per_epoch = math.ceil(examples / batch_size)
    epochs = max(FEWEST_EPOCHS, min(MOST_EPOCHS, math.ceil(updates / per_epoch)))
    if seen is not None:
        epochs = max(fewest, min(epochs, math.ceil(seen / examples)))
    return {"batch_size": batch_size, "epochs": epochs, "patience": max(10, epochs // 5), **more}


def reasons(
    schema: Schema, settings: Mapping[str, Any], examples: int | None = None
) -> tuple[str, ...]:
    """Say why these settings, one sentence each."""
    network, hidden = settings["network"], settings.get("network.hidden", (512, 512))
    if network == "residual":
        nets = f"a residual convolutional pair, {_why_convolutions(schema, settings, examples)}"
    elif network == "convolution":
        nets = "convolutions over time, because the data is series"
    elif network == "mlp":
        nets = (
            f"fully connected layers of {' and '.join(map(str, hidden)) or 'no'} units, "
            f"because the data is {_sort(schema)}"
        )
    else:
        nets = f"{network}, as asked for"
    prior = settings.get("prior", "standard-normal")
    return (
        f"The data is {schema.describe()}.",
        *_about_laws(schema, settings["likelihood"]),
        *(() if prior == "standard-normal" else (f"Prior {prior}, as asked for.",)),
        f"Networks: {nets}.",
        f"{settings['latents']} latent units: those the data does not need stay idle.",
        f"{FIRST_WEIGHTS} '{settings['init']}': {STARTS[settings['init']]}.",
    )


def _why_convolutions(schema: Schema, settings: Mapping[str, Any], examples: int | None) -> str:
    minutes = settings.get("minutes")
    if schema.dimensions > SMALL_IMAGE:
        return f"because images of {schema.dimensions:,} cells are many for fully connected layers"
    if network_for(schema, examples, minutes) != "residual":
        return "as asked for"
    if examples is not None and examples < ENOUGH:
        return f"because {examples:,} images are few, and it learns more from each"
    return f"because {minutes:g} minutes are enough for it"


def _sort(schema: Schema) -> str:
    if schema.is_table:
        return "a table"
    return "small images" if schema.is_image else "vectors"


def _about_laws(schema: Schema, law: str) -> list[str]:
    about = {
        "bernoulli": "every value is 0 or 1, so each cell is a Bernoulli",
        "student-t": "values are real numbers, so each cell is a Student t with a learned scale",
        "gaussian": "values are real numbers, so each cell is a Gaussian with a learned scale",
        "discretized-logistic": f"values are whole levels, so each cell is a logistic integrated "
        f"over {schema.levels} bins",
        COLOURS: f"values are levels of colours, so each is a logistic integrated over "
        f"{schema.levels} bins, which follows the colours of its pixel before it",
        "categorical": f"each cell is one of {schema.levels} classes",
        "negative-binomial": "values are counts, so each cell is a negative binomial",
    }
    if schema.is_series and law == "gaussian" and schema.dimensions <= MOST_TOGETHER:
        about["gaussian"] = "values are real numbers, so each cell is a Gaussian, which follows on "
        about["gaussian"] += "from those of some steps before"
    if law == "binned":
        names = [law_of(field, law) for field in schema.modelled]
        each = [f"{name} for {names.count(name)}" for name in dict.fromkeys(names)]
        return [f"Likelihood by the numbers seen in each column: {', '.join(each)}."]
    if law != "auto":
        return [f"Likelihood {law}: {about.get(law, 'as asked for')}."]
    counts: dict[str, int] = {}
    for (kind, _), places in schema.alike().items():
        counts[kind] = counts.get(kind, 0) + len(places)
    each = [f"{KINDS[kind].law} for {n} {kind} column{'s' * (n > 1)}" for kind, n in counts.items()]
    return [f"Likelihood by the kind of each column: {', '.join(each)}."]
