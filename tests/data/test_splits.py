"""Three parts that depend on the contents alone."""

import numpy as np
import pytest
import torch

from lowerbound.data import read
from lowerbound.data.rows import Block
from lowerbound.data.splits import Hashes, Split, split
from lowerbound.errors import DataError, SettingError


def rows(x: np.ndarray) -> set[bytes]:
    return {row.tobytes() for row in np.ascontiguousarray(x)}


def normal(count: int, width: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, width))


def divided(x: np.ndarray, part: np.ndarray | None = None) -> Split:
    hashes = Hashes(0, part)
    hashes.add(0, Block(x))
    return split(hashes, where="x")


def test_a_tenth_each_goes_to_validation_and_test_and_nothing_is_lost():
    x = normal(205)
    data = read(x)
    assert (len(data.train), len(data.validation), len(data.test)) == (165, 20, 20)
    parts = [rows(part.x.numpy()) for part in (data.train, data.validation, data.test)]
    assert set.union(*parts) == rows(x)
    assert sum(map(len, parts)) == 205


def test_gaps_in_more_than_eight_columns_are_hashed_however_the_mask_lies_in_memory():
    # it ended with "underlying buffer is not C-contiguous"
    x, mask = normal(20, 9), np.arange(180).reshape(20, 9) % 7 > 0
    found = [divided_with(x, order) for order in (mask, np.asfortranarray(mask))]
    assert found[0] == found[1]


def divided_with(x: np.ndarray, observed: np.ndarray) -> str:
    hashes = Hashes(0)
    hashes.add(0, Block(x, observed))
    return hashes.fingerprint


def test_validation_and_test_hold_at_most_five_thousand():
    data = read(normal(60_000, 1))
    assert (len(data.validation), len(data.test)) == (5000, 5000)


def test_the_order_of_rows_does_not_matter():
    x = normal(100)
    one, other = read(x), read(x[np.random.default_rng(1).permutation(100)])
    assert one.fingerprint == other.fingerprint
    assert (one.train.x == other.train.x).all()


def test_the_split_is_the_same_on_every_machine_for_ever():
    # written down once: a change of rule would silently train on old runs' test examples
    data = read(np.arange(20, dtype=float).reshape(20, 1) ** 2, seed=3)
    assert sorted(data.test.x.flatten().tolist()) == TEST_OF_SEED_3
    assert sorted(data.validation.x.flatten().tolist()) == VALIDATION_OF_SEED_3


def test_another_seed_gives_another_split_and_both_are_recorded():
    one, other = read(normal(100), seed=1), read(normal(100), seed=2)
    assert rows(one.test.x.numpy()) != rows(other.test.x.numpy())
    assert (one.split["seed"], other.split["seed"]) == (1, 2)
    assert one.split["counts"] == {"train": 80, "validation": 10, "test": 10}
    assert read(normal(100), seed=1).fingerprint == one.fingerprint != other.fingerprint


def test_copies_of_an_example_land_on_one_side_and_are_told():
    x = np.repeat(normal(60), [1, 2, 3] * 20, axis=0)
    x[x == 0] = 1
    data = read(x)
    parts = [rows(part.x.numpy()) for part in (data.train, data.validation, data.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 60
    assert any("identical to another one" in str(note) for note in data.notes)


def test_minus_zero_is_a_copy_of_zero():
    x = np.concatenate([normal(20), [[0.0, 0.0, 1.0]], [[-0.0, 0.0, 1.0]]])
    data = read(x)
    assert data.split["distinct"] == 21


def test_a_group_larger_than_a_part_goes_to_training():
    x = np.concatenate([np.repeat(normal(1), 80, axis=0), normal(21)[1:]])
    for seed in range(5):
        data = read(x, seed=seed)
        assert (len(data.train), len(data.validation), len(data.test)) == (80, 10, 10)
        assert (data.train.x.numpy() == x[0]).all()


def test_every_part_has_an_example_even_when_all_groups_are_large():
    x = np.repeat(normal(10), 50, axis=0)
    data = read(x)
    assert (len(data.train), len(data.validation), len(data.test)) == (400, 50, 50)
    assert any("only 10 of 500" in str(note) for note in data.notes)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (normal(1), "a single example"),
        (normal(9), "9 distinct"),
        (np.ones((50, 3)), "all 50 examples .* identical"),
        (np.repeat(normal(4), 9, axis=0), "4 distinct"),
    ],
)
def test_too_few_distinct_examples_are_refused_with_the_least_number(x: np.ndarray, words: str):
    with pytest.raises(DataError, match=words) as caught:
        read(x)
    assert "at least 10" in str(caught.value)


def test_ten_distinct_examples_are_enough():
    data = read(normal(10))
    assert (len(data.train), len(data.validation), len(data.test)) == (8, 1, 1)


def test_given_parts_are_kept_and_only_the_missing_one_is_made():
    x = normal(100)
    part = np.repeat([0, 2], [80, 20]).astype(np.int8)
    parts = divided(x, part)
    assert parts.held[2].tolist() == list(range(80, 100))
    assert len(parts.held[1]) == 8
    assert set(parts.held[1]) < set(range(80))
    part[75:80] = 1
    parts = divided(x, part)
    assert parts.held[1].tolist() == [75, 76, 77, 78, 79]
    assert parts.record["test"] == parts.record["validation"] == "given"


def test_location_and_unit_come_from_the_training_split_only():
    x = normal(200)
    data = read(x)
    train = data.train.x.numpy()
    assert data.schema.mean is not None
    assert data.schema.scale is not None
    assert np.allclose(data.schema.mean.numpy(), train.mean(0), rtol=1e-14, atol=1e-15)
    assert np.allclose(data.schema.scale.numpy(), train.std(0), rtol=1e-14)
    assert not np.allclose(data.schema.mean.numpy(), x.mean(0), rtol=1e-6)


def test_a_column_constant_in_training_alone_has_unit_one_and_is_told():
    table = np.column_stack([normal(100)[:, 0], np.where(np.arange(100) == 0, 6.0, 5.0)])
    for seed in range(200):
        data = read(table, seed=seed)
        if (data.train.x[:, 1] == 5.0).all():
            assert data.schema.scale is not None
            assert data.schema.scale[1] == 1.0
            assert any("constant in the training split" in str(note) for note in data.notes)
            return
    pytest.fail("no seed put the odd row outside of training")


def test_limit_takes_a_subset_by_content_and_keeps_parts_in_proportion():
    x = normal(500)
    one, other = read(x, limit=100), read(x[::-1], limit=100)
    assert one.fingerprint == other.fingerprint
    assert len(one.train) + len(one.validation) + len(one.test) == 100
    small = read("fashion-small", limit=70)
    assert (len(small.train) + len(small.validation), len(small.test)) == (60, 10)


@pytest.mark.parametrize("options", [{"limit": 9}, {"limit": True}, {"seed": 2**70}, {"seed": 1.5}])
def test_impossible_options_are_refused(options: dict):
    with pytest.raises(SettingError):
        read(normal(50), **options)


def test_which_cells_are_known_tells_examples_apart():
    x = np.repeat(normal(10), 2, axis=0)
    hidden = np.ones(x.shape, bool)
    hidden[::2, 1] = False
    x[~hidden] = 0
    x[1, 1] = 0  # a known 0 and an unknown one
    found = divided(x).record["distinct"], masked(x, hidden).record["distinct"]
    assert found == (19, 20)


def masked(x: np.ndarray, observed: np.ndarray) -> Split:
    hashes = Hashes(0)
    for start in range(0, len(x), 4):
        hashes.add(start, Block(x[start : start + 4], observed[start : start + 4]))
    return split(hashes, where="x")


def test_the_fingerprint_sees_a_part_and_a_class():
    block, part = Block(normal(40)), np.repeat([0, 2], [30, 10]).astype(np.int8)
    label = np.arange(40) % 3
    prints = set()
    for hashes in (
        Hashes(0),
        Hashes(0, part),
        Hashes(0, part, label),
        Hashes(0, part, label[::-1]),
    ):
        hashes.add(0, block)
        prints.add(hashes.fingerprint)
    assert len(prints) == 4


def test_the_fingerprint_sees_one_changed_cell():
    x = normal(50)
    one = read(x).fingerprint
    x[0, 0] += 1e-12
    assert read(x).fingerprint != one
    assert len(one) == 64


def test_reading_leaves_the_random_state_alone():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    read(normal(50))
    assert (torch.get_rng_state() == before[0]).all()
    assert (np.random.get_state()[1] == before[1]).all()


TEST_OF_SEED_3 = [1.0, 100.0]
VALIDATION_OF_SEED_3 = [196.0, 289.0]
