"""Conditions: their probability, the other cells and the draws within, against exact ones."""

import math
from datetime import date, timedelta

import pytest
import torch
from torch.distributions import Normal, StudentT

from lowerbound.applications import Condition, condition_of, generate_where
from lowerbound.data import read
from lowerbound.distributions import Columns, Product
from lowerbound.errors import SettingError, UnknownNameError
from lowerbound.models import Gaps
from lowerbound.testing import assert_frequencies, assert_mean

COUNT = 3000


def drawn(finite, *texts: str, count: int = COUNT, model=None, gaps=None):
    conditions = [condition_of(text, finite.schema) for text in texts]
    return generate_where(
        model or finite.model, count, conditions, finite.schema, gaps=gaps, samples=4000, seed=0
    )


def test_a_word_is_heeded_and_the_others_follow_from_it(finite):
    found = drawn(finite, "town=Chur")
    share = finite.prior * finite.town[:, 1]
    assert found.log_p == pytest.approx(math.log(share.sum()), abs=0.05)
    share = share / share.sum()
    assert bool((found.x[:, 1] == 1).all())
    assert_frequencies(found.x[:, 2], share @ finite.visits, resolves=0.1)
    assert_mean(found.x[:, 3], float(share @ finite.mean[:, 0]), resolves=0.4)
    assert found.effective > 1000


def test_an_interval_is_weighed_by_its_exact_mass_and_drawn_truncated(finite):
    found = drawn(finite, "age=42..50")
    law = Normal(finite.mean[:, 1], finite.scale[:, 1])
    mass = law.cdf(torch.tensor(50.0)) - law.cdf(torch.tensor(42.0))
    share = finite.prior * mass
    assert found.log_p == pytest.approx(math.log(share.sum()), abs=0.05)
    share = share / share.sum()
    age = found.x[:, 4]
    assert float(age.min()) >= 42 and float(age.max()) <= 50
    below = (law.cdf(torch.tensor(45.0)) - law.cdf(torch.tensor(42.0))) / mass
    assert_mean((age < 45).double(), float(share @ below), resolves=0.1)
    assert_mean(found.x[:, 0], float(share @ finite.member), resolves=0.1)


def test_sets_several_conditions_and_exact_values_go_together(finite):
    found = drawn(finite, "visits=1..2", "town=Bern|Zug", "member=yes", "age=40")
    density = Normal(finite.mean[:, 1], finite.scale[:, 1]).log_prob(torch.tensor(40.0)).exp()
    share = (
        finite.prior * finite.visits[:, 1:3].sum(dim=1) * finite.town[:, [0, 2]].sum(dim=1)
        * finite.member * density
    )  # fmt: skip
    assert found.log_p == pytest.approx(math.log(share.sum()), abs=0.07)
    share = share / share.sum()
    assert set(found.x[:, 1].tolist()) == {0.0, 2.0} and set(found.x[:, 2].tolist()) == {1.0, 2.0}
    assert bool((found.x[:, 0] == 1).all() & (found.x[:, 4] == 40).all())
    one = share @ (finite.visits[:, 1] / finite.visits[:, 1:3].sum(dim=1))
    assert_mean((found.x[:, 2] == 1).double(), float(one), resolves=0.1)


class OfState(Gaps):
    """No gap, or one in pay, or in town and pay, with chances that are known for each z."""

    chances = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.3, 0.3, 0.4]]).double()

    def __init__(self) -> None:
        sets = torch.zeros(3, 5, dtype=torch.bool)
        sets[1:, 3], sets[2, 1] = True, True
        super().__init__(1, sets, joint=True)

    def forward(self, z):
        return self.chances[z[..., 0].long()].log()


def test_a_gap_that_is_asked_for_and_a_value_weigh_z_by_the_law_of_gaps(finite):
    found = drawn(finite, "pay=NA", "town=Chur", gaps=OfState())
    share = finite.prior * finite.town[:, 1] * OfState.chances[:, 1]  # town has a value
    assert found.log_p == pytest.approx(math.log(share.sum()), abs=0.05)
    share = share / share.sum()
    wanted = torch.tensor([True, True, True, False, True])
    assert bool((found.observed == wanted).all() & (found.x[:, 1] == 1).all())
    assert_mean(found.x[:, 4], float(share @ finite.mean[:, 1]), resolves=1.5)
    assert_mean(found.x[:, 0], float(share @ finite.member), resolves=0.1)


def test_gaps_of_other_cells_follow_from_a_condition(finite):
    found = drawn(finite, "member=yes", gaps=OfState())
    share = finite.prior * finite.member
    share = share / share.sum()
    gaps = ~found.observed
    assert_mean(gaps[:, 3].double(), float(share @ OfState.chances[:, 1:].sum(dim=1)), resolves=0.1)
    assert bool((gaps[:, 3] | ~gaps[:, 1]).all())
    with pytest.raises(SettingError, match="no law of gaps"):
        drawn(finite, "pay=NA")
    with pytest.raises(SettingError, match="probability of 0"):
        drawn(finite, "age=NA", gaps=OfState())


def test_a_law_without_a_cumulative_function_is_drawn_from(finite):
    class Wide(type(finite.model)):
        def law(self, z):
            law = super().law(z)
            tails = StudentT(5.0, finite.mean[z], finite.scale[z], validate_args=False)
            return Product([*law.parts[:3], Columns(torch.tensor([3, 4]), tails)])

    found = drawn(finite, "age=42..50", count=500, model=Wide())
    age = found.x[:, 4]
    assert float(age.min()) >= 42 and float(age.max()) <= 50 and len(set(age.tolist())) > 400
    from scipy.stats import t

    mean, scale = finite.mean[:, 1].numpy(), finite.scale[:, 1].numpy()
    mass = t.cdf(50, 5, mean, scale) - t.cdf(42, 5, mean, scale)
    assert found.log_p == pytest.approx(math.log(finite.prior.numpy() @ mass), abs=0.08)


def test_a_number_stands_for_all_that_are_written_like_it(finite):
    one = condition_of("pay=2.5", finite.schema)
    assert (one.low, one.high) == pytest.approx((2.45, 2.55))
    assert condition_of("pay=..2.5", finite.schema).low == -math.inf
    assert condition_of("visits=2..", finite.schema).values == (2.0, 3.0)
    assert condition_of("age=40", finite.schema) == Condition(4, (40.0,))
    found = drawn(finite, "pay=2.0", count=50)
    assert bool((found.x[:, 3].round(decimals=1) == 2.0).all())


def test_what_cannot_be_is_refused_with_its_probability(finite):
    with pytest.raises(SettingError, match=r"probability of \d\.\de-\d+ under the model"):
        drawn(finite, "age=95..99")
    with pytest.raises(SettingError, match="probability of 0 under the model, less than 1e-06"):
        drawn(finite, "age=500..600")
    for text, error, words in (
        ("age", SettingError, "COLUMN=VALUE"),
        ("ages=3", UnknownNameError, "did you mean 'age'"),
        ("town=Berne", UnknownNameError, "did you mean 'Bern'"),
        ("age=old", SettingError, "holds numbers"),
        ("age=50..40", SettingError, "empty interval"),
        ("visits=9", SettingError, "no value that the column can take"),
        ("pay=NA|3", SettingError, "a gap stands alone, as in pay=NA"),
        ("age=1|2", SettingError, "one value or one interval"),
    ):
        with pytest.raises(error, match=words):
            condition_of(text, finite.schema)
    with pytest.raises(SettingError, match="one condition for each cell"):
        drawn(finite, "town=Bern", "town=Chur")


def test_what_a_model_is_told_is_no_cell_and_the_other_option_is_named():
    # "no column 'kind'", although the table has one
    table = {"a": [0.5, 1.0, 2.5, 3.0] * 10, "kind": ["x", "y"] * 20, "b": list(range(40))}
    schema = read(table, condition="kind").schema
    with pytest.raises(SettingError, match="the model is told it; use --condition kind=x"):
        condition_of("kind=x", schema)


def test_dates_and_times_are_told_as_they_are_written():
    some = [f"{1 + i % 28:02}.03.2024" for i in range(60)]
    clock = [f"{i % 24:02}:{i % 60:02}" for i in range(60)]
    waited = [timedelta(minutes=i) for i in range(60)]
    schema = read({"paid": some, "at": clock, "waited": waited}).schema
    assert [field.kind for field in schema.fields] == ["date", "time", "duration"]
    days = (date(2024, 3, 5) - date(1970, 1, 1)).days
    for text in ("paid=05.03.2024..07.03.2024", "paid=2024-03-05..2024-03-07"):
        one = condition_of(text, schema)
        assert (one.cell, one.low, one.high) == (0, days - 0.5, days + 2.5)
    one = condition_of("at=06:30..", schema)
    assert (one.low, one.high) == (389.5, math.inf)
    assert condition_of("waited=2..3", schema).high == 3.5
    with pytest.raises(SettingError, match=r"holds dates or times written %d.%m.%Y, got 'May'"):
        condition_of("paid=May", schema)
