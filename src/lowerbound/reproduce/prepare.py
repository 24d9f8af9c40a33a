"""From an entry to everything that `fit` needs."""

from collections.abc import Mapping
from typing import Any

from lowerbound.catalogue import Assembly, assemble
from lowerbound.data import Data
from lowerbound.errors import SettingError
from lowerbound.reproduce.entry import Entry


def prepare(
    entry: Entry,
    data: Data,
    *,
    seed: int,
    epochs: int | None = None,
    minutes: float | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Assembly:
    """Assemble the model with its first weights, the objective and the training of an entry.

    The budget is the whole one unless `epochs` or `minutes` say less. A shorter budget keeps the
    shape of the schedule: it is a function of the fraction done.
    """
    chosen = {**entry.settings, **(settings or {})}
    if epochs is not None:
        chosen["epochs"] = epochs
    if minutes is not None:
        chosen["minutes"] = minutes
    assembly = assemble(entry.recipe, data.schema, chosen, examples=len(data.train), seed=seed)
    per_epoch = -(-len(data.train) // assembly.training.batch_size)
    updates = assembly.training.epochs * per_epoch
    if entry.most_updates is not None and minutes is None and updates > entry.most_updates:
        raise SettingError(
            f"{entry.name} may make {entry.most_updates:,} updates at most, and this is "
            f"{updates:,}; give --epochs {entry.most_updates // per_epoch}, or a larger batch_size"
        )
    return assembly
