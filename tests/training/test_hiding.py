"""Cells hidden in training: how many, and that the bound is of the others alone."""

import math

import pytest
import torch

import lowerbound as lb
from lowerbound.data import Batch
from lowerbound.errors import SettingError
from lowerbound.seeding import seeded
from lowerbound.training.step import hiding

X = torch.zeros(20_000, 8)


def test_of_half_the_examples_an_even_share_is_hidden():
    with seeded(0):
        left = hiding(Batch(X), 0.5).observed.double()
    assert left.mean().item() == pytest.approx(0.75, abs=0.01)
    shares = left.mean(dim=1)
    # a share that is even on [0, 1] makes any number of 8 cells as likely
    for k in range(8):
        found = (shares == k / 8).double().mean().item()
        assert found == pytest.approx(0.5 / 9, abs=0.008)
    assert (shares == 1).double().mean().item() == pytest.approx(0.5 + 0.5 / 9, abs=0.015)


def test_gaps_stay_gaps_and_nothing_is_hidden_at_a_chance_of_0():
    observed = torch.rand(X.shape) < 0.7
    with seeded(0):
        left = hiding(Batch(X, observed), 1.0).observed
    assert not bool((left & ~observed).any())
    batch = Batch(X, observed)
    assert hiding(batch, 0.0) is batch


@pytest.mark.parametrize("chance", [-0.1, 1.1, math.nan])
def test_an_impossible_chance_is_refused(chance):
    with pytest.raises(SettingError, match="hide must lie in"):
        lb.Training(hide=chance)


def test_training_sees_gaps_and_validation_does_not(data):
    seen = []
    model, objective = lb.catalogue.build("vae", data.schema, latents=2, hidden=[8])
    view = model.view
    view.register_forward_pre_hook(lambda m, args: seen.append((m.training, args[0].observed)))
    lb.fit(model, objective, data, lb.Training(epochs=1, batch_size=32, hide=1.0), seed=0)
    assert all(observed is None for training, observed in seen if not training)
    hidden = [observed for training, observed in seen if training and observed is not None]
    assert len(hidden) == 2 and all(0.2 < 1 - o.float().mean() < 0.8 for o in hidden)
