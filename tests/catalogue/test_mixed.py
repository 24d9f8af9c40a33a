"""A table of every kind, with gaps, from its schema to a trained model that is saved and loaded."""

import math
from dataclasses import replace

import pytest
import torch

import lowerbound as lb
from lowerbound import likelihoods
from lowerbound.catalogue import assemble, build
from lowerbound.data import Batch, Examples
from lowerbound.distributions import Product, expected, log_prob
from lowerbound.runs.load import spec_of
from lowerbound.testing import SCHEMAS, check_model, example_batch

SCHEMA = SCHEMAS["mixed 6"]
SMALL = {"latents": 3, "hidden": [8]}
GAPS = torch.tensor([[True] * 6, [True, True, False, True, True, True]] * 2)
GAPS[3, 3] = False


def model_of(**settings):
    return assemble("vae", SCHEMA, {**SMALL, **settings}, seed=0).model


def test_columns_of_one_kind_have_one_law_and_every_column_has_one():
    model = model_of()
    found = {law.name: places for law, places in zip(
        model.likelihood.parts, model.likelihood.places, strict=True)}  # fmt: skip
    assert found == {
        "bernoulli": (0,),
        "categorical": (1,),
        "negative-binomial": (2,),
        "gaussian": (3, 5),
        "discretized-logistic": (4,),
    }
    assert model.likelihood.network.outputs == (1 + 3 + 2 + 2 + 2,)
    assert model.posterior.network.inputs == (6 + 2 + 6,)  # classes one by one, and the mask


def test_the_trace_is_that_of_the_columns_and_reaches_every_parameter():
    model, batch = model_of(), Batch(example_batch(SCHEMA).x, GAPS)
    trace = model.trace(batch, samples=3)
    law = model.likelihood(trace.latents["z"].z)
    assert isinstance(law, Product)
    assert torch.equal(trace.log_px, law.log_prob(batch.x, GAPS))
    assert trace.log_px.shape == (3, 4) and trace.log_px.dtype == torch.float64
    cells = law.cells(batch.x, GAPS)
    assert bool((cells[..., ~GAPS] == 0).all())
    gradients = torch.autograd.grad(lb.ELBO()(model, batch).value.sum(), list(model.parameters()))
    assert all(bool(torch.isfinite(g).all() and (g != 0).any()) for g in gradients)


def test_a_mixed_model_climbs_the_ladder():
    made = assemble("vae", SCHEMA, SMALL, seed=0)
    check_model(made.model, example_batch(SCHEMA), made.objective)


def test_samples_are_values_that_the_columns_can_take():
    model = model_of()
    x = model.sample(500).law.sample()
    assert x.shape == (500, 6)
    assert x.dtype == SCHEMA.dtype
    model.check(x)
    assert set(x[:, 0].tolist()) == {0.0, 1.0}
    assert set(x[:, 1].tolist()) == {0.0, 1.0, 2.0}
    assert bool((x[:, 2] == x[:, 2].round()).all() and x[:, 2].max() > 1)
    shown = expected(model.sample(5).law)
    assert bool((shown[:, 1] == shown[:, 1].round()).all())  # words have no mean


def test_a_decoder_starts_at_the_mean_of_each_column():
    model = model_of()
    bias = model.likelihood.network.linear[-1].bias.detach()
    assert bias[0].item() == pytest.approx(math.log(0.4 / 0.6), rel=1e-5)
    assert bias[8].item() == pytest.approx(2 * 2.0 / 4 - 1, abs=1e-6)  # of the levels 0 to 4
    with torch.no_grad():
        for parameter in model.likelihood.network.parameters():
            parameter.zero_()
    mean = model.decode({"z": torch.zeros(1, 3)}).mean[0]
    assert mean[[2, 3, 5]].tolist() == pytest.approx([4.0, 1000.0, -2.0])


def test_the_kind_of_a_column_decides_its_law_whatever_its_name():
    fields = list(SCHEMA.fields)
    fields[5] = replace(fields[5], kind="count", mean=(7.0,), scale=(3.0,))
    model, _ = build("vae", replace(SCHEMA, fields=tuple(fields)), **SMALL)
    laws = dict(zip(model.likelihood.places, model.likelihood.parts, strict=True))
    assert isinstance(laws[(2, 5)], likelihoods.NegativeBinomial)
    assert laws[(2, 5)].log_unit.exp().tolist() == pytest.approx([4.0, 7.0])


def data_of(rows=80):
    x = example_batch(SCHEMA, rows).x
    taller = x[:, 0] == 1  # what likes a thing is taller, heavier and comes more often
    x[:, 2] = torch.where(taller, 9.0, 1.0)
    x[:, [3, 5]] += torch.where(taller, 1, -1).unsqueeze(1) * torch.tensor([8.0, 0.3])
    observed = torch.rand(rows, 6) > 0.2
    x = torch.where(observed, x, math.nan)
    parts = [Examples(x[s], observed[s]) for s in (slice(0, 60), slice(60, 70), slice(70, 80))]
    return lb.data.Data(SCHEMA, *parts, source="made by hand")


@pytest.mark.parametrize("settings", [{}, {"prior": "vamp", "components": 4}])
def test_a_table_with_gaps_is_trained_saved_and_loaded(tmp_path, settings):
    data = data_of()
    made = assemble("vae", SCHEMA, {**SMALL, **settings, "epochs": 15}, examples=60, seed=0)
    everything = data.train.batch(slice(None))
    before = lb.ELBO(50)(made.model, everything).value.mean()
    fit = lb.fit(made.model, made.objective, data, made.training, seed=0)
    assert lb.ELBO(50)(made.model, everything).value.mean() > before + 0.5
    lb.runs.save(tmp_path / "run", spec_of(made, data, 0), fit)
    model = lb.load(tmp_path / "run").model
    batch = data.test.batch(slice(None))
    with torch.no_grad():
        one, other = model.encode(batch).latents["z"], made.model.encode(batch).latents["z"]
        assert torch.equal(one, other)
        pair = [
            log_prob(m.decode({"z": one}), batch.x, batch.observed) for m in (model, made.model)
        ]
        assert torch.equal(*pair)
    if settings:
        assert model.prior.posterior is model.posterior
