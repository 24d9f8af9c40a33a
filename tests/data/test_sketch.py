"""The lowest hashes: all of them where there are few, and those of the contents, not the order."""

import math

import numpy as np

from lowerbound.data.rows import Block
from lowerbound.data.sketch import Sketch, content_keys


def content_order(x: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    keys = content_keys(Block(x), seed)
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    return order, np.unique(keys.astype(np.uint64), axis=0, return_counts=True)[1]


def gone_through(keys: np.ndarray, order: np.ndarray, kept: int, step: int = 37) -> Sketch:
    sketch = Sketch(kept)
    for i in range(0, len(order), step):
        sketch.add(keys[order[i : i + step]], order[i : i + step])
    return sketch


def test_few_rows_are_all_kept_in_the_order_of_their_contents():
    x = np.random.default_rng(0).integers(0, 5, (300, 3))
    order, sizes = content_order(x, 4)
    sketch = gone_through(content_keys(Block(x), 4), np.arange(300), 300)
    _, rows, groups = sketch.lowest()
    assert sketch.complete
    assert np.array_equal(rows, order) and np.array_equal(groups, sizes)
    assert sketch.distinct() == len(sizes)


def test_of_many_rows_the_lowest_whole_groups_are_kept_whatever_their_order():
    x = np.random.default_rng(0).integers(0, 12, (5000, 3))
    keys = content_keys(Block(x), 4)
    order, sizes = content_order(x, 4)
    for seed in range(3):
        shuffled = np.random.default_rng(seed).permutation(5000)
        sketch = gone_through(keys, shuffled, 400)
        _, rows, groups = sketch.lowest()
        assert not sketch.complete
        assert 400 <= len(rows) < 420
        assert np.array_equal(rows, order[: len(rows)])
        assert np.array_equal(groups, sizes[: len(groups)])


def test_the_number_of_distinct_rows_is_estimated_within_its_error():
    """4.9 standard errors of 1/sqrt(k); an estimate of all rows as distinct is 40 off."""
    x = np.repeat(np.arange(20_000), 3)[:, None]
    sketch = gone_through(content_keys(Block(x), 0), np.arange(len(x)), 6000, 997)
    error = 20_000 / math.sqrt(2000)
    assert abs(sketch.distinct() - 20_000) < 4.9 * error
    assert abs(60_000 - 20_000) > 40 * error


def test_a_mask_that_lies_column_after_column_hashes_like_one_that_lies_row_after_row():
    # its packed bits stayed laid out so, and could not be hashed
    x, observed = np.zeros((5, 14)), np.arange(70).reshape(5, 14) % 3 > 0
    by_row = content_keys(Block(x, observed), 0)
    by_column = content_keys(Block(x, np.asfortranarray(observed)), 0)
    assert np.array_equal(by_row, by_column)
