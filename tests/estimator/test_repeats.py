"""The same question, the same answer; and nothing of the caller's is touched."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

import lowerbound as lb
from lowerbound.data import Batch
from lowerbound.evaluation.scores import noise_seeds


def test_a_row_never_sees_another(fitted, real) -> None:
    z, scores = fitted.transform(real), fitted.score_samples(real)
    order = np.random.default_rng(0).permutation(60)
    assert np.array_equal(fitted.score_samples(real[order]), scores[order])
    assert np.array_equal(fitted.score_samples(real[5:6]), scores[5:6])
    few = np.concatenate([fitted.transform(real[i : i + 3]) for i in range(0, 60, 3)])
    np.testing.assert_allclose(few, z, rtol=1e-12)


def test_equal_rows_have_equal_scores_and_others_their_own_noise(fitted, real) -> None:
    x = real[[0, 0]].copy()
    x[:, 0] = 0.0, -0.0
    assert len(set(fitted.score_samples(x))) == 1
    rows = Batch(torch.from_numpy(real[:60]))
    seeds = set(noise_seeds(rows, 0))
    assert len(seeds) == 60
    assert not seeds & set(noise_seeds(rows, 1))


def test_a_row_beyond_all_numbers_is_named_and_costs_no_other_its_score(fitted, real) -> None:
    x = real.copy()
    x[41, 2] = 1e30
    with pytest.warns(UserWarning, match=r"1 of 60 rows have no finite bound, number 41 \(from 0"):
        found = fitted.score_samples(x)
    assert not found[41] > -np.inf  # far below every number, or none at all
    rest = np.arange(60) != 41
    assert np.array_equal(found[rest], fitted.score_samples(real)[rest])


def test_random_state_decides_everything(fitted, small, real) -> None:
    again = small(latents=2).fit(real)
    assert np.array_equal(again.score_samples(real), fitted.score_samples(real))
    assert np.array_equal(again.sample(9, random_state=3), fitted.sample(9, random_state=3))
    other = small(latents=2, random_state=1).fit(real)
    assert not np.array_equal(other.transform(real), fitted.transform(real))
    assert not np.array_equal(fitted.sample(9), fitted.sample(9))
    drawing = small(random_state=np.random.RandomState(0), epochs=1)
    assert drawing.fit(real).spec_.seed != drawing.fit(real).spec_.seed


def test_the_callers_random_state_is_untouched(tmp_path, small, real) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), np.random.get_state()[2]
    for seed in (None, 0):
        vae = small(random_state=seed).fit(real)
        vae.score(real), vae.reconstruct(real)
        vae.sample(2, random_state=seed)
        vae.save(tmp_path / str(seed))
        lb.AutoVAE.load(tmp_path / str(seed))
    after = torch.get_rng_state(), np.random.get_state()[1], np.random.get_state()[2]
    assert torch.equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])
    assert before[2] == after[2]


def test_x_is_not_written_to_and_may_be_read_only(fitted, real) -> None:
    x = real.copy()
    x.flags.writeable = False
    fitted.score(x)
    clone(fitted).fit(x).transform(x)
    assert np.array_equal(x, real)
