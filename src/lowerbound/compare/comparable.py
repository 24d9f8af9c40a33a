"""Which figures may stand beside each other, and why the others may not."""

from collections.abc import Sequence

from lowerbound.errors import SettingError
from lowerbound.runs import Run

#: Standard deviations of two samples of one population agree better than this, and means by less
#: than one of them, down to some ten examples: a larger difference is one of units.
OTHER_UNIT = 2.0
OTHER_PLACE = 1.0


def check_comparable(runs: Sequence[Run], *, data_given: bool) -> None:
    """Raise SettingError for runs whose log p(x) are not of the same thing.

    With `data_given` the data to compare on was named, so that the runs' own may differ.
    """
    if len(runs) < 2:
        raise SettingError("compare needs at least two runs; give another one")
    first = runs[0]
    for other in runs[1:]:
        _check_schemas(first, other)
        if other.spec.data.get("fingerprint") == first.spec.data.get("fingerprint"):
            continue
        place = first.spec.data.get("location")
        same = bool(place) and place == other.spec.data.get("location")  # perhaps split otherwise
        if not data_given and not same:
            raise SettingError(
                f"{first.path} was trained on {_source(first)} and {other.path} on "
                f"{_source(other)}, whose contents differ; name what to compare them on with "
                "--data DATA"
            )
        if first.schema.kind == "real":
            _check_units(first, other)


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
    places = [[column.position for column in schema.constants] for schema in (a, b)]
    if a.columns != b.columns or places[0] != places[1]:
        raise SettingError(f"{sides}: their columns differ; fit both on the same columns")


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
        numbers = (t.flatten()[place] for t in (a.scale, a.mean, b.scale, b.mean))
        spread, mean, other_spread, other_mean = (f"{float(number):.3g}" for number in numbers)
        raise SettingError(
            f"{first.path} and {other.path} were trained in different units: cell {place + 1} "
            f"spreads over {spread} about {mean} in one, {other_spread} about {other_mean} in the "
            "other, and a density depends on the unit; fit both in the same units"
        )


def _source(run: Run) -> str:
    return str(run.spec.data.get("source") or "data that it does not name")
