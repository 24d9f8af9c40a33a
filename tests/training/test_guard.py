"""When numbers are lost: one bad batch is skipped, bad weights are taken back, both are told."""

import copy
import dataclasses
import math

import pytest
import torch

from lowerbound.catalogue import assemble
from lowerbound.data import Data
from lowerbound.errors import NonFiniteError
from lowerbound.objectives import ELBO
from lowerbound.training import Callback, State, Training, fit
from lowerbound.training.guard import MOST_IN_A_ROW, MOST_ROLLBACKS

TRAINING = Training(epochs=4, batch_size=16, learning_rate=1e-2)  # four batches an epoch


@pytest.fixture
def model(data: Data):
    return assemble("vae", data.schema, {"latents": 2, "hidden": [8]}, seed=5).model


class Spoiled(torch.nn.Module):
    """A model whose bound is not a number at some traces, counted from 1 while it is training."""

    def __init__(self, model, bad) -> None:
        super().__init__()
        self.inner, self.bad, self.count = model, set(bad), 0

    def check(self, x, observed=None, name="x"):
        self.inner.check(x, observed, name)

    def trace(self, batch, samples=1, gradient="total"):
        trace = self.inner.trace(batch, samples, gradient)
        if self.training:
            self.count += 1
            if self.count in self.bad:
                return dataclasses.replace(trace, log_px=trace.log_px * math.nan)
        return trace


class Weights(Callback):
    """The live weights after every update."""

    def __init__(self, model) -> None:
        self.model, self.seen = model, []

    def on_step(self, step):
        self.seen.append(torch.cat([p.detach().flatten() for p in self.model.parameters()]))


def test_one_bad_batch_is_skipped_and_counted(data, model):
    spoiled = Spoiled(model, [6])
    weights = Weights(spoiled)
    result = fit(spoiled, ELBO(), data, TRAINING, seed=0, callbacks=[weights])
    assert (result.stopped, result.skipped, result.rollbacks) == ("epochs", 1, 0)
    assert [epoch.skipped for epoch in result.history] == [0, 1, 0, 0]
    assert [epoch.updates for epoch in result.history] == [4, 8, 12, 16]  # the schedules go on
    moved = [not torch.equal(a, b) for a, b in zip(weights.seen, weights.seen[1:], strict=False)]
    assert moved == [n != 6 for n in range(2, 17)]
    assert all(math.isfinite(epoch.train.bound) for epoch in result.history)


def test_the_mean_over_an_epoch_leaves_the_skipped_batch_out(data, model):
    slow = dataclasses.replace(TRAINING, epochs=1, learning_rate=1e-12, batch_size=32)
    whole = fit(copy.deepcopy(model), ELBO(50), data, slow, seed=0).history[0]
    part = fit(Spoiled(model, [1]), ELBO(50), data, slow, seed=0).history[0]
    assert part.train.bound == pytest.approx(whole.train.bound, rel=0.5)
    assert part.skipped == 1


def test_bad_batches_apart_from_each_other_do_not_add_up(data, model):
    result = fit(Spoiled(model, [2, 3, 5, 6, 8, 10]), ELBO(), data, TRAINING, seed=0)
    assert (result.skipped, result.rollbacks) == (6, 0)


def test_several_in_a_row_go_back_to_the_last_epoch_at_half_the_rate(data, model):
    bad = [6, 7, 8]
    assert len(bad) == MOST_IN_A_ROW
    spoiled = Spoiled(model, bad)
    weights = Weights(spoiled)
    result = fit(spoiled, ELBO(), data, TRAINING, seed=0, callbacks=[weights])
    assert (result.stopped, result.skipped, result.rollbacks) == ("epochs", 3, 1)
    assert [epoch.rollbacks for epoch in result.history] == [0, 1, 0, 0]
    assert [epoch.epoch for epoch in result.history] == [1, 2, 3, 4]
    healthy = fit(copy.deepcopy(model), ELBO(), data, TRAINING, seed=0)
    rates = [
        one.learning_rate / other.learning_rate
        for one, other in zip(result.history, healthy.history, strict=True)
    ]
    assert rates == pytest.approx([1.0, 0.5, 0.5, 0.5])


def test_an_epoch_without_one_good_batch_is_taken_back(data, model):
    one = dataclasses.replace(TRAINING, batch_size=64)
    result = fit(Spoiled(model, [2]), ELBO(), data, one, seed=0)
    assert (len(result.history), result.skipped, result.rollbacks) == (4, 1, 1)


def test_weights_that_are_lost_come_back_and_the_run_says_so(data, model):
    class Plants(Callback):
        def on_epoch(self, epoch, best):
            if epoch.epoch == 2:
                with torch.no_grad():
                    next(model.parameters()).fill_(math.inf)

    result = fit(model, ELBO(), data, TRAINING, seed=0, callbacks=[Plants()])
    assert (result.stopped, result.rollbacks) == ("epochs", 1)
    assert result.history[2].rollbacks == 1
    assert all(bool(torch.isfinite(p).all()) for p in result.model.parameters())


def test_too_many_roll_backs_end_training_with_the_diagnosis(data, model):
    before = [p.detach().clone() for p in model.parameters()]
    spoiled = Spoiled(model, range(1, 1000))
    with pytest.raises(NonFiniteError, match=r"update 1 \(epoch 1\): log p\(x\|z\)") as caught:
        fit(spoiled, ELBO(), data, TRAINING, seed=0)
    assert "\n" not in str(caught.value) and "learning_rate" in str(caught.value)
    assert spoiled.count == MOST_IN_A_ROW * (MOST_ROLLBACKS + 1)
    result = caught.value.fit
    assert (result.rollbacks, result.best) == (MOST_ROLLBACKS + 1, None)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_a_training_that_was_rolled_back_can_be_resumed_to_the_last_bit(data, model):
    bad, states = [2, 6, 7, 8, 10], []

    class Takes(Callback):
        def on_state(self, state, last):
            states.append((state(), spoiled.count))

    spoiled = Spoiled(copy.deepcopy(model), bad)
    whole = fit(spoiled, ELBO(), data, TRAINING, seed=0, callbacks=[Takes()])
    assert whole.rollbacks == 1
    for state, count in states:
        other = Spoiled(copy.deepcopy(model), bad)
        other.count = count
        again = fit(other, ELBO(), data, TRAINING, resume=State(state.tensors, state.values))
        assert all(
            torch.equal(a, b)
            for a, b in zip(whole.model.parameters(), again.model.parameters(), strict=True)
        )
        assert [e.held_out for e in again.history] == [e.held_out for e in whole.history]
        assert (again.skipped, again.rollbacks) == (whole.skipped, whole.rollbacks)
