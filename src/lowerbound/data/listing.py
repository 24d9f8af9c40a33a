"""The columns of a table as a person is told of them: kind, reason, gaps, a sample."""

from dataclasses import dataclass

import numpy as np

from lowerbound.data.dataset import Data
from lowerbound.data.field import Constant, Derived, Field
from lowerbound.data.table import columns_of

SHOWN = 3
LOOKED_AT = 100


@dataclass(frozen=True)
class Listed:
    """One column of a table.

    Args:
        name: Its name.
        kind: A row of `lowerbound.data.KINDS`, or "id", "text", "skip", "constant" or "derived",
            which are left out of the model.
        reason: Why, in words.
        gaps: How many cells are unknown; None where nothing counted them.
        sample: The first different values, as they are written back.
    """

    name: str
    kind: str
    reason: str
    gaps: int | None
    sample: tuple[str, ...] = ()


def listed(data: Data) -> tuple[Listed, ...]:
    """Describe the columns of a table in their first order; nothing for other data."""
    schema = data.schema
    if not schema.is_table:
        return ()
    some = data.train.few(LOOKED_AT)
    cells = columns_of(some.x, schema, some.observed)
    gaps = _gaps(data)
    found = []
    for name in schema.columns or ():
        one = next(one for one in (*schema.fields, *schema.absent) if one.name == name)
        if isinstance(one, Field):
            found.append(Listed(name, one.kind, one.reason, gaps.get(name), _sample(cells[name])))
        elif isinstance(one, Derived):
            found.append(Listed(name, "derived", one.rule, None, _sample(cells[name])))
        elif isinstance(one, Constant):
            found.append(Listed(name, "constant", "it never varies", None, (one.text,)))
        else:
            words = some.row_names if name == some.row_label else None
            reason = one.reason or "as told"
            found.append(Listed(name, one.kind, reason, None, (words or ())[:SHOWN]))
    return tuple(found)


def _gaps(data: Data) -> dict[str, int]:
    fields = data.schema.modelled
    if data.stored:
        return {}
    counts = np.zeros(len(fields), np.int64)
    for part in (data.train, data.validation, data.test):
        if part.observed is not None:
            counts += (~part.observed).sum(dim=0).numpy()
    return {field.name: int(count) for field, count in zip(fields, counts, strict=True)}


def _sample(column: np.ndarray) -> tuple[str, ...]:
    words = (
        " ".join(str(cell).split()) for cell in column.tolist() if cell is not None and cell == cell
    )
    return tuple(dict.fromkeys(words))[:SHOWN]
