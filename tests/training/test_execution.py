"""How updates are executed: another way to the same weights, and why it was taken."""

import copy
import dataclasses
import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from lowerbound import training
from lowerbound.catalogue import assemble
from lowerbound.data import Batch, Data, Examples, Field, Schema
from lowerbound.errors import RunError, SettingError
from lowerbound.likelihoods import Bernoulli, Fields
from lowerbound.models import VAE
from lowerbound.networks import MLP, ResidualDecoder, ResidualEncoder
from lowerbound.objectives import ELBO, IWAE, Annealed, FreeBits
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import StandardNormal
from lowerbound.training import Callback, Execution, Training, choices, explain, fit, precision
from lowerbound.training.bound import without_trace
from lowerbound.training.forward import executed, networks_of
from lowerbound.training.guard import KNOWN_AFTER, MOST_IN_A_ROW, Guard, UnstableError
from lowerbound.training.step import LOOK_EVERY, Stepper

CPU = torch.device("cpu")
TRAINING = Training(epochs=3, batch_size=16, learning_rate=1e-2)


@pytest.fixture
def model(data):
    return assemble("vae", data.schema, {"latents": 2, "hidden": [8]}, seed=5).model


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def trained(model, data, execution=None, training=TRAINING, objective=None):
    """Weights after each of twelve updates, spoiled at those of `bad`, by a stepper alone."""
    torch.manual_seed(0)
    model = copy.deepcopy(model)
    stepper = Stepper(model, objective or ELBO(), training, execution or Execution(), Guard())
    seen, sums = [], []
    for n in range(12):
        batch = data.train.batch(slice(16 * (n % 4), 16 * (n % 4) + 16))
        sums.append(stepper(batch, n / 12).clone())
        seen.append(weights(model))
    return seen, sums, stepper


def test_a_trained_model_has_a_tensor_of_its_own_for_each_parameter(data, model):
    fit(model, ELBO(), data, TRAINING, seed=0)
    assert all(p.untyped_storage().nbytes() == p.numel() * 4 for p in model.parameters())
    assert all(p.grad is None for p in model.parameters())


def test_a_parameter_that_takes_no_part_stays_as_it_is(data, model):
    model.posterior.idle = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    _, _, stepper = trained(model, data)
    moved = {
        name: not torch.equal(old, new)
        for (name, old), new in zip(
            model.named_parameters(), stepper.model.parameters(), strict=True
        )
    }
    assert moved == {name: name != "posterior.idle" for name, _ in model.named_parameters()}


@pytest.mark.parametrize("objective", [ELBO(), ELBO(analytic=False, gradient="path"), IWAE(3)])
def test_a_pass_is_compiled_in_one_piece(data, model, objective):
    torch._dynamo.reset()
    found = torch._dynamo.explain(without_trace)(model, objective, data.train.batch(slice(0, 8)))
    assert found.graph_break_count == 0, found.break_reasons
    assert found.graph_count == 1
    torch._dynamo.reset()


@pytest.mark.parametrize("clip", [None, 1e-2])
def test_a_decision_on_the_device_gives_the_weights_of_one_on_the_host(data, model, clip):
    settings = dataclasses.replace(TRAINING, clip=clip)
    host, sums, _ = trained(model, data, training=settings)
    device, others, stepper = trained(model, data, Execution(late=True), settings)
    for a, b in zip(host, device, strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)  # clipped by a factor or by its inverse
    assert torch.allclose(torch.stack(sums), torch.stack(others), rtol=1e-5)
    stepper.settle()
    assert stepper.guard.skipped == 0


class Spoiled(torch.nn.Module):
    """A model whose bound is not a number at some updates, counted from 1."""

    def __init__(self, model, bad) -> None:
        super().__init__()
        self.inner, self.bad, self.count = model, set(bad), 0

    def check(self, x, observed=None, name="x"):
        self.inner.check(x, observed, name)

    def trace(self, batch, samples=1, gradient="total"):
        self.count += 1
        trace = self.inner.trace(batch, samples, gradient)
        worse = math.nan if self.count in self.bad else 1.0
        return dataclasses.replace(trace, log_px=trace.log_px * worse)


def test_on_the_device_a_bad_batch_changes_nothing_and_is_counted_at_the_next_look(data, model):
    settings = dataclasses.replace(TRAINING, average=None)
    seen, sums, stepper = trained(Spoiled(model, [3, 7, 8]), data, Execution(late=True), settings)
    moved = [not torch.equal(a, b) for a, b in pairwise(seen)]
    assert moved == [n not in (3, 7, 8) for n in range(2, 13)]
    assert [int(s[3]) for s in sums] == [0 if n in (3, 7, 8) else 16 for n in range(1, 13)]
    assert not any(torch.isnan(s).any() for s in sums)
    assert stepper.guard.skipped == 0
    stepper.settle()
    assert stepper.guard.skipped == 3
    stepper.settle()
    assert stepper.guard.skipped == 3


def test_on_the_device_too_many_in_a_row_are_found_at_the_next_look(data, model):
    last = range(13 - MOST_IN_A_ROW, 13)
    _, _, stepper = trained(Spoiled(model, last), data, Execution(late=True))
    with pytest.raises(UnstableError, match=r"update 12 \(epoch 1\)"):
        stepper.settle()
    _, _, stepper = trained(Spoiled(model, [*last][1:]), data, Execution(late=True))
    stepper.settle()


def test_a_whole_training_with_late_decisions_rolls_back_and_goes_on(data, model, monkeypatch):
    monkeypatch.setattr(training.trainer, "choose", lambda *given: Execution(late=True))
    spoiled = Spoiled(model, range(6, 6 + MOST_IN_A_ROW))  # in the second epoch
    spoiled.eval()
    result = fit(spoiled, ELBO(), data, dataclasses.replace(TRAINING, epochs=4), seed=0)
    assert result.stopped == "epochs"
    assert (result.skipped, result.rollbacks) in {(3, 0), (3, 1)}


def test_lower_precision_stays_inside_the_networks(data, model):
    batch, whole = data.train.batch(slice(0, 16)), Execution(precision="bfloat16")
    forward = [network.forward for network in networks_of(model)]
    torch.manual_seed(0)
    exact = model.trace(batch)
    with executed(model, whole, CPU):
        torch.manual_seed(0)
        lowered = model.trace(batch)
        assert lowered.latents["z"].z.dtype == torch.float32
        assert lowered.log_px.dtype == torch.float64
        assert model.posterior.network(batch.x).dtype == torch.float32
    assert forward == [network.forward for network in networks_of(model)]
    assert len(forward) == 2
    difference = (exact.log_px - lowered.log_px).abs().max()
    assert 0 < difference < 0.5


@pytest.mark.parametrize("images", [False, True])
def test_activations_computed_again_give_the_same_gradient(images):
    if images:
        model = VAE(
            StandardNormal(2),
            DiagonalGaussian(ResidualEncoder((1, 16, 16), (2, 2), channels=4)),
            Fields(ResidualDecoder((2,), (1, 1, 16, 16), channels=4), Bernoulli()),
        )
    else:
        model = VAE(
            StandardNormal(2),
            DiagonalGaussian(MLP((9,), (2, 2))),
            Fields(MLP((2,), (1, 9)), Bernoulli()),
        )
    x = torch.ones(4, *((1, 16, 16) if images else (9,)))
    gradients, calls = [], []
    hooks = [
        m.register_forward_hook(lambda *given: calls.append(1))
        for m in model.modules()
        if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)
    ]
    for again in (False, True):
        calls.clear()
        model.zero_grad()
        with executed(model, Execution(checkpoint=again), CPU):
            torch.manual_seed(0)
            ELBO()(model, Batch(x)).value.sum().backward()
        gradients.append((torch.cat([p.grad.flatten() for p in model.parameters()]), len(calls)))
    (kept, few), (computed, many) = gradients
    assert torch.equal(kept, computed)
    assert many > few
    for hook in hooks:
        hook.remove()


def test_compiling_follows_from_the_number_of_updates(data, model, monkeypatch):
    monkeypatch.setattr(choices, "_missing_compiler", lambda device: "")
    long = math.ceil(choices.COMPILE_FROM["cpu"] / 4)
    chosen = explain(model, ELBO(), data, dataclasses.replace(TRAINING, epochs=long))
    assert chosen.compile
    chosen = explain(model, ELBO(), data, dataclasses.replace(TRAINING, epochs=long - 1))
    assert not chosen.compile
    least = f"it is repaid from about {choices.COMPILE_FROM['cpu']:,}"
    assert any(least in reason for reason in chosen.reasons)
    clock = dataclasses.replace(TRAINING, minutes=choices.COMPILE_FROM_MINUTES["cpu"])
    assert explain(model, ELBO(), data, clock).compile
    monkeypatch.setattr(choices, "_missing_compiler", lambda device: "there is no C++ compiler")
    chosen = explain(model, ELBO(), data, clock)
    assert not chosen.compile
    assert any("there is no C++ compiler" in reason for reason in chosen.reasons)


def test_bfloat16_is_taken_where_it_is_fast_and_the_bound_agrees(data, monkeypatch):
    model = assemble("vae", data.schema, {"latents": 2, "hidden": [800, 800]}, seed=5).model
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: False)
    assert explain(model, ELBO(), data).precision == "float32"
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)
    monkeypatch.setattr(precision, "has_amx", lambda: False)
    assert explain(model, ELBO(), data).precision == "bfloat16"
    monkeypatch.setattr(choices, "operations", lambda *given: precision.BFLOAT16_FROM["cpu"])
    assert explain(model, ELBO(), data).precision == "bfloat16"
    monkeypatch.setattr(precision, "has_amx", lambda: True)  # it wants larger products
    assert explain(model, ELBO(), data).precision == "float32"
    monkeypatch.undo()
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)
    monkeypatch.setattr(precision, "has_amx", lambda: False)
    small = assemble("vae", data.schema, {"latents": 2, "hidden": [8]}, seed=5).model
    assert explain(small, ELBO(), data).precision == "float32"
    monkeypatch.setattr(precision, "bfloat16_error", lambda *given: (0.4, 100.0))
    chosen = explain(model, ELBO(), data)
    assert chosen.precision == "float32"
    assert any("0.4 nats off" in reason for reason in chosen.reasons)
    monkeypatch.setattr(precision, "bfloat16_error", lambda *given: (math.nan, 100.0))
    assert explain(model, ELBO(), data).precision == "float32"


@pytest.mark.parametrize("waiting", ["", "passive", "ACTIVE", "of its own"])
def test_a_short_pass_takes_one_thread_and_gives_the_others_back(data, model, monkeypatch, waiting):
    passive = waiting == "passive"
    least = choices.ONE_THREAD_BELOW_PASSIVE if passive else choices.ONE_THREAD_BELOW
    monkeypatch.setenv("OMP_WAIT_POLICY", waiting)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    monkeypatch.setattr(choices, "operations", lambda *given: least - 1)
    chosen = explain(model, ELBO(), data)
    assert chosen.threads == 1
    assert any("one thread of 5: a pass is" in reason for reason in chosen.reasons)
    assert asked == []  # explaining changes nothing
    fit(model, ELBO(), data, TRAINING, seed=0)
    assert asked == [1, 5]
    with pytest.raises(ZeroDivisionError), executed(model, chosen, CPU):
        assert asked == [1, 5, 1]
        raise ZeroDivisionError
    assert asked == [1, 5, 1, 5]
    monkeypatch.setattr(choices, "operations", lambda *given: least)
    assert explain(model, ELBO(), data).threads == 0
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert explain(model, ELBO(), data).threads == 0


def test_operations_are_counted_once_for_all_choices_and_only_where_asked_for(
    data, model, monkeypatch
):
    counted = []
    monkeypatch.setattr(choices, "operations", lambda *given: counted.append(1) or 1e12)
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    explain(model, ELBO(), data)
    assert counted == [1]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    explain(model, ELBO(), data, Training(precision="float32"))
    assert counted == [1]


def test_operations_are_those_of_products_and_convolutions(model, data):
    """By hand: a linear map multiplies by each weight once a row, a convolution once a place."""
    batch = data.train.batch(slice(0, 16))
    by_hand = 2 * 16 * sum(p.numel() for p in model.parameters() if p.ndim == 2)
    assert precision.operations(model, ELBO(), CPU, batch) == by_hand
    decoder = 2 * 16 * sum(p.numel() for p in model.likelihood.parameters() if p.ndim == 2)
    assert precision.operations(model, IWAE(5), CPU, batch) == by_hand + 4 * decoder
    rows, places = 3, 4 * 4  # the grouped one puts out 4x4, the transposed one takes 4x4 in
    grouped = nn.Conv2d(2, 6, 3, stride=2, padding=1, groups=2)
    linear = nn.Linear(6 * places, 4)
    encoder = nn.Sequential(grouped, nn.Flatten(), linear, nn.Unflatten(-1, (2, 2)))
    up = nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1)
    likelihood = Fields(Upwards(up), Bernoulli())
    images = VAE(StandardNormal(2), DiagonalGaussian(encoder), likelihood)
    seen = precision.operations(images, ELBO(), CPU, Batch(torch.ones(rows, 2, 8, 8)))
    convolved = rows * places * (grouped.weight.numel() + up.weight.numel())
    assert seen == 2 * (convolved + rows * linear.weight.numel())


class Upwards(nn.Module):
    """From `(K, B, 2)` to logits `(K, B, 1, 2, 8, 8)` by one transposed convolution."""

    def __init__(self, up) -> None:
        super().__init__()
        self.up = up

    def forward(self, z):
        out = self.up(z.flatten(0, 1)[..., None, None].expand(-1, -1, 4, 4))
        return out.view(*z.shape[:-1], 1, 2, 8, 8)


@pytest.fixture
def pictures():
    x = (torch.rand(48, 1, 12, 12, generator=torch.Generator().manual_seed(2)) < 0.4).byte()
    schema = Schema((Field("x", "binary", (1, 12, 12), 2),), (1, 12, 12))
    return Data(schema, Examples(x[:32]), Examples(x[32:40]), Examples(x[40:]), source="planted")


def convolutional():
    torch.manual_seed(3)
    return VAE(
        StandardNormal(2),
        DiagonalGaussian(ResidualEncoder((1, 12, 12), (2, 2), channels=8)),
        Fields(ResidualDecoder((2,), (1, 1, 12, 12), channels=8), Bernoulli()),
    )


def test_channels_last_gives_the_weights_of_channels_first(pictures, monkeypatch):
    """And leaves a model laid out as it was; were a copy trained, its weights would not move."""
    settings = dataclasses.replace(TRAINING, precision="float32", learning_rate=1e-3)
    last = fit(convolutional(), ELBO(), pictures, settings, seed=0)
    assert explain(convolutional(), ELBO(), pictures, settings).channels_last
    monkeypatch.setattr(choices, "CHANNELS_LAST", {})
    assert not explain(convolutional(), ELBO(), pictures, settings).channels_last
    first = fit(convolutional(), ELBO(), pictures, settings, seed=0)
    torch.testing.assert_close(weights(last.model), weights(first.model), rtol=0.0, atol=2e-5)
    assert (weights(last.model) - weights(convolutional())).abs().max() > 1e-3
    assert all(p.is_contiguous() for p in last.model.parameters())


def test_only_weights_of_convolutions_are_laid_out_and_only_for_a_training(pictures):
    """A user's own channels-last weights stay so; a tensor of five axes has no such layout."""
    model = convolutional()
    model.extra = nn.Parameter(torch.zeros(1, 2, 3, 4, 5))
    first = next(m for m in model.modules() if isinstance(m, nn.Conv2d) and m.in_channels > 1)
    last = torch.channels_last
    first.weight.data = first.weight.data.contiguous(memory_format=last)
    assert explain(model, ELBO(), pictures, TRAINING).channels_last
    assert first.weight.is_contiguous(memory_format=last) and not first.weight.is_contiguous()
    assert all(p.is_contiguous() for p in model.parameters() if p is not first.weight)


class Middle(Callback):
    """The state after three updates, in the middle of the second epoch."""

    def __init__(self) -> None:
        self.updates, self.kept = 0, None

    def on_step(self, step):
        self.updates += 1

    def on_state(self, state, last):
        if self.updates == 3 and self.kept is None:
            self.kept = state()


def test_a_training_channels_last_goes_on_to_the_same_bits(pictures):
    """The optimiser's moments must be laid out as the weights are: its kernel does not look."""
    settings = dataclasses.replace(TRAINING, precision="float32", learning_rate=1e-3)
    middle = Middle()
    whole = fit(convolutional(), ELBO(), pictures, settings, seed=0, callbacks=[middle])
    assert middle.kept.values["execution"]["channels_last"]
    rest = fit(convolutional(), ELBO(), pictures, settings, resume=middle.kept)
    assert torch.equal(weights(whole.model), weights(rest.model))


def test_choosing_leaves_the_random_state_and_the_model_alone(data, model, monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)
    monkeypatch.setattr(precision, "BFLOAT16_FROM", {"cpu": 1, "amx": 1})
    # it remembers what it saw in training
    model.posterior.network.layers.insert(0, nn.BatchNorm1d(3))
    model.likelihood.eval()  # as a user may have frozen it
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    assert explain(model, ELBO(), data).precision == "bfloat16"
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training and model.posterior.network.layers[0].training
    assert not model.likelihood.training and not model.likelihood.network.training


class Keeper(Callback):
    """The state after the first epoch."""

    def __init__(self) -> None:
        self.kept = None

    def on_state(self, state, last):
        now = state()
        if self.kept is None and now.epochs == 1:
            self.kept = now


def test_a_training_goes_on_as_it_was_executed_before(data, model, monkeypatch):
    """Were it chosen anew, the rest would be float32: the weights would be others."""
    whole, keeper = copy.deepcopy(model), Keeper()
    lowered = dataclasses.replace(TRAINING, precision="bfloat16")
    fit(whole, ELBO(), data, lowered, seed=0, callbacks=[keeper])
    rest = copy.deepcopy(model)
    fit(rest, ELBO(), data, lowered, resume=keeper.kept)
    assert torch.equal(weights(whole), weights(rest))
    assert keeper.kept.values["execution"]["precision"] == "bfloat16"
    values = {k: v for k, v in keeper.kept.values.items() if k != "execution"}
    with pytest.raises(RunError, match="damaged"):
        fit(model, ELBO(), data, lowered, resume=dataclasses.replace(keeper.kept, values=values))


def test_a_compiler_that_gives_up_costs_nothing_but_a_warning(data, model, monkeypatch):
    def broken(*given):
        torch.rand(3)  # what it drew must not count
        raise RuntimeError("no such instruction\nand a long story")

    monkeypatch.setattr(torch, "compile", lambda function, **given: broken)
    expected, _, _ = trained(model, data)
    with pytest.warns(RuntimeWarning, match="no such instruction"):
        found, _, _ = trained(model, data, Execution(compile=True))
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    with pytest.warns(RuntimeWarning, match="no such instruction"):
        told = fit(model, ELBO(), data, dataclasses.replace(TRAINING, compile="on"), seed=0)
    assert not told.execution.compile
    assert "not compiled after all: no such instruction" in told.execution.reasons


@pytest.mark.slow
@pytest.mark.parametrize(
    "objective", [ELBO(), FreeBits(Annealed(ELBO(), lambda done: done), 0.1)], ids=["elbo", "free"]
)
def test_a_compiled_training_gives_the_weights_of_one_that_is_not(data, model, objective):
    """Draws are the same; what differs is the rounding of fused kernels."""
    expected, sums, _ = trained(model, data, objective=objective)
    found, others, stepper = trained(model, data, Execution(compile=True), objective=objective)
    assert torch.allclose(expected[-1], found[-1], atol=1e-4)
    assert torch.allclose(torch.stack(sums), torch.stack(others), rtol=1e-5)
    assert stepper._bound.failure == ""


@pytest.mark.parametrize("name", ["precision", "compile"])
def test_other_words_are_refused(name):
    with pytest.raises(SettingError, match=f"{name} must be one of auto"):
        Training(**{name: "fast"})


class Shoved(Spoiled):
    """A model whose bound is so many times as steep at some updates, counted from 1."""

    times = 1e7

    def trace(self, batch, samples=1, gradient="total"):
        self.count += 1
        trace = self.inner.trace(batch, samples, gradient)
        steep = self.times if self.count in self.bad else 1.0
        return dataclasses.replace(trace, log_px=trace.log_px * steep)


def steps(model, data, count, execution, clip):
    """Which of so many updates changed no weight."""
    torch.manual_seed(0)
    settings = dataclasses.replace(TRAINING, average=None, clip=clip)
    stepper = Stepper(model, ELBO(), settings, execution, Guard())
    still, before = [], weights(model)
    for n in range(count):
        stepper(data.train.batch(slice(16 * (n % 4), 16 * (n % 4) + 16)), n / count)
        if stepper.updates % LOOK_EVERY == 0 or n + 1 == KNOWN_AFTER:
            stepper.settle()
        now = weights(model)
        still += [n + 1] if n and torch.equal(before, now) else []  # the first has no rate yet
        before = now
    stepper.settle()
    return still, stepper.guard.skipped


@pytest.mark.parametrize("late", [False, True])
def test_an_absurdly_long_gradient_is_skipped_once_it_is_known_what_is_usual(data, model, late):
    bad, execution = [KNOWN_AFTER - 5, KNOWN_AFTER + 5], Execution(late=late)
    found = steps(Shoved(copy.deepcopy(model), bad), data, KNOWN_AFTER + 8, execution, clip=1.0)
    assert found == ([KNOWN_AFTER + 5], 1)
    # ... and is clipped or taken as it is where it is not so long, or nothing was to be clipped
    mild = Shoved(copy.deepcopy(model), bad)
    mild.times = 30.0
    assert steps(mild, data, KNOWN_AFTER + 8, execution, clip=1.0) == ([], 0)
    free = Shoved(copy.deepcopy(model), bad)
    assert steps(free, data, KNOWN_AFTER + 8, execution, clip=None) == ([], 0)


def test_what_is_usual_is_the_geometric_mean_and_forgets():
    guard = Guard()
    for length in (1.0, 4.0, 16.0):
        guard.passed(length)
    assert math.exp(guard.usual) == pytest.approx(4.0)
    assert guard.longest(10.0) == math.inf  # not known yet
    guard.remember(math.log(5.0), 10_000)
    assert guard.longest(10.0) == pytest.approx(5000.0)
    assert guard.longest(1e6) == 1e6
    assert guard.longest(None) == math.inf
