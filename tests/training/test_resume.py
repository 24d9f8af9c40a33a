"""Going on from a state: to the last bit, whatever the training is made of."""

import copy
import dataclasses
import json

import pytest
import torch

import lowerbound as lb
from lowerbound.catalogue import assemble
from lowerbound.data import Data, Examples
from lowerbound.errors import RunError, SettingError
from lowerbound.objectives import ELBO, Annealed, DReG, FreeBits
from lowerbound.training import Callback, State, StopTraining, Training, WarmUp, fit

TRAINING = Training(epochs=5, batch_size=24, learning_rate=1e-2)  # uneven batches: 24, 24, 16
OBJECTIVE = Annealed(FreeBits(ELBO(2), 0.1), WarmUp(0.7))


@pytest.fixture
def model(data: Data):
    return assemble("vae", data.schema, {"latents": 2, "hidden": [8]}, seed=5).model


def through_json(state: State) -> State:
    """As it comes back from a file."""
    tensors = {name: tensor.clone() for name, tensor in state.tensors.items()}
    return State(tensors, json.loads(json.dumps(state.values)))


class States(Callback):
    """Every state there is, in their order."""

    def __init__(self) -> None:
        self.states: list[State] = []

    def on_state(self, state, last):
        self.states.append(through_json(state()))


class Watches(Callback):
    """Draws random numbers of its own, as a callback may, under its own seed."""

    def on_epoch(self, epoch, best):
        torch.rand(3, generator=torch.Generator().manual_seed(epoch.epoch))
        best()


def numbers(result) -> list:
    """All that must be the same: weights, and the history without its times."""
    records = [
        {k: v for k, v in e.to_json().items() if k not in ("seconds", "examples_per_second")}
        for e in result.history
    ]
    weights = [t.numpy().tobytes() for t in result.model.state_dict().values()]
    return [weights, records, result.stopped, result.best.epoch, result.skipped, result.rollbacks]


def same(training, data, model, objective=OBJECTIVE, callbacks=list) -> int:
    """Train once; then go on from every one of its states; how many there were."""
    untouched = fit(copy.deepcopy(model), objective, data, training, seed=3, callbacks=callbacks())
    states = States()
    watched = fit(
        copy.deepcopy(model), objective, data, training, seed=3, callbacks=[*callbacks(), states]
    )
    assert numbers(watched) == numbers(untouched)  # taking a state changes nothing
    for state in states.states:
        other = assemble("vae", data.schema, {"latents": 2, "hidden": [8]}, seed=99).model
        again = fit(other, objective, data, training, callbacks=callbacks(), resume=state)
        assert numbers(again) == numbers(untouched)
        assert again.seed == 3
    return len(states.states)


def test_going_on_from_any_moment_gives_the_weights_of_one_training(data, model):
    assert same(TRAINING, data, model) == 5 * (3 + 1) + 1


CHANGES = [{"average": None}, {"weight_decay": 0.1}, {"clip": None}]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_it_does_whatever_the_training_is_made_of(data, model, change):
    same(dataclasses.replace(TRAINING, epochs=2, **change), data, model, ELBO())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda tensors: tensors.pop("stepper.average.1"),
        lambda tensors: tensors.pop("stepper.optimizer.0.exp_avg"),
        lambda tensors: tensors.update({"stepper.optimizer.99.step": torch.zeros(())}),
        lambda tensors: tensors.update({"stepper.optimizer.0.exp_avg_sq": torch.zeros(7)}),
        lambda tensors: tensors.pop(next(name for name in tensors if name.startswith("progress"))),
        lambda tensors: tensors.pop("random.cpu"),
    ],
)
def test_a_state_that_lacks_something_is_refused(data, model, spoil):
    """In place of taking it for nothing."""
    state = through_json(states_of(data, model)[3])
    spoil(state.tensors)
    with pytest.raises(RunError, match="of another model, or damaged"):
        fit(copy.deepcopy(model), ELBO(), data, TRAINING, resume=state)


def test_a_parameter_that_takes_no_part_goes_on(data, model):
    model.posterior.register_parameter("unused", torch.nn.Parameter(torch.ones(3)))
    whole = fit(copy.deepcopy(model), ELBO(), data, TRAINING, seed=3)
    state = states_of(data, model)[6]
    again = fit(copy.deepcopy(model), ELBO(), data, TRAINING, resume=state)
    assert numbers(again) == numbers(whole)
    assert again.model.posterior.unused.tolist() == [1.0, 1.0, 1.0]


def test_it_does_with_several_callbacks(data, model):
    training = dataclasses.replace(TRAINING, epochs=2)
    same(training, data, model, callbacks=lambda: [Watches(), Watches()])


def test_it_does_with_early_stopping(data, model):
    training = dataclasses.replace(TRAINING, epochs=50, learning_rate=1.0, patience=2, average=None)
    same(training, data, model, ELBO())


def test_it_does_where_cells_are_missing(data, model):
    observed = torch.rand(64, 3, generator=torch.Generator().manual_seed(0)) < 0.7
    data = dataclasses.replace(data, train=Examples(data.train.x, observed))
    same(dataclasses.replace(TRAINING, epochs=2), data, model)


def test_the_state_of_a_stopped_training_goes_on_where_it_stopped(data, model):
    class Stops(Callback):
        def on_step(self, step):
            if (step.epoch, step.index) == (2, 2):
                raise StopTraining("enough")

    states = States()
    whole = fit(copy.deepcopy(model), ELBO(), data, TRAINING, seed=3)
    fit(copy.deepcopy(model), ELBO(), data, TRAINING, seed=3, callbacks=[Stops(), states])
    assert states.states[-1].values["place"]["index"] == 2
    again = fit(copy.deepcopy(model), ELBO(), data, TRAINING, resume=states.states[-1])
    assert numbers(again) == numbers(whole)


def test_a_clock_goes_on_from_the_time_already_used(data, model):
    training = dataclasses.replace(TRAINING, minutes=0.4 / 60)
    states = States()
    fit(copy.deepcopy(model), ELBO(), data, training, seed=3, callbacks=[states])
    middle = next(s for s in states.states if s.values["seconds"] > 0.2)
    again = fit(copy.deepcopy(model), ELBO(), data, training, resume=middle)
    assert again.stopped == "minutes"
    assert 0.4 <= again.seconds < 5
    seconds = [epoch.seconds for epoch in again.history]
    assert seconds == sorted(seconds)
    assert again.history[: middle.epochs] == middle.history


def states_of(data, model, training=TRAINING) -> list[State]:
    states = States()
    fit(copy.deepcopy(model), ELBO(), data, training, seed=3, callbacks=[states])
    return states.states


def test_a_finished_training_goes_on_to_more_epochs(data, model):
    last = states_of(data, model)[-1]
    longer = dataclasses.replace(TRAINING, epochs=8)
    again = fit(copy.deepcopy(model), ELBO(), data, longer, resume=last)
    assert len(again.history) == 8
    assert again.history[:5] == last.history
    # the schedule is that of eight epochs: after five of them the rate is not at its end
    assert again.history[5].learning_rate > again.history[4].learning_rate
    assert again.history[-1].learning_rate == pytest.approx(1e-4, rel=0.5)
    assert fit(copy.deepcopy(model), ELBO(), data, TRAINING, resume=last).stopped == "epochs"


def test_a_longer_training_gets_new_patience(data, model):
    training = dataclasses.replace(TRAINING, epochs=50, learning_rate=1.0, patience=2, average=None)
    last = states_of(data, model, training)[-1]
    assert fit(copy.deepcopy(model), ELBO(), data, training, resume=last).history == last.history
    longer = dataclasses.replace(training, epochs=60)
    again = fit(copy.deepcopy(model), ELBO(), data, longer, resume=last)
    assert len(again.history) >= last.epochs + 2


def test_another_training_is_refused_in_one_line(data, model):
    state = states_of(data, model)[4]

    def refused(words, error=SettingError, **change):
        given = {"data": data, "training": TRAINING, "resume": state} | change
        with pytest.raises(error, match=words) as caught:
            fit(copy.deepcopy(model), ELBO(), **given)
        assert "\n" not in str(caught.value)

    refused("batch_size is 32, and the state was made with 24",
            training=dataclasses.replace(TRAINING, batch_size=32))  # fmt: skip
    refused("by the clock", training=dataclasses.replace(TRAINING, minutes=1.0))
    refused("its own seed 3", seed=4)
    refused("the data is not", data=dataclasses.replace(data, fingerprint="other"))
    refused("the data is not", data=dataclasses.replace(data, train=Examples(data.train.x[:50])))
    values = {**state.values, "device": "cuda"}
    refused("random numbers differ on 'cpu'", resume=State(state.tensors, values))
    refused("of another model, or damaged", RunError, resume=State({}, state.values))
    for name in state.values:
        if name != "seed":
            part = {key: value for key, value in state.values.items() if key != name}
            refused("damaged", RunError, resume=State(state.tensors, part))


def test_a_state_of_another_model_is_refused(data, model):
    state = states_of(data, model)[4]
    for settings in ({"latents": 3, "hidden": [8]}, {"latents": 2, "hidden": [8, 8]}):
        other = assemble("vae", data.schema, settings, seed=0).model
        with pytest.raises(RunError, match="of another model"):
            fit(other, ELBO(), data, TRAINING, resume=state)


def test_it_does_where_bits_are_drawn_anew_in_every_update():
    levels = torch.arange(64 * 3, dtype=torch.uint8).reshape(64, 3)
    data = lb.read(levels.numpy().reshape(64, 1, 3), binarize="dynamic")
    model = assemble("vae", data.schema, {"latents": 2, "hidden": [8]}, seed=5).model
    training = dataclasses.replace(TRAINING, epochs=2)
    untouched = fit(copy.deepcopy(model), ELBO(), data, training, seed=3)
    states = States()
    fit(copy.deepcopy(model), ELBO(), data, training, seed=3, callbacks=[states])
    for state in states.states:
        other = assemble("vae", data.schema, {"latents": 2, "hidden": [8]}, seed=99).model
        assert numbers(fit(other, ELBO(), data, training, resume=state)) == numbers(untouched)
    still = dataclasses.replace(data, train=dataclasses.replace(data.train, grey=None))
    assert numbers(fit(copy.deepcopy(model), ELBO(), still, training, seed=3)) != numbers(untouched)


def test_the_doubly_reparameterised_gradient_goes_on_alike(data, model):
    same(dataclasses.replace(TRAINING, epochs=2), data, model, DReG(3))
