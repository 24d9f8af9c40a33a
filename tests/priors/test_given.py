"""The prior that follows a condition: conditional pPCA has exact answers under it."""

import torch
from torch.distributions import MultivariateNormal

import lowerbound as lb
from lowerbound.core import UNTOLD
from lowerbound.distributions import log_prob
from lowerbound.priors import GivenPrior, StandardNormal
from lowerbound.testing.models import check_model

F64 = torch.float64


def moved():
    torch.manual_seed(0)
    prior = GivenPrior(2, [3, 2]).double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return prior


def test_it_starts_as_the_standard_normal_for_every_condition():
    z = torch.randn(4, 2)
    told = torch.tensor([[0], [1], [2], [UNTOLD]])
    expected = log_prob(StandardNormal(2)(), z)
    assert torch.allclose(log_prob(GivenPrior(2, [3])(told), z), expected)


def test_each_value_that_is_told_adds_its_part_and_one_that_is_not_adds_none():
    prior = moved()
    p = prior(torch.tensor([[2, 1], [2, UNTOLD], [UNTOLD, UNTOLD]]))
    both = prior.every + prior.own[2] + prior.own[3 + 1]
    assert torch.allclose(p.mean[0], both[0]) and torch.allclose(p.stddev[0], both[1].exp())
    assert torch.allclose(p.mean[1], (prior.every + prior.own[2])[0])
    assert torch.equal(p.mean[2], prior().mean)


def test_with_a_linear_decoder_x_given_c_is_the_gaussian_of_its_class():
    # x = W z + b + noise with z ~ N(m(c), s(c)^2): N(W m + b, W S W' + s^2 I), and its exact q
    prior, w = moved(), torch.randn(3, 2, dtype=F64)
    told = torch.tensor([[1, 0], [0, 1]])
    p, x, noise = prior(told), torch.randn(2, 3, dtype=F64), 0.6
    eye = torch.eye(3, dtype=F64)
    spread = torch.diag_embed(p.stddev.square())
    evidence = MultivariateNormal(p.mean @ w.mT, w @ spread @ w.mT + noise**2 * eye).log_prob(x)
    precision = torch.diag_embed(p.stddev**-2) + w.mT @ w / noise**2
    middle = torch.linalg.solve(precision, p.mean / p.stddev**2 + x @ w / noise**2)
    z = middle + 0.3
    posterior = MultivariateNormal(middle, precision_matrix=precision)
    given_z = MultivariateNormal(z @ w.mT, noise**2 * eye).log_prob(x)
    assert torch.allclose(given_z + log_prob(p, z) - posterior.log_prob(z), evidence)


def test_a_model_learns_where_its_classes_lie_and_climbs_the_ladder():
    data = lb.read("digits", limit=120, condition="class")
    model, objective = lb.catalogue.build("vae", data.schema, latents=2, hidden=(8,), prior="given")
    assert model.prior.told.levels == (10,)
    lb.fit(model, objective, data, lb.Training(epochs=1, batch_size=50), seed=0)
    assert model.prior.own.detach().abs().sum() > 0
    check_model(model, data.train.batch(slice(0, 4)))
    ten = torch.arange(10).unsqueeze(1)
    assert lb.applications.generate(model, 10, condition=ten, seed=0).shape == (10, 1, 8, 8)
    assert lb.applications.generate(model, 3, seed=0).shape == (3, 1, 8, 8)
