"""Examples that a model made of a table, judged by the splits of its data."""

import numpy as np
from torch import Tensor

from lowerbound.data import Data, Schema, columns_of
from lowerbound.errors import SettingError
from lowerbound.evaluation.synthetic.quality import MOST, SyntheticQuality, synthetic_quality
from lowerbound.evaluation.synthetic.table import WORDS


def judged(
    samples: Tensor,
    data: Data,
    observed: Tensor | None = None,
    *,
    split: str = "test",
    target: str | None = None,
    seed: int = 0,
) -> SyntheticQuality:
    """Measure how good rows are that a model made: see `synthetic_quality`.

    Args:
        samples: Examples as stored, `(M, D)`; as many as there are training examples, or 10,000,
            tell most.
        data: The table that the model learned from.
        observed: Which of their cells are no gaps, bool `(M, D)`; None for all.
        split: The held-out part, "test" or "validation".
        target: The column that usefulness predicts; every one in turn if None.
        seed: Of the choice of rows and of the classifiers.

    Raises:
        SettingError: The data is no table.
        DataError: There are too few rows.
        UnknownNameError: There is no such column, or no such split.
    """
    schema = data.schema
    if not schema.is_table:
        raise SettingError(f"synthetic rows are those of a table, got {schema.describe()}")
    parts = [(samples, observed)]
    for part in (data.train, data.part(split)):
        some = part.few(MOST) if data.stored else part.load()
        parts.append((some.x, some.observed))
    # columns that are left out of the model say nothing of it
    kinds = {one.name: one.kind for one in (*schema.fields, *getattr(schema, "left_out", ()))}
    return synthetic_quality(
        *(judged_columns(x, schema, mask) for x, mask in parts),
        kinds=kinds,
        target=target,
        seed=seed,
    )


def judged_columns(
    x: Tensor, schema: Schema, observed: Tensor | None = None
) -> dict[str, np.ndarray]:
    """Give the columns of a table back as written, but dates as the numbers that are stored."""
    found = columns_of(x, schema, observed)
    for field in schema.modelled:
        if field.kind in WORDS or field.categories or found[field.name].dtype.kind in "fiumM":
            continue
        if any(isinstance(cell, str) for cell in found[field.name]):
            stored = x[:, schema.columns_of(field)].double().numpy()[:, 0]
            found[field.name] = stored
            if observed is not None:
                known = observed[:, schema.columns_of(field)].numpy()[:, 0]
                found[field.name] = np.where(known, stored, np.nan)
    return found
