"""Beginning a training from the weights of another run."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from lowerbound.catalogue.assemble import Assembly, assemble
from lowerbound.catalogue.policy import FIRST_WEIGHTS
from lowerbound.catalogue.settings import check_settings, settings_of
from lowerbound.data import Data, Schema
from lowerbound.errors import SettingError, ShapeError
from lowerbound.runs.load import load
from lowerbound.training import Training


def warm_start(
    path: str | Path, data: Data, settings: dict[str, Any] | None = None, *, seed: int | None = None
) -> tuple[Assembly, Data, dict[str, Any]]:
    """Prepare a run's model with its weights for a training on other data of the same schema.

    Recipe, sizes and objective are those of the run; the training is a new one. Where the schema
    measures the data (the mean and the standard deviation of a column), the run's stay in force:
    the weights were made for them.

    Args:
        path: The run whose weights are taken.
        data: The data to train on.
        settings: Of the training and the objective, by name, as text or in their own types.
        seed: Of the assembly; None for a fresh one.

    Returns:
        The assembly; the data under the run's schema; and `begun_from` of the new run's spec.

    Raises:
        RunError: The run cannot be loaded.
        ShapeError: The data has another schema; the message says where they part.
        SettingError: A setting that is the model's, and so the run's, or an impossible value.
    """
    run = load(path, refitted=False)
    apart = difference(run.schema, data.schema)
    if apart:
        raise ShapeError(
            f"the weights of {run.path} do not fit this data: {apart}; fit without --from"
        )
    count = len(data.train)
    settings = {"refit": run.spec.refit.get("prior", "none"), **(settings or {})}
    new = assemble(run.spec.recipe, run.schema, settings, examples=count, seed=seed)
    had = run.spec.settings
    given = check_settings(new.recipe, settings)
    changed = [name for name in given if name in had and new.settings[name] != had[name]]
    known = settings_of(new.recipe)
    for name in changed:
        if known[name].group != "objective":
            raise SettingError(
                f"{name} is {had[name]!r} in {run.path}, whose model --from takes; leave it out"
            )
    chosen = {**had, **{name: new.settings[name] for name in changed}}
    length = {name: getattr(new.training, name) for name in Training.__dataclass_fields__}
    assembly = assemble(run.spec.recipe, run.schema, {**chosen, **length}, seed=seed)
    assembly.model.load_state_dict(run.model.state_dict())
    words = [word for word in assembly.words if not word.startswith(FIRST_WEIGHTS)]
    assembly = replace(
        assembly, refit=new.refit, words=(*words, f"{FIRST_WEIGHTS}: those of {run.path}.")
    )
    digest = hashlib.sha256((run.path / "weights.safetensors").read_bytes()).hexdigest()
    origin = {"run": str(run.path.absolute()), "sha256": digest}
    return assembly, replace(data, schema=run.schema), origin


def difference(old: Schema, new: Schema) -> str:
    """Say where two schemas part; empty if the weights for one do for the other."""
    if (old.shape, old.kind) != (new.shape, new.kind):
        return f"it is {new.describe()}, and they were trained on {old.describe()}"
    for one, other in zip(old.fields, new.fields, strict=False):
        if one.name != other.name:
            return f"column {other.name!r} stands where they have {one.name!r}"
        if (one.kind, one.shape, one.levels) != (other.kind, other.shape, other.levels):
            return f"'{one.name}' has {other.levels} levels, and they have {one.levels}"
    if len(old.fields) != len(new.fields):
        return f"it has {len(new.fields)} columns, and they have {len(old.fields)}"
    if old.constants != new.constants:
        return "other columns never vary in it"
    if (old.threshold, old.white) != (new.threshold, new.white):
        return f"it is {new.describe()}, and they were trained on {old.describe()}"
    if old.precision != new.precision:
        return f"it is {new.precision}, and they are for {old.precision}"
    return ""
