"""Measures of disentanglement: codes whose scores are known."""

import numpy as np
import pytest

from lowerbound.data.sprites import FACTORS, draw, sprites
from lowerbound.errors import DataError
from lowerbound.evaluation.disentanglement import (
    disentangled,
    explained_by,
    factor_vae_score,
    information_of,
)

LEVELS = (3, 6, 10)


def factors_of(rows=1000, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, n, rows) for n in LEVELS], axis=1)


def test_a_code_of_one_unit_a_factor_scores_one():
    factors = factors_of()
    z = np.concatenate([factors[:, ::-1] * [2.0, -1.0, 0.3], np.full((1000, 1), 7.0)], axis=1)
    found = disentangled(z, factors)
    assert found.mig > 0.98 and found.sap > 0.98 and found.factor_vae == 1.0
    assert min(found.disentanglement, found.completeness, found.informativeness) > 0.9


def test_a_rotated_code_scores_low_though_it_knows_as_much():
    factors = factors_of()
    turn = np.array([[2, -1, 2], [2, 2, -1], [-1, 2, 2]]) / 3  # of length 1, at right angles
    z = (factors - factors.mean(axis=0)) / factors.std(axis=0) @ turn
    straight, found = disentangled(factors, factors), disentangled(z, factors)
    assert found.mig < 0.3 and found.sap < 0.5
    assert found.disentanglement < 0.6 < straight.disentanglement
    assert found.informativeness > 0.7


def test_a_code_of_noise_scores_nothing():
    factors = factors_of(4000)
    found = disentangled(np.random.default_rng(1).normal(size=(4000, 3)), factors)
    assert found.mig < 0.02 and found.sap < 0.02
    # chance: the share of the most frequent vote
    assert found.factor_vae < 0.5


def test_a_factor_in_two_units_is_known_and_has_no_gap():
    factors = factors_of()
    z = np.concatenate([factors, factors[:, :1]], axis=1).astype(float)
    found, single = disentangled(z, factors), disentangled(factors, factors)
    assert found.mig == pytest.approx(single.mig * 2 / 3, abs=0.01)
    assert found.completeness < single.completeness - 0.05


def test_information_and_explained_variance_have_their_closed_forms():
    factors = np.stack([np.arange(400) % 4, np.arange(400) // 200], axis=1)
    z = np.stack([factors[:, 0] % 2, np.arange(400) // 200], axis=1).astype(float)
    known = [[np.log(2), 0], [0, np.log(2)]]
    assert np.allclose(information_of(z, factors, 20), known, atol=1e-12)
    assert np.allclose(explained_by(z, factors), [[1, 0], [0, 1]], atol=1e-12)


def test_an_idle_unit_has_no_vote():
    factors = factors_of()
    idle = 1e-6 * np.random.default_rng(0).normal(size=(1000, 1))
    z = np.concatenate([factors, idle], axis=1)
    assert factor_vae_score(z, factors, np.random.default_rng(0)) == 1.0


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(DataError, match="go together"):
        disentangled(np.zeros((3, 2)), np.zeros((4, 2)))
    with pytest.raises(DataError, match="never varies"):
        disentangled(np.zeros((3, 2)), np.zeros((3, 1)))


def test_sprites_move_grow_and_turn_by_their_factors():
    images, factors = sprites(200, seed=3)
    assert images.shape == (200, 1, 64, 64) and set(np.unique(images)) == {0, 1}
    assert (factors.max(axis=0) < list(FACTORS.values())).all()
    assert (draw(factors) == images).all()
    rows = np.array([[0, 3, 0, 5, 5], [0, 3, 0, 25, 5], [0, 3, 10, 5, 5], [0, 5, 0, 5, 5]])
    square, right, quarter, large = draw(rows)[:, 0]
    assert abs(int(square.sum()) - int(right.sum())) < 0.1 * square.sum()
    assert right[:, :20].sum() == 0 and right.any(axis=1).argmax() == square.any(axis=1).argmax()
    assert (square == quarter).mean() > 0.98  # a square after a quarter of a turn
    assert large.sum() > 1.3 * square.sum()
    edges = draw(np.array([[s, 5, t, x, y] for s in range(3) for t in (0, 5, 13)
                           for x in (0, 31) for y in (0, 31)]))  # fmt: skip
    assert not edges[:, 0, [0, -1]].any() and not edges[:, 0, :, [0, -1]].any()
    assert (edges.sum(axis=(1, 2, 3)) > 100).all()
