"""What synthetic rows give away."""

import numpy as np
import pytest

from lowerbound.evaluation.synthetic import Gower, copied, privacy, tables


def draws(count: int, seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {
        "x": generator.normal(size=count), "y": generator.normal(size=count),
        "w": generator.choice(["a", "b"], count),
    }  # fmt: skip


def test_rows_that_know_nothing_of_training_give_nothing_away():
    made, train, held_out = tables(*(draws(500, seed) for seed in range(3)))
    found = privacy(made, train, held_out, Gower(train))
    assert found.attack_error < 0.025
    assert abs(found.attack - 0.5) < 4.9 * found.attack_error
    assert abs(found.nearer - 0.5) < 4.9 * np.sqrt(0.25 / 500)
    assert found.found < 0.01 + 4.9 * np.sqrt(2 * 0.0099 / 500)
    assert copied(made, train) == 0


def test_copies_are_caught():
    # three of ten synthetic rows are training rows
    made, train = draws(500, 0), draws(500, 1)
    for name in made:
        made[name][:150] = train[name][:150]
    samples, known, fresh = tables(made, train, draws(500, 2))
    found = privacy(samples, known, fresh, Gower(known))
    assert copied(samples, known) == pytest.approx(0.3)
    assert copied(fresh, known) == 0
    assert found.attack > 0.6
    assert found.found == pytest.approx(0.3, abs=0.03)
    assert found.nearer == pytest.approx(0.3 + 0.7 / 2, abs=0.1)


def test_near_copies_are_caught_though_no_row_is_equal():
    train = draws(300, 1)
    made = {**train, "x": train["x"] + 1e-6}
    samples, known, fresh = tables(made, train, draws(300, 2))
    assert copied(samples, known) == 0
    found = privacy(samples, known, fresh, Gower(known))
    assert min(found.attack, found.found, found.nearer) > 0.99


def test_ties_are_chance():
    words = {"w": np.repeat(["a", "b"], 50)}
    table, other = tables(words, words)
    found = privacy(table, other, other, Gower(other))
    assert (found.attack, found.nearer) == (0.5, 0.5)
    assert found.found == pytest.approx(0.01)


def test_zeros_of_either_sign_and_gaps_are_equal():
    one, other = tables({"x": [0.0, 1.0], "y": [np.nan, 2.0]}, {"x": [-0.0, 5.0], "y": [np.nan, 3]})
    assert copied(one, other) == 0.5
