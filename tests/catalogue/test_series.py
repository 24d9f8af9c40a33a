"""The recipe of series: what `auto` chooses, and that units of a channel change nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import lowerbound as lb
from lowerbound.applications import complete, impute
from lowerbound.catalogue import assemble
from lowerbound.core import Batch
from lowerbound.data import Examples, Field, Schema
from lowerbound.errors import SettingError
from lowerbound.likelihoods import AutocorrelatedGaussian, Fields
from lowerbound.testing import check_model
from lowerbound.training import fit
from lowerbound.training.step import hiding

UNITS = torch.tensor([[0.01, 1.0, 5000.0]], dtype=torch.float64)
PLACES = torch.tensor([[-3.0, 20.0, 1e5]], dtype=torch.float64)
SMALL = {"latents": 3, "channels": 4, "epochs": 3}


def windows(count=60):
    generator = np.random.default_rng(0)
    phase = generator.uniform(0, 6, (count, 1, 1))
    waves = np.sin(np.arange(16).reshape(1, -1, 1) / 2 + phase + np.arange(3))
    return torch.from_numpy(waves + 0.1 * generator.normal(size=waves.shape))


def test_series_are_given_their_recipe_a_network_over_time_and_a_law_that_follows_on():
    data = lb.read(windows().numpy(), axes="tc")
    made = assemble("auto", data.schema, {"channels": 4}, examples=2000, seed=0)
    assert made.recipe.name == "series-vae"
    assert made.settings["network"] == "convolution"
    assert made.settings["likelihood"] == "gaussian"
    law = made.model.likelihood
    assert isinstance(law, AutocorrelatedGaussian)
    assert law.weights.shape == (9, 3, 3)
    field = replace(data.schema.fields[0], shape=(400, 3))
    large = replace(data.schema, fields=(field,), shape=(400, 3))
    assert assemble("auto", large, examples=2000).settings["likelihood"] == "student-t"
    few = assemble("auto", data.schema, examples=300).settings  # would be learned by heart
    assert few["likelihood"] == "student-t"


def test_units_of_channels_move_the_bound_by_their_logarithm_and_nothing_else():
    data = lb.read((windows() * UNITS + PLACES).numpy(), axes="tc")
    mean, scale = data.schema.mean, data.schema.scale
    field = replace(data.schema.fields[0], mean=(0.0,) * 3, scale=(1.0,) * 3)
    schema = replace(data.schema, fields=(field,))
    parts = {
        name: Examples((data.part(name).x - mean) / scale)
        for name in ("train", "validation", "test")
    }
    bounds = []
    for one in (data, replace(data, schema=schema, **parts)):
        made = assemble("auto", one.schema, SMALL, examples=len(one.train), seed=0)
        bounds.append(fit(made.model, made.objective, one, made.training, seed=0).history[-1])
    jacobian = 16 * float(scale.log().sum())
    own, standard = (bound.held_out.bound for bound in bounds)  # of training cells are hidden
    assert own + jacobian == pytest.approx(standard, abs=1e-2)


def test_the_recipe_of_series_climbs_the_ladder():
    field = Field("x", "real", (6, 2), mean=(2.0, 5.0), scale=(3.0, 0.1), missing=True)
    schema = Schema((field,), (6, 2), precision="float64")
    made = assemble("series-vae", schema, {"latents": 3, "channels": 4}, seed=0)
    check_model(made.model, Batch(torch.randn(4, 6, 2, dtype=torch.float64)), made.objective)


def test_other_data_are_refused_with_the_recipe_that_takes_them():
    data = lb.read(np.random.default_rng(0).normal(size=(40, 3)))
    with pytest.raises(SettingError, match="use vae"):
        assemble("series-vae", data.schema, examples=32)
    with pytest.raises(SettingError, match="needs series"):
        assemble("vae", data.schema, {"network": "convolution"}, examples=32)


def test_stretches_of_series_are_hidden_in_training():
    torch.manual_seed(0)
    x = torch.zeros(400, 32, 3)
    known = hiding(Batch(x), 1.0).observed
    assert known is not None
    runs = (~known).all(dim=2).int()
    changes = runs.diff(dim=1).abs().sum(dim=1)
    share = float(((changes > 0) & (changes <= 2)).double().mean())
    assert share > 0.2  # a stretch of all channels at once
    assert hiding(Batch(x), 0.0).observed is None


def test_deviations_of_gaussian_series_follow_on_from_each_other():
    field = Field("x", "real", (6, 2), mean=(2.0, 5.0), scale=(3.0, 0.1), missing=True)
    schema = Schema((field,), (6, 2), precision="float64")
    told = {"latents": 3, "channels": 4, "likelihood": "gaussian", "order": 2}
    made = assemble("series-vae", schema, told, seed=0)
    assert isinstance(made.model.likelihood, AutocorrelatedGaussian)
    check_model(made.model, Batch(torch.randn(4, 6, 2, dtype=torch.float64)), made.objective)
    plain = assemble("series-vae", schema, {**told, "order": 0}, seed=0)
    assert isinstance(plain.model.likelihood, Fields)


def test_gaps_of_such_series_are_filled_from_what_stands_beside_them():
    field = Field("x", "real", (6, 1), mean=(0.0,), scale=(1.0,), missing=True)
    schema = Schema((field,), (6, 1))
    told = {"latents": 2, "channels": 4, "likelihood": "gaussian", "order": 1}
    model = assemble("series-vae", schema, told, seed=0).model.eval()
    with torch.no_grad():
        for parameter in model.likelihood.network.parameters():
            parameter.zero_()
        model.likelihood.weights[1] = 0.1  # r_t = r_{t-1} + e_t, of a spread of 1 / 20
        model.likelihood.scales.fill_(-0.3)
    x = torch.linspace(0, 1, 6).reshape(1, 6, 1)
    known = torch.ones(1, 6, 1, dtype=torch.bool)
    known[0, 2:4] = False
    drawn, mean = complete(model, Batch(x, known), steps=3, seed=0)
    assert torch.allclose(mean, x.double(), atol=1e-5)  # between both ends, on a straight line
    assert not torch.allclose(drawn[~known], mean[~known], atol=1e-5)
    found = impute(model, Examples(x, known), schema, samples=50, seed=0)
    assert torch.allclose(found.value, x.double()[~known], atol=1e-5)
    assert bool((found.low < found.value).all() and (found.value < found.high).all())


def test_few_windows_are_learned_from_for_longer_and_many_as_often_as_other_data():
    data = lb.read(windows().numpy(), axes="tc")
    epochs = [assemble("auto", data.schema, {"channels": 4}, examples=n).training.epochs
              for n in (263, 1125, 100_000)]  # fmt: skip
    assert epochs == [353, 125, 20]  # 6,000 updates; 140,000 windows; the fewest there are
