"""Bins of a column: which numbers have one of their own, where the ranges of the others end."""

import numpy as np
import pytest

from lowerbound.data import Field, Schema, read
from lowerbound.data.bins import MOST_KEPT, Values, bins_of
from lowerbound.distributions import Bins
from lowerbound.errors import DataError

RNG = np.random.default_rng(0)


def test_codes_have_one_bin_each_also_those_that_training_never_saw():
    found = bins_of(np.array([0, 2, 2, 0, 2.0]), Field("a", "categorical", levels=4))
    assert found == Bins((2, 0, 3, 0))


def test_few_whole_numbers_have_one_each_and_the_holes_between_them_share_a_range():
    found = bins_of(np.array([1, 1, 2, 5.0] * 10), Field("a", "count"))
    assert found == Bins((20, 10, 10, 0, 0, 0), (1, 2, 5), (0.5, 5.5), whole=True, low=0.0)


def test_many_whole_numbers_are_cut_at_quantiles_between_them():
    values = RNG.integers(0, 10_000, 3000).astype(float)
    values[:500] = 7
    found = bins_of(values, Field("a", "count"))
    assert 7.0 in found.atoms and found.ranges == 20
    assert sum(found.counts) == 3000 and found.counts[len(found.atoms)] == 0
    assert all(edge % 1 == 0.5 for edge in found.edges)
    inside = found.counts[len(found.atoms) + 1 : -1]
    assert min(inside) > 80 and max(inside) < 160


def test_a_real_number_has_a_bin_of_its_own_where_many_examples_hold_it():
    values = np.concatenate([np.zeros(400), RNG.normal(size=3000)])
    found = bins_of(values, Field("a", "real"))
    assert found.atoms == (0.0,)
    assert (found.low, found.high, found.whole) == (None, None, False)
    assert sum(found.counts) == 3400 and found.counts[0] == 400
    assert found.edges[0] == values.min() and found.edges[-1] == values.max()


def test_few_examples_of_different_numbers_are_not_cut():
    assert bins_of(RNG.normal(size=1999), Field("a", "real")) is None
    assert bins_of(RNG.normal(size=2000), Field("a", "real")) is not None
    assert bins_of(np.empty(0), Field("a", "real")) is None


def test_a_range_of_atoms_alone_joins_its_neighbour():
    values = np.repeat(np.arange(40.0), 60)
    values = np.concatenate([values, RNG.integers(1000, 10_000, 600)])
    found = bins_of(values, Field("a", "count"))
    assert found.edges[0] == -0.5 and len(found.atoms) >= 40
    assert all(b - a > np.sum((np.array(found.atoms) > a) & (np.array(found.atoms) < b))
               for a, b in zip(found.edges, found.edges[1:], strict=False))  # fmt: skip


def test_any_number_of_parts_gives_the_same_bins():
    values, observed = RNG.normal(size=(5000, 2)), RNG.random((5000, 2)) < 0.9
    fields = (Field("a", "real"), Field("b", "real"))
    found = []
    for parts in (1, 7):
        tool = Values(2)
        for rows in np.array_split(np.arange(5000), parts):
            tool.add(values[rows], observed[rows])
        found.append(tool.found(fields))
    assert found[0] == found[1]
    assert sum(found[0][0].counts) == observed[:, 0].sum()


def test_of_very_many_examples_every_so_many_are_kept():
    tool = Values(1)
    for start in range(0, 5 * MOST_KEPT, MOST_KEPT):
        tool.add(np.arange(start, start + MOST_KEPT)[:, None], None)
    kept = np.concatenate(tool.parts)[:, 0]
    assert len(kept) <= 2 * MOST_KEPT
    assert set(np.diff(kept)) == {float(tool.every)} == {4.0}


def test_a_schema_keeps_its_bins_and_tells_no_data_apart_by_them():
    x = {"a": RNG.normal(size=4000), "b": RNG.integers(0, 5, 4000).astype(float)}
    rows = np.stack([*x.values()], axis=1)
    schema = read(rows).schema
    assert all(field.bins is None for field in schema.fields)  # no table: no columns of names
    field = Field("b", "categorical", levels=3, bins=Bins((1, 2, 3)))
    schema = Schema((field,), (1,))
    assert Schema.from_json(schema.to_json()) == schema


def test_bins_of_another_number_of_levels_are_refused():
    with pytest.raises(DataError, match="bins that do not fit"):
        Field("b", "categorical", levels=4, bins=Bins((1, 2, 3)))
