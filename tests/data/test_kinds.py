"""The table of kinds: what each column is taken for, why, and how its numbers are written back."""

import sys

import numpy as np
import pytest
import torch

from lowerbound.data.guess import guess, traits_of
from lowerbound.data.kinds import KINDS, Seen, Traits
from lowerbound.errors import DataError
from lowerbound.likelihoods import BUILDERS, Site

generator = np.random.default_rng(0)
FROM_0 = (0.0, sys.float_info.max)


def column(name: str, values: object, **more) -> Seen:
    """What is seen of a column of numbers."""
    known = np.asarray(values, float)
    distinct = np.unique(known)
    whole = bool((known == np.round(known)).all())
    ends = tuple(distinct.tolist()) if len(distinct) <= 2 else ()
    return Seen(
        known.min(), known.max(), ends, whole=whole, integer=whole, name=name, some=known, **more
    )


@pytest.mark.parametrize(
    ("seen", "kind", "reason"),
    [
        (Seen(0, 1, (0, 1), whole=True, integer=True), "binary", "two numbers: 0 and 1"),
        (Seen(1, 2, (1, 2), whole=True), "binary", "two numbers"),
        (Seen(0, 1, categories=("no", "yes")), "binary", "two words: no and yes"),
        (Seen(0, 2, categories=("a", "b", "c")), "categorical", "3 different words"),
        (Seen(0, 2, categories=("low", "mid", "high"), declared="ordinal"), "ordinal", "type"),
        (Seen(0, 1, categories=("False", "True"), declared="binary"), "binary", "type"),
        (Seen(0, 9e14, form="%d.%m.%Y"), "date", r"written %d.%m.%Y"),
        (Seen(0, 9e14, form="%Y-%m-%d %H:%M"), "datetime", "written"),
        (Seen(0, 9e10, form="%H:%M"), "time", "written"),
        (Seen(0, 9e10, form="duration"), "duration", "type"),
        (column("children", generator.integers(3, 9, 99)), "count", "named children"),
        (column("faults", generator.poisson(0.7, 99)), "count", "most of them near 0"),
        (column("age", generator.integers(18, 90, 99)), "whole", "whole numbers 18 to"),
        (column("balance", generator.integers(-90, 90, 99)), "whole", "whole numbers -"),
        (column("cents", generator.integers(0, 2**40, 99)), "whole", "whole numbers"),
        (column("zipCode", generator.integers(1000, 1040, 99)), "categorical", "named code"),
        (column("hour", np.arange(24)), "cyclic", "named hour"),
        (column("Month", np.arange(1, 13)), "cyclic", "named month"),
        (column("month", np.arange(0, 80)), "whole", "whole numbers"),
        (column("height", generator.normal(170, 9, 999)), "real", "numbers"),
        (column("pay", np.exp(generator.normal(8, 1, 999))), "positive", "logarithms without skew"),
        (column("debt", np.r_[0, np.exp(generator.normal(8, 1, 999))]), "real", "numbers 0 to"),
        (column("share", generator.beta(2, 5, 99)), "bounded", "named share"),
        (column("share", 200 * generator.beta(2, 5, 99)), "real", "numbers"),
    ],
)  # fmt: skip
def test_a_column_is_of_the_first_kind_whose_rule_matches_and_says_why(seen, kind, reason):
    found, why = guess(seen)
    assert found == kind
    assert reason in why
    assert traits_of(seen, None, "a table")[0] == kind


@pytest.mark.parametrize(
    ("seen", "kind", "traits"),
    [
        (Seen(0, 1, (0, 1), whole=True, integer=True), "binary", Traits(2, whole=True)),
        (Seen(1, 2, (1, 2), whole=True), "binary", Traits(2, ("1", "2"), whole=True)),
        (Seen(0.5, 7.25, (0.5, 7.25), decimals=2), "binary", Traits(2, ("0.5", "7.25"), False, 2)),
        (column("zip", [3, 1, 2, 1]), "categorical", Traits(3, ("1", "2", "3"), whole=True)),
        (Seen(0, 2, categories=("lo", "mid", "hi")), "ordinal", Traits(3, ("lo", "mid", "hi"))),
        (Seen(0, 90, whole=True, integer=True), "count", Traits(whole=True)),
        (Seen(-9, 90, whole=True), "whole", Traits(decimals=0)),
        (Seen(0, 90, whole=True), "whole", Traits(decimals=0, bounds=(0, sys.float_info.max))),
        (Seen(-0.25, 9, decimals=2), "real", Traits(decimals=2)),
        (column("hour", [3, 0, 9]), "cyclic", Traits(12, (*"0123456789", "10", "11"), True)),
        (Seen(0.1, 0.9, decimals=1), "bounded", Traits(decimals=1, bounds=(0, 1))),
        (Seen(0.1, 90, decimals=1), "bounded", Traits(decimals=1, bounds=(0, 100))),
        (
            Seen(0, 2 * 86_400e6, form="%Y-%m-%d"),
            "date",
            Traits(form="%Y-%m-%d", unit="day"),
        ),
        (Seen(0, 90 * 60e6, form="timestamp"), "datetime", Traits(form="timestamp", unit="minute")),
    ],
)  # fmt: skip
def test_the_traits_of_a_field_follow_from_its_cells(seen, kind, traits):
    assert traits_of(seen, kind, "a table")[1] == traits


def test_a_kind_that_a_column_cannot_be_is_refused_with_what_it_holds():
    with pytest.raises(DataError, match=r"'a' .*cannot be positive: it holds numbers -1 to 9"):
        traits_of(Seen(-1, 9, name="a"), "positive", "a table")
    with pytest.raises(DataError, match=r"holds dates or times written %d\.%m\.%Y; whole is"):
        traits_of(Seen(0, 9, form="%d.%m.%Y"), "whole", "a table")
    words = tuple(map(str, range(70_000)))
    with pytest.raises(DataError, match=r"70,000 different words.*--column town=skip"):
        traits_of(Seen(0, 9, categories=words, name="town"), None, "a table")


@pytest.mark.parametrize(
    ("kind", "traits", "stored", "written"),
    [
        ("binary", Traits(2, whole=True), [0.0, 1.0], [0, 1]),
        ("binary", Traits(2, ("1", "2"), whole=True), [1.0, 0.0], [2, 1]),
        ("binary", Traits(2, ("0.5", "7.25"), False, 2), [1.0, 0.0], [7.25, 0.5]),
        ("binary", Traits(2, ("False", "True")), [1.0, 0.0], [True, False]),
        ("categorical", Traits(3, ("a", "b", "c")), [2.0, 0.0], ["c", "a"]),
        ("ordinal", Traits(9), [8.0, 3.0], [8, 3]),
        ("count", Traits(whole=True), [3.0], [3]),
        ("whole", Traits(whole=True), [-2.6], [-3]),
        ("whole", Traits(decimals=0), [-2.6], [-3.0]),
        ("real", Traits(decimals=2), [1.23456], [1.23]),
        ("real", Traits(), [1.23456], [1.23456]),
        ("bounded", Traits(decimals=2, bounds=(0, 1)), [1.7, -3.0, 0.123], [1.0, 0.0, 0.12]),
        ("positive", Traits(decimals=2), [0.001, -2.0, 3.456], [0.01, 0.01, 3.46]),
        ("positive", Traits(whole=True), [0.2, 3.0], [1, 3]),
        ("positive", Traits(decimals=2, bounds=FROM_0), [0.001, -2.0], [0.0, 0.0]),
        ("cyclic", Traits(3, ("1", "2", "3"), whole=True), [2.0], [3]),
        ("date", Traits(form="%d.%m.%Y", unit="day"), [0.0, 366.0], ["01.01.1970", "02.01.1971"]),
        ("date", Traits(form="%Y%m%d", unit="day", whole=True), [1.2], [19700102]),
        ("datetime", Traits(form="%H:%M on %d/%m/%y", unit="hour"), [25.0], ["01:00 on 02/01/70"]),
        ("datetime", Traits(form="epoch ms", unit="second"), [2.0], [2000]),
        ("datetime", Traits(form="%S.%f", unit="millisecond"), [1002.0], ["01.002"]),
        ("time", Traits(form="%H:%M", unit="minute"), [61.0, -1.0], ["01:01", "23:59"]),
    ],
)  # fmt: skip
def test_numbers_are_written_as_a_person_wrote_them(kind, traits, stored, written):
    found = KINDS[kind].back(np.array(stored), traits).tolist()
    assert found == written
    assert [type(one) for one in found] == [type(one) for one in written]


def test_zeros_among_positive_numbers_are_told_by_bounds():
    assert traits_of(Seen(0, 9, name="a"), "positive", "a table")[1].bounds == FROM_0
    assert traits_of(Seen(0.1, 9, name="a"), "positive", "a table")[1].bounds is None


def test_a_density_is_no_default_law_of_countable_numbers():
    assert {kind.name for kind in KINDS.values() if not kind.discrete} == {
        "real", "positive", "bounded",
    }  # fmt: skip
    for kind in KINDS.values():
        if kind.law != "autoregressive":
            law = BUILDERS[kind.law](Site(kind.name, (1,), kind.levels or 3))
            support = law.law(torch.zeros(1, law.parameters_per_cell)).support
            assert support.is_discrete == kind.discrete


def test_dates_whose_type_was_theirs_are_dates_of_numpy():
    days = KINDS["date"].back(np.array([1.0]), Traits(form="date", unit="day"))
    assert days.dtype == "datetime64[D]" and str(days[0]) == "1970-01-02"
    spans = KINDS["duration"].back(np.array([90.0]), Traits(form="duration", unit="minute"))
    assert spans.tolist()[0].total_seconds() == 5400
