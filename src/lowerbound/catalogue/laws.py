"""Which law each cell of the data gets: the default of its kind, or one law that fits them all."""

import math
import sys
from dataclasses import replace

import torch
from torch import Tensor

from lowerbound.catalogue.slots import SLOTS, Choice
from lowerbound.data import KINDS, Field, Schema
from lowerbound.distributions import Bins
from lowerbound.errors import SettingError
from lowerbound.likelihoods import Cells, Site, StudentT

#: The kinds that each law takes, found by asking a law of each builder.
_PROBE = Site("real", (1,))
#: The law of images of two or three colours, here of one logistic each.
COLOURS = "logistic-mixture"
#: The laws of columns of too few examples to be cut into bins; for other kinds their default.
OF_FEW = {
    **dict.fromkeys(StudentT.kinds - {"positive"}, "student-t"),
    "count": "zero-inflated-negative-binomial",
}


def kinds_of(law: str) -> frozenset[str]:
    """Return the kinds of data that a law takes."""
    return SLOTS["likelihood"].builders[law](_PROBE).kinds


def fitting(kind: str, *, table: bool = True) -> tuple[str, ...]:
    """Return the laws that take a kind of data, in a table or else, its default first."""
    laws = [law for law in SLOTS["likelihood"].builders if kind in kinds_of(law)]
    laws = [law for law in laws if law != "binned" or table]
    return tuple(sorted(laws, key=lambda law: law != KINDS[kind].law))


def law_for(schema: Schema) -> str:
    """Return the law that data is given by itself; "auto" where kinds differ."""
    if schema.is_image and schema.kind == "ordinal" and not schema.missing:
        # a colour says much of the next: benchmarks/results/networks.json
        return COLOURS if schema.shape[0] in (2, 3) else KINDS["ordinal"].law
    return "auto" if schema.kind == "mixed" else KINDS[schema.kind].law


def law_of(field: Field, likelihood: str = "auto") -> str:
    """Return the law of a column: the one for all, or that of its kind.

    Where all are binned, a column that has no bins has the law of few examples.
    """
    if likelihood == "binned" and bins_of(field) is None:
        return OF_FEW.get(field.kind) or law_of(field)
    if likelihood != "auto":
        return likelihood
    zeros = field.kind == "positive" and field.bounds is not None
    return "hurdle-log-normal" if zeros else KINDS[field.kind].law


def bins_of(field: Field) -> Bins | None:
    """Return the bins of a column; of levels that were not measured one each; else None."""
    if field.bins is None and field.levels is not None and field.shape == ():
        return Bins((1,) * field.levels)
    return field.bins


def sites_of(schema: Schema, likelihood: str = "auto") -> dict[tuple[int, ...], Site]:
    """Return the cells that one law can have together, by their places in an example."""
    mean, scale = schema.mean, schema.scale
    alike = schema.alike()
    limits = _limits(schema)
    by_place = dict(enumerate(schema.modelled)) if schema.is_table else {}
    laws = {place: law_of(field, likelihood) for place, field in by_place.items()}
    cut = [place for place, law in laws.items() if law == "binned"]
    if len(alike) == 1 and not cut and len(set(laws.values())) <= 1:
        ((kind, levels),) = alike
        ((places),) = alike.values()
        return {places: Site(kind, schema.shape, levels, mean, scale, bounds=limits)}

    def site(kind: str, levels: int | None, places: tuple[int, ...]) -> Site:
        means, scales, lows, highs = (
            None if part is None else part.expand(schema.shape).flatten()[list(places)]
            for part in (mean, scale, *limits)
        )
        bounds = None if lows is None or highs is None else (lows, highs)
        return Site(kind, (len(places),), levels, means, scales, bounds=bounds)

    found: dict[tuple[int, ...], Site] = {}
    if cut:
        fields = [by_place[place] for place in cut]
        bins = tuple(one for one in map(bins_of, fields) if one is not None)
        ordered = tuple(field.kind not in ("categorical", "cyclic") for field in fields)
        first = site(fields[0].kind, None, tuple(cut))
        found[tuple(cut)] = replace(first, bins=bins, ordered=ordered)
    for (kind, levels), places in alike.items():
        rest: dict[str, tuple[int, ...]] = {}
        for place in places:
            if place not in cut:
                name = laws.get(place, kind)
                rest[name] = (*rest.get(name, ()), place)
        found |= {own: site(kind, levels, own) for own in rest.values()}
    return found


def _limits(schema: Schema) -> tuple[Tensor, Tensor]:
    """Return the least and the greatest number of every cell, infinite where there is no limit."""
    found: list[tuple[float, float]] = []
    for field in schema.modelled:
        low, high = field.bounds or ((0.0 if field.kind == "positive" else -math.inf), math.inf)
        # numbers without a limit have the greatest one that there is
        high = math.inf if high >= sys.float_info.max else high
        found += [(low, high)] * (1 if len(schema.modelled) == 1 else field.cells)
    lows, highs = torch.tensor(found, dtype=torch.float64).unbind(dim=1)
    if len(schema.modelled) == 1:
        return lows[0].expand(schema.shape), highs[0].expand(schema.shape)
    return lows.reshape(schema.shape), highs.reshape(schema.shape)


def laws_for(schema: Schema, likelihood: Choice) -> dict[tuple[int, ...], Cells]:
    """Build the law of every cell.

    Args:
        schema: That of the data.
        likelihood: One law for all cells, or "auto" for the default of each kind; settings reach
            the laws that have them.

    Returns:
        The laws, by the places of their cells, in the order of `sites_of`.

    Raises:
        SettingError: The law does not fit the data; says which do.
    """
    if likelihood.name != "auto":
        check_law(likelihood.name, schema)
    made: dict[tuple[int, ...], Cells] = {}
    for places, site in sites_of(schema, likelihood.name).items():
        name = likelihood.name
        if schema.is_table:
            name = law_of(schema.modelled[places[0]], name)
        elif name == "auto":
            name = KINDS[site.kind].law
        own = {k: v for k, v in likelihood.settings.items() if k in settings_of_law(name)}
        made[places] = SLOTS["likelihood"].builders[name](site, **own)
    return made


def settings_of_law(name: str) -> frozenset[str]:
    """Return the names of a law's own settings."""
    builder = SLOTS["likelihood"].builders[name]
    return frozenset((getattr(builder, "__kwdefaults__", None) or {}).keys())


def check_law(name: str, schema: Schema) -> None:
    """Raise `SettingError`, with the choices, if a law does not fit the data."""
    fits = kinds_of(name)
    columns = name != "binned" or schema.is_table
    if columns and all(field.kind in fits for field in schema.modelled):
        return
    if schema.kind == "mixed":
        wrong = next(field for field in schema.modelled if field.kind not in fits)
        raise SettingError(
            f"likelihood '{name}' does not fit column '{wrong.name}', which is {wrong.kind}; use "
            "--likelihood auto, which gives each column the law of its kind"
        )
    laws = fitting(schema.kind, table=schema.is_table)
    choices = " or ".join(f"--likelihood {choice}" for choice in laws)
    if name == "bernoulli" and schema.is_discrete:
        remedy = f"{choices}, or --binarize" if schema.kind == "ordinal" else choices
        raise SettingError(
            f"likelihood 'bernoulli' needs values 0 or 1, and a grey level is no probability: "
            f"the data is {schema.describe()}; use {remedy}"
        )
    if name == "gaussian" and schema.is_discrete:
        raise SettingError(
            f"likelihood 'gaussian' is a density and the data is {schema.describe()}, whose "
            f"values are countable: its log-likelihood could grow without bound; use {choices}"
        )
    raise SettingError(f"likelihood '{name}' does not fit {schema.describe()}; use {choices}")
