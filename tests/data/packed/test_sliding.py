"""The order of rows: a permutation, mixed as well as it says, and the same from any place on."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowerbound.data.packed.sliding import Sliding

BLOCKS = st.lists(st.integers(0, 7), min_size=1, max_size=30).filter(any)


def rows_of(order: Sliding) -> np.ndarray:
    return np.concatenate([rows for _, _, rows in order.steps()])


@settings(max_examples=30)
@given(BLOCKS, st.integers(1, 40), st.integers(0, 2**62))
def test_every_row_comes_once(sizes, window, seed):
    starts = np.cumsum([0, *sizes])
    order = Sliding(starts, window, seed)
    rows = rows_of(order)
    assert np.array_equal(np.sort(rows), np.arange(starts[-1]))
    assert np.array_equal(rows, rows_of(Sliding(starts, window, seed)))


@settings(max_examples=30)
@given(BLOCKS, st.integers(1, 40), st.integers(0, 2**62))
def test_each_row_is_of_the_block_that_is_open_at_its_place(sizes, window, seed):
    starts = np.cumsum([0, *sizes])
    order = Sliding(starts, window, seed)
    assert order.width <= window
    for step, places, rows in order.steps():
        opened = dict(order.opened(step))
        assert len(opened) == order.width
        blocks = np.searchsorted(starts, rows, side="right") - 1
        assert [opened[int(place)] for place in places] == blocks.tolist()


def test_from_one_step_to_the_next_one_block_comes_and_one_goes():
    order = Sliding(np.arange(0, 101 * 4, 4), 8, 3)
    for step in range(1, 100):
        before, now = dict(order.opened(step - 1)), dict(order.opened(step))
        changed = [place for place in now if now[place] != before[place]]
        assert changed == [order.opened(step)[-1][0]]


def test_other_seeds_give_other_orders():
    starts = np.arange(0, 101, 4)
    orders = {rows_of(Sliding(starts, 5, seed)).tobytes() for seed in range(20)}
    assert len(orders) == 20


# --- how well it mixes


def variance_ratio(order_of, blocks: int, per_block: int, size: int, seeds: int):
    """Of batch means where all rows of a block are alike, over that of a uniform permutation."""
    values = np.repeat(np.random.default_rng(7).normal(size=blocks), per_block)
    count = len(values)
    uniform = values.var() * (count - size) / (count - 1) / size
    ratios = []
    for seed in range(seeds):
        rows = order_of(seed)[: count // size * size]
        ratios.append(np.mean((values[rows].reshape(-1, size).mean(1) - values.mean()) ** 2))
    ratios = np.array(ratios) / uniform
    return ratios.mean(), ratios.std(ddof=1) / math.sqrt(seeds)


def predicted(blocks: int, size: int, window: int) -> float:
    """1 + (B - 1) (1/W - 1/M), the class's own claim."""
    return 1 + (size - 1) * (1 / window - 1 / blocks)


BLOCKS_IN_ALL, PER_BLOCK, SIZE, WINDOW, SEEDS = 200, 64, 32, 16, 16


def test_the_variance_of_batch_means_is_what_is_claimed():
    """Fails by chance once in a million; half the window would be 10 standard errors off."""
    starts = np.arange(0, BLOCKS_IN_ALL * PER_BLOCK + 1, PER_BLOCK)
    ratio, error = variance_ratio(
        lambda seed: rows_of(Sliding(starts, WINDOW, seed)), BLOCKS_IN_ALL, PER_BLOCK, SIZE, SEEDS
    )
    claim = predicted(BLOCKS_IN_ALL, SIZE, WINDOW)
    # batches span two steps now and then, whose blocks differ by one: up to 1 / W better
    assert abs(ratio - claim) < 4.9 * error + (claim - 1) / WINDOW
    worse = predicted(BLOCKS_IN_ALL, SIZE, WINDOW // 2)
    assert worse - claim > 10 * error  # the sample is large enough to see half the window


def test_a_window_half_as_wide_is_seen():
    starts = np.arange(0, BLOCKS_IN_ALL * PER_BLOCK + 1, PER_BLOCK)
    ratio, error = variance_ratio(
        lambda seed: rows_of(Sliding(starts, WINDOW // 2, seed)),
        BLOCKS_IN_ALL, PER_BLOCK, SIZE, SEEDS,
    )  # fmt: skip
    claim = predicted(BLOCKS_IN_ALL, SIZE, WINDOW)
    assert abs(ratio - claim) > 4.9 * error + (claim - 1) / WINDOW


def test_the_start_of_an_epoch_is_as_mixed_as_its_middle():
    """Rows of one step are of W blocks from the first step on: none would be a ramp of few."""
    starts = np.arange(0, 200 * 50 + 1, 50)
    for step, places, _ in Sliding(starts, 20, 0).steps():
        # 50 rows on 20 places: fewer than 10 places has a probability below 1e-9 a step
        assert len(set(places.tolist())) >= 10, step


@pytest.mark.parametrize("blocks", [1, 5, 16])
def test_with_no_more_blocks_than_the_window_it_is_a_uniform_permutation(blocks):
    """Each of 6 rows at each of 6 places equally often: chi-square, 25 degrees of freedom.

    It fails by chance once in a million (limit 80.6 for 25); an order by blocks would give
    thousands.
    """
    rows, draws = 6, 900
    starts = np.linspace(0, rows, blocks + 1).astype(int)
    counts = np.zeros((rows, rows))
    for seed in range(draws):
        counts[np.arange(rows), rows_of(Sliding(starts, 16, seed))] += 1
    expected = draws / rows
    assert ((counts - expected) ** 2 / expected).sum() < 80.6
