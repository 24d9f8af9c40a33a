"""One run of an entry: its start, its budget, its evaluation, and going on with it."""

import dataclasses
import json

import pytest
import torch

from lowerbound.errors import OutputError, SettingError
from lowerbound.evaluation import evidence
from lowerbound.likelihoods.bernoulli import LEAST
from lowerbound.reproduce import entry_named
from lowerbound.reproduce.judge import judge
from lowerbound.reproduce.run import evaluate, prepare, record, train
from lowerbound.runs import load
from lowerbound.training import Callback, StopTraining


def weights(model) -> list[torch.Tensor]:
    return [tensor.clone() for tensor in model.state_dict().values()]


def test_outputs_start_at_the_mean_of_the_training_images(entry, data):
    model = prepare(entry, data, seed=0).model
    bias = model.likelihood.network.layers[-1].bias.detach().sigmoid().double()
    mean = data.train.grey.levels.double().mean(dim=0).flatten() / 255
    assert torch.allclose(bias, mean.clamp(LEAST, 1 - LEAST), atol=1e-5)
    assert float(bias.min()) == pytest.approx(LEAST, abs=1e-6)  # where all images are black


def test_a_row_starts_as_its_source_has_it(data):
    for name, init in (("burda-vae-1-static", "glorot"), ("pythae-vae-static", "torch")):
        model = prepare(entry_named(name), data, seed=0).model
        seen = model.view(data.train.batch(slice(0, 4)))
        assert seen.unique().tolist() == [0.0, 1.0]
        assert entry_named(name).settings["init"] == init


def test_a_run_that_began_elsewhere_is_not_gone_on_with(entry, data, tmp_path):
    train(entry, data, tmp_path / "run", seed=1, epochs=1)
    other = dataclasses.replace(entry, model={**entry.model, "init": "torch"})
    with pytest.raises(
        SettingError, match=r"init is 'glorot' in .*, where the row has 'torch' now"
    ):
        train(other, data, tmp_path / "run", seed=1, epochs=1, resume=True)


def test_a_smaller_budget_keeps_the_shape_of_the_schedule(entry, data):
    short, whole = prepare(entry, data, seed=0, epochs=2), prepare(entry, data, seed=0)
    assert short.training.epochs == 2
    for done in (0.0, 0.01, 0.5, 1.0):
        assert short.training.schedule(done) == whole.training.schedule(done)


def test_a_run_goes_on_to_the_same_weights(entry, data, tmp_path):
    class Stops(Callback):
        def on_step(self, step):
            if step.epoch == 3:
                raise StopTraining("killed")

    whole = train(entry, data, tmp_path / "whole", seed=1)[1]
    train(entry, data, tmp_path / "run", seed=1, callbacks=[Stops()])
    again = train(entry, data, tmp_path / "run", seed=1, resume=True)[1]
    assert len(again.history) == 4
    for one, other in zip(weights(again.model), weights(whole.model), strict=True):
        assert torch.equal(one, other)
    stored = load(tmp_path / "run").model  # and it is a run like any other
    for one, other in zip(weights(stored), weights(whole.model), strict=True):
        assert torch.equal(one, other)


def test_a_finished_run_is_only_evaluated_again(entry, data, tmp_path):
    first = train(entry, data, tmp_path / "run", seed=1)[1]
    second = train(entry, data, tmp_path / "run", seed=1, resume=True)[1]
    assert second.history == first.history


def test_a_run_of_something_else_is_not_gone_on_with(entry, data, tmp_path):
    train(entry, data, tmp_path / "run", seed=1, epochs=1)
    with pytest.raises(SettingError, match="another recipe or seed"):
        train(entry, data, tmp_path / "run", seed=2, epochs=1, resume=True)
    with pytest.raises(OutputError):
        train(entry, data, tmp_path / "run", seed=1, epochs=1)


def test_more_updates_than_a_tenth_are_refused(entry, data):
    tenth = dataclasses.replace(entry, most_updates=6)  # 3 an epoch
    assert prepare(tenth, data, seed=0, epochs=2).training.epochs == 2
    with pytest.raises(SettingError, match="may make 6 updates at most, and this is 9"):
        prepare(tenth, data, seed=0, epochs=3)


def test_the_record_says_budget_figure_and_settings(entry, data, tmp_path):
    assembly, result = train(entry, data, tmp_path / "run", seed=3, epochs=2)
    found = evaluate(entry, assembly, data, 10)
    made = record(
        entry, assembly.training, result, found, seed=3, device="cpu", settings={"latents": "2"}
    )
    assert json.loads(json.dumps(made))["epochs"] == 2
    assert (made["epochs_published"], made["updates"], made["seed"]) == (4, 6, 3)
    assert made["updates_published"] == entry.updates
    assert made["changed_settings"] == {"latents": "2"}
    assert made["evaluation"]["images"] == 24
    assert made["evaluation"]["images_with_all_samples"] == 10


def test_some_of_the_images_stand_for_all_within_the_error_that_is_told(entry, data):
    # 20 choices of 12 of 24 images: each within 4.9 of its errors, and their spread is as told;
    # half of it or twice as much would be seen in all but one case of a thousand
    model = prepare(entry, data, seed=0, settings={"init": "small"}).model
    with torch.no_grad():
        for parameter in model.posterior.parameters():
            parameter.mul_(3.0)  # weights that vary
    whole = judge(model, data.test, 300)["figure"]
    apart, told = [], []
    for seed in range(20):
        some = judge(model, data.test, 300, 12, seed=seed)
        apart.append(some["figure"] - whole)
        told.append(some["standard_error_images"])
    error = sum(told) / 20
    spread = torch.tensor(apart).square().mean().sqrt().item()
    assert abs(sum(apart) / 20) < 4.9 * error / 20**0.5 + 0.02
    assert 0.5 * error < spread < 2 * error + 0.02


def test_with_all_images_the_figure_is_the_bound_itself(entry, data):
    model = prepare(entry, data, seed=0).model
    found = judge(model, data.test, 30)
    exact = evidence(model, data.test, 30, seed=0)
    assert found["figure"] == pytest.approx(-float(exact.log_likelihood.mean()), abs=1e-12)
    assert found["standard_error_images"] == 0.0
    active = int((exact.means.var(dim=0) > 0.01).sum())
    assert found["active_units"] == active
