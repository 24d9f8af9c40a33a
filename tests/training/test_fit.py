"""Training: the same for the same seed, guarded, ended in good order."""

import copy
import dataclasses
import math
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from lowerbound.catalogue import assemble
from lowerbound.data import Data, Examples
from lowerbound.errors import DataError, NonFiniteError, SettingError, SupportError
from lowerbound.objectives import ELBO, IWAE, Annealed, FreeBits
from lowerbound.testing.traces import made
from lowerbound.training import Callback, StopTraining, Training, WarmUp, fit

SHORT = Training(epochs=3, batch_size=16, learning_rate=1e-2)


def vae(data: Data, **settings):
    return assemble("vae", data.schema, {"latents": 2, "hidden": [8], **settings}, seed=5).model


@pytest.fixture
def model(data: Data):
    return vae(data)


def weights(model) -> list[torch.Tensor]:
    return [t.clone() for t in model.state_dict().values()]


def equal(one, other) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_same_seed_gives_the_same_weights_to_the_last_bit(data, model):
    runs = [fit(copy.deepcopy(model), ELBO(), data, SHORT, seed=3) for _ in range(2)]
    assert equal(weights(runs[0].model), weights(runs[1].model))
    assert [e.held_out for e in runs[0].history] == [e.held_out for e in runs[1].history]
    other = fit(copy.deepcopy(model), ELBO(), data, SHORT, seed=4)
    assert not equal(weights(runs[0].model), weights(other.model))


def test_the_random_state_of_the_caller_is_left_alone(data, model):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    result = fit(model, ELBO(), data, SHORT)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert 0 <= result.seed < 2**31


class Keeper(Callback):
    """Keeps the weights that would be kept, epoch by epoch, and the order of what it is told."""

    def __init__(self) -> None:
        self.best, self.told = [], []

    def on_execution(self, execution):
        self.told.append(("execution", execution))

    def on_start(self, epochs, per_epoch):
        self.told.append(("start", epochs, per_epoch))

    def on_step(self, step):
        self.told.append(("step", step.epoch, step.index, step.examples, step.fraction))

    def on_epoch(self, epoch, best):
        self.best.append((epoch, list(best().values())))

    def on_end(self, stopped):
        self.told.append(("end", stopped))


class Spoils(Callback):
    """Moves all weights far away after some epoch, so that no later one is better."""

    def __init__(self, model, after: int) -> None:
        self.model, self.after = model, after

    def on_epoch(self, epoch, best):
        if epoch.epoch == self.after:
            with torch.no_grad():
                for parameter in self.model.parameters():
                    parameter.add_(3.0)


def test_the_best_weights_are_kept_and_judged_under_the_same_noise(data, model):
    keeper = Keeper()
    spoils = Spoils(model, after=4)
    training = dataclasses.replace(SHORT, epochs=8, average=None)
    result = fit(model, ELBO(), data, training, seed=0, callbacks=[keeper, spoils])
    bounds = [epoch.held_out.bound for epoch in result.history]
    assert result.best.held_out.bound == max(bounds)
    assert result.best.epoch == 1 + bounds.index(max(bounds))
    assert [e.best for e in result.history] == [
        b == max(bounds[: i + 1]) for i, b in enumerate(bounds)
    ]
    kept = next(w for epoch, w in keeper.best if epoch.epoch == result.best.epoch)
    assert equal(kept, weights(result.model))
    assert result.best.epoch <= 4 < len(bounds)


def test_the_loss_is_minus_the_mean_bound_and_adam_follows_it(data, model):
    # one update by hand: Adam's first step is the learning rate times the sign of the gradient
    training = Training(epochs=1, batch_size=64, learning_rate=1e-2, warm_up=0.0, average=None,
                        final_rate=1.0, epsilon=1e-12)  # fmt: skip
    before = copy.deepcopy(model)
    result = fit(model, ELBO(), data, training, seed=0)
    assert result.history[0].updates == 1
    for one, other in zip(before.parameters(), result.model.parameters(), strict=True):
        step = (other - one).detach()
        moved = step[step.abs() > 1e-9]
        assert torch.allclose(moved.abs(), torch.tensor(1e-2), rtol=1e-2)
    with torch.no_grad():
        batch, values = data.train.batch(slice(None)), []
        for one in (before, model):
            torch.manual_seed(0)  # the same noise
            values.append(ELBO(200)(one, batch).value.mean())
    assert values[1] > values[0]  # up the bound, not down


def test_history_counts_updates_and_examples(data, model):
    keeper = Keeper()
    result = fit(model, ELBO(), data, SHORT, seed=0, callbacks=[keeper])
    assert keeper.told.pop(0) == ("execution", result.execution)
    assert result.stopped == "epochs"
    assert [e.epoch for e in result.history] == [1, 2, 3]
    assert [e.updates for e in result.history] == [4, 8, 12]
    assert keeper.told[0] == ("start", 3, 4)
    assert keeper.told[4] == ("step", 1, 4, 64, pytest.approx(4 / 12))
    assert keeper.told[-2:] == [("step", 3, 4, 64, 1.0), ("end", "epochs")]
    terms = result.history[0].held_out
    assert terms.elbo == pytest.approx(-(terms.distortion + terms.rate))
    assert type(result.history[0]).from_json(result.history[0].to_json()) == result.history[0]


def test_held_out_data_is_judged_without_annealing_or_free_bits(data, model):
    guided = Annealed(FreeBits(ELBO(), 2.0), WarmUp(1.0))
    result = fit(model, guided, data, SHORT, seed=0)
    for epoch in result.history:
        assert epoch.held_out.bound == pytest.approx(epoch.held_out.elbo, rel=1e-12)
        assert epoch.train.bound != pytest.approx(epoch.train.elbo, rel=1e-3)


def test_patience_ends_training(data, model):
    training = dataclasses.replace(SHORT, epochs=50, learning_rate=1.0, patience=2, average=None)
    result = fit(model, ELBO(), data, training, seed=0)
    assert result.stopped == "patience"
    assert len(result.history) - result.best.epoch == 2


def test_a_clock_ends_training(data, model):
    training = dataclasses.replace(SHORT, minutes=0.2 / 60)
    result = fit(model, ELBO(), data, training, seed=0)
    assert result.stopped == "minutes"
    assert result.seconds < 5


class Ends(Callback):
    def __init__(self, error: BaseException, epoch: int = 2) -> None:
        self.error, self.epoch, self.told = error, epoch, []

    def on_step(self, step):
        if step.epoch == self.epoch:
            raise self.error

    def on_end(self, stopped):
        self.told.append(stopped)


def test_a_training_that_is_stopped_ends_in_good_order(data, model):
    ends, keeper = Ends(StopTraining("enough")), Keeper()
    result = fit(model, ELBO(), data, SHORT, seed=0, callbacks=[keeper, ends])
    assert (result.stopped, len(result.history)) == ("enough", 1)
    assert ends.told == ["enough"]
    assert equal(keeper.best[0][1], weights(model))


def test_an_interrupt_is_raised_when_the_best_weights_are_kept(data, model):
    """It was swallowed: a loop of trainings went on with one model cut short."""
    ends, keeper = Ends(KeyboardInterrupt()), Keeper()
    with interrupted() as caught:
        fit(model, ELBO(), data, SHORT, seed=0, callbacks=[keeper, ends])
    result = caught[0].fit
    assert (result.stopped, len(result.history), result.model) == ("interrupted", 1, model)
    assert ends.told == ["interrupted"]
    assert equal(keeper.best[0][1], weights(model))


@contextmanager
def interrupted():
    """Catches a KeyboardInterrupt, which must come: pytest itself would end at it."""
    caught = []
    try:
        yield caught
    except KeyboardInterrupt as error:
        caught.append(error)
    assert caught


def test_a_training_stopped_in_its_first_epoch_keeps_what_there_is(data, model):
    result = fit(model, ELBO(), data, SHORT, seed=0, callbacks=[Ends(StopTraining("now"), 1)])
    assert result.best is None
    assert result.history == ()
    assert all(bool(torch.isfinite(t).all()) for t in weights(model))


def test_evaluation_mode_is_given_back(data, model):
    model.eval()
    fit(model, ELBO(), data, SHORT, seed=0)
    assert not model.training
    fit(model.train(), ELBO(), data, SHORT, seed=0)
    assert model.training


class Plants(Callback):
    """Makes one parameter infinite after an epoch, and after any later update."""

    def __init__(self, parameter: torch.Tensor, epoch: int, value: float = math.inf) -> None:
        self.parameter, self.epoch, self.value = parameter, epoch, value

    def on_step(self, step):
        if step.epoch > self.epoch:
            self.plant()

    def on_epoch(self, epoch, best):
        if epoch.epoch == self.epoch:
            self.plant()

    def plant(self):
        with torch.no_grad():
            self.parameter.view(-1)[0] = self.value


def test_a_number_lost_in_training_names_step_and_term_and_keeps_the_best_weights(data, model):
    keeper, before = Keeper(), model.posterior.network.layers[2].bias
    # update 5 is made after each roll-back, and spoiled: training ends when too many did not help
    with pytest.raises(
        NonFiniteError, match=r"update 6 \(epoch 2\): the latent z is not .* did not help"
    ) as caught:
        plants = Plants(before, 1)
        fit(model, ELBO(), data, SHORT, seed=0, callbacks=[keeper, plants])
    assert equal(keeper.best[0][1], weights(model))
    assert caught.value.fit.stopped == "non-finite"
    assert len(caught.value.fit.history) == 1


def test_a_scale_that_overflows_is_told_as_log_px(data, model):
    scale = model.likelihood.parts[0].scale.log_scale
    with pytest.raises(NonFiniteError, match=r"log p\(x\|z\) is not finite"):
        fit(model, ELBO(), data, SHORT, seed=0, callbacks=[Plants(scale, 1, math.nan)])


def test_weights_that_overflow_before_any_epoch_is_done_are_not_kept(data, model):
    # a step so long that the next bound is not a number: the initial weights are the last good ones
    wild = dataclasses.replace(SHORT, learning_rate=1e38, warm_up=0.0, average=None)
    before = weights(model)
    with pytest.raises(NonFiniteError, match=r"update \d|epoch 1"):
        fit(model, ELBO(), data, wild, seed=0)
    kept = weights(model)
    assert all(bool(torch.isfinite(t).all()) for t in kept)
    assert equal(before, kept)


def test_a_held_out_bound_that_is_not_finite_ends_training(data, model):
    far = torch.full((16, 3), 3e38)
    data = dataclasses.replace(data, validation=Examples(far))
    with pytest.raises(NonFiniteError, match="epoch 1: the held-out bound"):
        fit(model, ELBO(), data, SHORT, seed=0)
    assert all(bool(torch.isfinite(t).all()) for t in weights(model))


@pytest.mark.parametrize("part", ["train", "validation"])
def test_values_that_are_not_numbers_are_refused_before_training(data, model, part):
    x = getattr(data, part).x.clone()
    x[3, 1] = math.nan
    with pytest.raises(SupportError, match="finite"):
        fit(model, ELBO(), dataclasses.replace(data, **{part: Examples(x)}), SHORT)


def test_unobserved_cells_may_hold_anything_during_training(data, model):
    twin = copy.deepcopy(model)
    observed = torch.rand(64, 3) < 0.7
    results = []
    for junk, one in ((0.0, model), (math.nan, twin)):
        x = torch.where(observed, data.train.x, junk)
        part = dataclasses.replace(data, train=Examples(x, observed))
        results.append(weights(fit(one, ELBO(), part, SHORT, seed=0).model))
    assert equal(*results)


def test_the_test_split_is_never_read(data, model):
    class Poisoned:
        def __getattribute__(self, name):
            raise AssertionError("the test split was read")

    poisoned = dataclasses.replace(data)
    object.__setattr__(poisoned, "test", Poisoned())
    result = fit(copy.deepcopy(model), ELBO(), poisoned, SHORT, seed=0)
    assert equal(weights(result.model), weights(fit(model, ELBO(), data, SHORT, seed=0).model))


def test_a_model_without_parameters_and_data_without_rows_are_refused(data, model):
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(SettingError, match="no parameters"):
        fit(model, ELBO(), data, SHORT)
    with pytest.raises(DataError, match="at least one"):
        fit(vae(data), ELBO(), dataclasses.replace(data, validation=Examples(torch.zeros(0, 3))))
    with pytest.raises(SettingError, match="seed"):
        fit(vae(data), ELBO(), data, SHORT, seed=-1)


def test_frozen_parameters_stay(data, model):
    frozen = model.likelihood.parts[0].scale.log_scale.requires_grad_(False)
    before = frozen.clone()
    fit(model, ELBO(), data, SHORT, seed=0)
    assert torch.equal(frozen, before)


def test_clipping_limits_the_gradient(data, model):
    # with plain Adam's scale taken out, a tiny clip still moves; without numbers it would not
    twin = copy.deepcopy(model)
    one = fit(model, ELBO(), data, dataclasses.replace(SHORT, clip=1e-6, epsilon=1.0), seed=0)
    other = fit(twin, ELBO(), data, dataclasses.replace(SHORT, clip=None, epsilon=1.0), seed=0)
    moved = [
        max(
            float((a - b).abs().max()) for a, b in zip(weights(f.model), weights(twin), strict=True)
        )
        for f in (one, other)
    ]
    assert moved[0] > moved[1] == 0.0


def test_every_objective_trains(data, model):
    for objective in (IWAE(3), ELBO(2, False, "path")):
        result = fit(copy.deepcopy(model), objective, data, dataclasses.replace(SHORT, epochs=8),
                     seed=0)  # fmt: skip
        assert result.history[-1].held_out.bound > result.history[0].held_out.bound


class Parabola(torch.nn.Module):
    """log p(x|z) = -(w - 3)^2, whatever the data and without noise: the bound is known."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(()))

    def trace(self, batch, samples=1, gradient="total"):
        rows = torch.zeros(samples, len(batch), dtype=torch.float64)
        return made(rows - (self.w.double() - 3.0).square(), rows, rows)

    def check(self, x, observed=None, name="x"):
        """Any value will do."""


PLAIN = Training(epochs=3, batch_size=24, learning_rate=0.1, warm_up=0.0, final_rate=1.0)


def test_the_averaged_weights_are_those_that_are_judged(data):
    model = Parabola()
    result = fit(model, ELBO(), data, dataclasses.replace(PLAIN, average=0.9), seed=0)
    assert result.best.epoch == 3
    expected = -((model.w.item() - 3.0) ** 2)
    assert result.history[-1].held_out.bound == pytest.approx(expected, rel=1e-6)
    live = Parabola()
    fit(live, ELBO(), data, dataclasses.replace(PLAIN, average=None), seed=0)
    assert 0 < model.w.item() < live.w.item() < 3.0  # the average lags behind


def test_terms_of_training_are_means_over_examples_also_where_batches_are_uneven(data):
    slow = dataclasses.replace(PLAIN, learning_rate=1e-9)
    first = fit(Parabola(), ELBO(), data, slow, seed=0).history[0]
    assert first.train.bound == pytest.approx(-9.0, rel=1e-5)
    assert first.held_out.bound == pytest.approx(-9.0, rel=1e-5)
    assert first.train.distortion == pytest.approx(9.0, rel=1e-5)


def test_the_rate_counts_less_while_it_is_annealed(data, model):
    # with a weight below one the value exceeds the ELBO by the rest of the rate, until it is one
    annealed = Annealed(ELBO(), WarmUp(0.5))
    history = fit(model, annealed, data, dataclasses.replace(SHORT, epochs=4), seed=0).history
    assert history[0].train.bound > history[0].train.elbo + 1e-3 * history[0].train.rate
    assert history[-1].train.bound == pytest.approx(history[-1].train.elbo, rel=1e-12)


def test_the_last_weights_are_kept_where_they_are_asked_for(data):
    # a rate so large that the last epoch is not the best
    training = Training(epochs=6, batch_size=16, learning_rate=3.0, average=None, final_rate=1.0)
    kept = {}
    for keep in ("best", "last"):
        model = assemble("vae", data.schema, {"latents": 2, "hidden": [8]}, seed=5).model
        kept[keep] = fit(model, ELBO(), data, dataclasses.replace(training, keep=keep), seed=1)
    assert kept["last"].best.epoch == 6
    assert kept["best"].best.epoch < 6
    held_out = [epoch.held_out.bound for epoch in kept["last"].history]
    assert held_out == [epoch.held_out.bound for epoch in kept["best"].history]
    assert kept["best"].best.held_out.bound == max(held_out) > held_out[-1]
