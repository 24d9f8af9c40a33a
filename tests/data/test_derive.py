"""Columns that follow from others are found, left out, worked out again, and checked later."""

import numpy as np
import pytest

from lowerbound.data import Schema, columns_of, read, read_examples
from lowerbound.errors import DataError

rng = np.random.default_rng(0)
COUNT = 400
PLACES = {"Bern": "BE", "Thun": "BE", "Chur": "GR", "Davos": "GR", "Zug": "ZG"}


def orders() -> dict[str, list]:
    town = rng.choice(list(PLACES), COUNT).tolist()
    price = np.round(np.exp(rng.normal(3, 1, COUNT)), 2)
    tax = np.round(price * rng.uniform(0.05, 0.2, COUNT), 2)
    celsius = np.round(rng.normal(15, 8, COUNT), 1)
    return {
        "town": town,
        "canton": [PLACES[one] for one in town],
        "price": price.tolist(),
        "tax": tax.tolist(),
        "total": np.round(price + tax, 2).tolist(),
        "celsius": celsius.tolist(),
        "fahrenheit": np.round(1.8 * celsius + 32, 1).tolist(),
        "age": rng.integers(18, 80, COUNT).tolist(),
    }


ORDERS = orders()


def rules(table: dict) -> list[str]:
    return [one.rule for one in read(table).schema.derived]


def test_numbers_far_from_zero_that_are_near_each_other_follow_from_nothing():
    n = 9_007_199_254_000_000 + rng.integers(0, 1000, COUNT)
    assert rules({"n": n.tolist(), "b": rng.normal(size=COUNT).tolist()}) == []


def test_numbers_without_squares_follow_from_nothing():
    table = {"a": (rng.normal(size=COUNT) * 1e300).tolist(), "b": rng.normal(size=COUNT).tolist()}
    with pytest.raises(DataError, match=r"rescale"):
        read(table)


def test_lookups_sums_and_straight_lines_are_found_and_said():
    data = read(ORDERS)
    assert [one.rule for one in data.schema.derived] == [
        "each town has one canton",
        "total = price + tax",
        "fahrenheit = 1.8 celsius + 32",
    ]
    assert [field.name for field in data.schema.fields] == [
        "town",
        "price",
        "tax",
        "celsius",
        "age",
    ]
    assert "3 columns left out, derived" in "; ".join(map(str, data.notes))
    assert Schema.from_json(data.schema.to_json()) == data.schema


def test_they_are_worked_out_again_in_the_order_of_the_input():
    data = read(ORDERS)
    table = columns_of(data.train.x, data.schema, data.train.observed)
    assert list(table) == list(ORDERS)
    back = set(zip(*(column.tolist() for column in table.values()), strict=True))
    assert back <= set(zip(*ORDERS.values(), strict=True)) and len(back) == len(data.train)


def test_a_column_may_follow_from_the_gaps_of_another():
    """Only those who smoke are asked what: who has no brand does not smoke."""
    smokes = rng.choice(["yes", "no"], COUNT).tolist()
    brand = [f"brand {i % 3}" if one == "yes" else None for i, one in enumerate(smokes)]
    table = {"smokes": smokes, "brand": brand, "age": ORDERS["age"], "town": ORDERS["town"]}
    schema = read(table).schema
    assert [one.rule for one in schema.derived] == ["each brand has one smokes"]
    x, known = np.zeros((2, 3)), np.array([[True] * 3, [False, True, True]])
    assert columns_of(x, schema, known)["smokes"].tolist() == ["yes", "no"]


def test_a_rule_with_more_exceptions_than_one_in_a_thousand_is_none():
    table = dict(ORDERS)
    table["canton"] = ["ZG", *table["canton"][1:]]
    table["town"] = ["Bern", *table["town"][1:]]
    assert "each town has one canton" not in rules(table)  # 1 of 400


def test_a_rare_class_does_not_follow_from_everything():
    """In 2,000 rows a thousandth may be exceptions, and both frauds would be."""
    count = 2000
    table = {
        "fraud": [int(i in (7, 1500)) for i in range(count)],
        "shop": rng.choice(list("abc"), count).tolist(),
        "pay": rng.normal(size=count).tolist(),
    }
    assert rules(table) == []


def test_columns_that_agree_by_chance_are_kept():
    few = {"a": rng.integers(0, 30, 60).tolist(), "b": rng.choice(["u", "v"], 60).tolist()}
    few["c"] = rng.normal(size=60).tolist()
    assert rules(few) == []


def test_of_two_columns_that_say_the_same_the_first_stays():
    code = {"Bern": 1, "Thun": 2, "Chur": 3, "Davos": 4, "Zug": 5}
    table = {"town": ORDERS["town"], "number": [code[one] for one in ORDERS["town"]],
             "age": ORDERS["age"]}  # fmt: skip
    assert rules(table) == ["each town has one number"]
    assert rules({name: table[name] for name in ("number", "age", "town")}) == [
        "each number has one town"
    ]


def test_new_rows_that_break_a_rule_are_counted_and_gaps_are_filled_by_it():
    code = {"Bern": 1, "Thun": 2, "Chur": 3, "Davos": 4, "Zug": 5}
    table = {**ORDERS, "number": [code[one] for one in ORDERS["town"]]}
    schema = read(table).schema
    new = {name: cells[:3] for name, cells in table.items()}
    new["total"] = [new["total"][0], 9e5, new["total"][2]]
    new["town"] = [None, *new["town"][1:]]
    examples, notes = read_examples(new, schema)
    words = "; ".join(map(str, notes))
    assert "1 example breaking the rule of the training: total = price + tax" in words
    assert examples.observed is None or bool(examples.observed.all())
    towns = sorted(PLACES)
    assert examples.x[0, 0] == towns.index(ORDERS["town"][0])


@pytest.mark.parametrize("gap", [0, 5])
def test_means_between_keys_are_looked_up_at_the_nearest_one(gap: int):
    age = rng.integers(18, 22, COUNT).tolist()
    table = {"age": age, "band": ["minor" if one < 20 else "adult" for one in age],
             "pay": rng.normal(size=COUNT).tolist()}  # fmt: skip
    schema = read(table).schema
    assert [one.rule for one in schema.derived] == ["each age has one band"]
    x = np.array([[18.7, 0.0], [90.0, 0.0]])
    assert columns_of(x, schema)["band"].tolist() == ["minor", "adult"]
