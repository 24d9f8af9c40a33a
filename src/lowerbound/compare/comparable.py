"""Which figures may stand beside each other, and why the others may not."""

from collections.abc import Sequence

from lowerbound.data import Schema
from lowerbound.errors import SettingError
from lowerbound.runs import Run

#: Standard deviations of two samples of one population agree better than this, and means by less
#: than one of them, down to some ten examples: a larger difference is one of units.
OTHER_UNIT = 2.0
OTHER_PLACE = 1.0


def check_comparable(runs: Sequence[Run], *, data_given: bool) -> None:
    """Refuse runs whose log p(x) are not of the same thing.

    Args:
        runs: At least 2.
        data_given: Whether the data to compare on was named, so that the runs' own may differ.

    Raises:
        SettingError: With both sides and the remedy.
    """
    if len(runs) < 2:
        raise SettingError("compare needs at least two runs; give another one")
    first = runs[0]
    for other in runs[1:]:
        _check_schemas(first, other)
        if other.spec.data.get("fingerprint") == first.spec.data.get("fingerprint"):
            continue
        if not data_given and not same_source(first, other):
            raise SettingError(
                f"{first.path} was trained on {_source(first)} and {other.path} on "
                f"{_source(other)}, whose contents differ; name what to compare them on with "
                "--data DATA"
            )
        if first.schema.kind == "real":
            _check_units(first, other)


def same_source(first: Run, other: Run) -> bool:
    """Whether two runs were read from the same place, perhaps split in another way."""
    place = first.spec.data.get("location")
    return isinstance(place, str) and bool(place) and place == other.spec.data.get("location")


def _check_schemas(first: Run, other: Run) -> None:
    a, b = first.schema, other.schema
    sides = f"{first.path} models {a.describe()}, {other.path} {b.describe()}"
    if a.is_discrete != b.is_discrete:
        raise SettingError(
            f"{sides}: log p(x) of the one is a density, of the other a probability, and they "
            "cannot be compared; fit both on the same kind of data"
        )
    if a.shape != b.shape:
        raise SettingError(f"{sides}: examples of another size; fit both on the same size")
    if (a.kind, a.levels, a.threshold, a.white) != (b.kind, b.levels, b.threshold, b.white):
        raise SettingError(
            f"{sides}: probabilities of different things (binarised or coarser data are easier to "
            "predict); fit both with the same levels"
        )
    if a.columns != b.columns or _places(a) != _places(b):
        raise SettingError(f"{sides}: their columns differ; fit both on the same columns")


def _places(schema: Schema) -> tuple[int, ...]:
    return tuple(column.position for column in schema.constants)


def _check_units(first: Run, other: Run) -> None:
    """Refuse continuous data whose columns are spread differently: another unit of measurement."""
    a, b = first.schema, other.schema
    if a.scale is None or b.scale is None or a.mean is None or b.mean is None:
        return
    ratio = (a.scale.double() / b.scale.double()).flatten()
    shift = ((a.mean.double() - b.mean.double()) / a.scale.double()).abs().flatten()
    wrong = (ratio > OTHER_UNIT) | (ratio < 1 / OTHER_UNIT) | (shift > OTHER_PLACE)
    if bool(wrong.any()):
        place = int(wrong.nonzero()[0])
        raise SettingError(
            f"{first.path} and {other.path} were trained in different units: cell {place + 1} "
            f"spreads over {float(a.scale.flatten()[place]):.3g} about "
            f"{float(a.mean.flatten()[place]):.3g} in one, "
            f"{float(b.scale.flatten()[place]):.3g} about {float(b.mean.flatten()[place]):.3g} "
            "in the other, and a density depends on the unit; fit both in the same units"
        )


def _source(run: Run) -> str:
    return str(run.spec.data.get("source") or "data that it does not name")
