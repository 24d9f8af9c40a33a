"""The table of kinds: what each column is taken for, and how its numbers are written back."""

import numpy as np
import pytest

from lowerbound.data.kinds import KINDS, Seen, Traits


def told(seen: Seen) -> tuple[str, Traits]:
    """The first kind that takes a column."""
    found = ((name, kind.infer(seen, False)) for name, kind in KINDS.items())
    return next((name, traits) for name, traits in found if traits is not None)


@pytest.mark.parametrize(
    ("seen", "kind", "traits"),
    [
        (Seen(0, 1, (0, 1), whole=True, integer=True), "binary", Traits(2, whole=True)),
        (Seen(1, 2, (1, 2), whole=True), "binary", Traits(2, ("1", "2"), whole=True)),
        (Seen(0.5, 7.25, (0.5, 7.25), decimals=2), "binary", Traits(2, ("0.5", "7.25"), False, 2)),
        (Seen(0, 1, categories=("no", "yes")), "binary", Traits(2, ("no", "yes"))),
        (Seen(0, 2, categories=("a", "b", "c")), "categorical", Traits(3, ("a", "b", "c"))),
        (Seen(0, 90, whole=True, integer=True), "count", Traits(whole=True)),
        (Seen(-1, 90, whole=True, integer=True), "real", Traits(whole=True)),
        (Seen(0, 90, whole=True), "real", Traits(whole=True)),
        (Seen(0, 2**40, whole=True, integer=True), "real", Traits(whole=True)),
        (Seen(-0.25, 9, decimals=2), "real", Traits(decimals=2)),
    ],
)
def test_a_column_is_of_the_first_kind_that_takes_it(seen, kind, traits):
    assert told(seen) == (kind, traits)


@pytest.mark.parametrize(
    ("kind", "traits", "stored", "written"),
    [
        ("binary", Traits(2, whole=True), [0.0, 1.0], [0, 1]),
        ("binary", Traits(2, ("1", "2"), whole=True), [1.0, 0.0], [2, 1]),
        ("binary", Traits(2, ("0.5", "7.25"), False, 2), [1.0, 0.0], [7.25, 0.5]),
        ("categorical", Traits(3, ("a", "b", "c")), [2.0, 0.0], ["c", "a"]),
        ("ordinal", Traits(9), [8.0, 3.0], [8, 3]),
        ("count", Traits(whole=True), [3.0], [3]),
        ("real", Traits(whole=True), [-2.6], [-3]),
        ("real", Traits(decimals=2), [1.23456], [1.23]),
        ("real", Traits(), [1.23456], [1.23456]),
    ],
)
def test_numbers_are_written_as_a_person_wrote_them(kind, traits, stored, written):
    found = KINDS[kind].back(np.array(stored), traits).tolist()
    assert found == written
    assert [type(one) for one in found] == [type(one) for one in written]
