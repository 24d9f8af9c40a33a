"""Classes that a model is told: as a field of the schema, in every batch, and as a person says."""

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.core import UNTOLD
from lowerbound.data import condition_codes
from lowerbound.data.schema import Schema
from lowerbound.errors import DataError, SettingError, UnknownNameError
from lowerbound.training.step import forgetting


@pytest.fixture(scope="module")
def digits():
    return lb.read("digits", limit=100, condition="class")


def test_the_label_is_a_field_that_is_told_and_not_explained(digits):
    (field,) = digits.schema.told
    assert (field.name, field.levels, field.role) == ("class", 10, "condition")
    assert digits.schema.modelled == lb.read("digits", limit=100).schema.modelled
    batch = digits.train.batch(slice(0, 7))
    assert torch.equal(batch.condition[:, 0], digits.train.label[:7])
    assert torch.equal(digits.test.select(torch.tensor([3, 1])).batch(slice(0, 2)).condition[:, 0],
                       digits.test.label[[3, 1]])  # fmt: skip
    assert next(iter(digits.train.batches(10))).condition.shape == (10, 1)


def test_a_schema_with_a_condition_is_read_back(digits):
    assert Schema.from_json(digits.schema.to_json()) == digits.schema
    assert digits.schema.reading.condition == "class"
    assert digits.fingerprint != lb.read("digits", limit=100).fingerprint


def test_what_cannot_be_told_is_refused():
    rows = np.random.default_rng(0).normal(size=(50, 3))
    with pytest.raises(SettingError, match="has no classes to tell"):
        lb.read(rows, condition="class")
    with pytest.raises(SettingError, match="a condition is 'class'"):
        lb.read("digits", limit=50, condition="colour")


def test_a_column_of_numbers_that_hardly_repeat_is_no_condition():
    # each of 240 measurements became a class of its own
    numbers = np.random.default_rng(0).normal(size=100).tolist()
    table = {"a": numbers, "b": list(range(100)), "c": [0.5, 1.5] * 50}
    with pytest.raises(DataError, match="'a' has 100 values in 100 rows, most of them once"):
        lb.read(table, condition="a")
    assert lb.read(table, condition="c").schema.told[0].levels == 2


def test_a_condition_is_told_once(digits):
    # of class=7 and class=3 the last was drawn, without a word
    with pytest.raises(SettingError, match="class is told twice"):
        condition_codes("class=7,class=3", digits.schema, 3)


def test_a_condition_is_written_by_name(digits):
    assert condition_codes("class=7", digits.schema, 3).tolist() == [[7]] * 3
    assert condition_codes(None, digits.schema, 3) is None
    with pytest.raises(UnknownNameError, match="condition"):
        condition_codes("colour=7", digits.schema, 3)
    with pytest.raises(UnknownNameError, match="value of class"):
        condition_codes("class=seven", digits.schema, 3)
    with pytest.raises(SettingError, match="this model is told nothing"):
        condition_codes("class=7", lb.read("digits", limit=50).schema, 3)


def test_a_training_forgets_the_condition_of_some_examples():
    batch = lb.Batch(torch.zeros(2000, 1), condition=torch.ones(2000, 2, dtype=torch.long))
    assert forgetting(batch, 0.0) is batch
    torch.manual_seed(0)
    left = forgetting(batch, 0.25).condition
    assert ((left == UNTOLD).all(dim=1) | (left == 1).all(dim=1)).all()
    # standard error of a share of 2000
    assert abs(float((left == UNTOLD).double().mean()) - 0.25) < 4.9 * (0.25 * 0.75 / 2000) ** 0.5
    assert (forgetting(batch, 1.0).condition == UNTOLD).all()
    assert forgetting(lb.Batch(torch.zeros(3, 1)), 0.5).condition is None
