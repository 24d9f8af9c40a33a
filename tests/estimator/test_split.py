"""The split without a test part: the caller keeps his own."""

import numpy as np
import pytest

from lowerbound.data import Raw, build
from lowerbound.data.rows import ArrayRows
from lowerbound.data.rows import Block
from lowerbound.data.splits import Hashes, Split, split
from lowerbound.errors import SettingError


def test_without_a_test_part_identical_rows_are_on_one_side() -> None:
    x = np.random.default_rng(0).normal(size=(12, 2))
    few = divided(np.repeat(x, 5, axis=0))  # each group of 5 fits in 10
    assert few.train is not None
    assert (len(few.train), len(few.held[1]), len(few.held[2])) == (50, 10, 0)
    assert not set(few.train // 5) & set(few.held[1] // 5)
    huge = divided(np.repeat(x[:10], 6000, axis=0)[1:])  # none fits in 5000
    assert len(huge.held[1]) == 5999


def divided(x: np.ndarray) -> Split:
    hashes = Hashes(0)
    hashes.add(0, Block(x))
    return split(hashes, where="x", test=False)


def test_a_test_part_of_the_source_is_not_learned_from_unasked() -> None:
    x = np.random.default_rng(0).normal(size=(100, 3))
    assert build(Raw("x", ArrayRows(x)), test=False).split["counts"]["test"] == 0
    with pytest.raises(SettingError, match="parts of its own"):
        build(Raw("x", ArrayRows(x), part=np.repeat([0, 2], [80, 20]).astype(np.int8)), test=False)
