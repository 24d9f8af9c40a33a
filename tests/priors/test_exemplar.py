"""The exemplar prior: in training no example is its own exemplar, and later the last ones are."""

import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import KernelDensity

import lowerbound as lb
from lowerbound.core import Batch
from lowerbound.distributions import CellNormal, Independent, log_prob
from lowerbound.errors import SettingError
from lowerbound.priors import ExemplarPrior
from lowerbound.processes import Group, together
from lowerbound.testing import assert_close_gradient

F64 = torch.float64


def setting(rows=6, exemplars=4):
    torch.manual_seed(0)
    prior = ExemplarPrior(2, exemplars).double()
    with torch.no_grad():
        prior.log_scale.fill_(math.log(0.4))
    q = Independent(CellNormal(torch.randn(rows, 2, dtype=F64), torch.ones(rows, 2).double()), 1)
    return prior, q


def test_in_training_it_is_the_leave_one_out_estimate_of_scikit_learn():
    prior, q = setting()
    z = torch.randn(3, 6, 2, dtype=F64)
    got = log_prob(prior.among(q), z)
    means = q.mean.numpy()
    for row in range(6):
        others = KernelDensity(bandwidth=0.4).fit(np.delete(means, row, axis=0))
        expected = others.score_samples(z[:, row].numpy())
        assert np.allclose(got[:, row].detach(), expected, rtol=1e-10)


def test_after_training_it_is_the_estimate_of_the_last_examples():
    prior, q = setting(6, 4)
    prior.among(q)
    assert torch.equal(prior.means.sort(dim=0)[0], q.mean[-4:].sort(dim=0)[0])
    z = torch.randn(5, 2, dtype=F64)
    known = KernelDensity(bandwidth=0.4).fit(q.mean[-4:].numpy())
    assert np.allclose(log_prob(prior(), z).detach(), known.score_samples(z.numpy()), rtol=1e-10)
    few = Independent(CellNormal(torch.full((2, 2), math.nan).double(), torch.ones(2, 2)), 1)
    prior.among(few)
    assert torch.isfinite(prior.means).all()


def test_its_gradient_goes_to_the_encodings_and_the_width():
    prior, q = setting(4)
    z = torch.randn(4, 2, dtype=F64)

    def density(means, log_scale):
        prior.log_scale = None
        prior.__dict__["log_scale"] = log_scale
        return log_prob(prior.among(Independent(CellNormal(means, torch.ones_like(means)), 1)), z)

    width = prior.log_scale.detach().clone()
    assert_close_gradient(density, [q.mean.clone(), width])


def test_an_example_that_is_far_from_all_others_pays_for_it():
    # with itself among the exemplars its rate was that of a code for nothing
    prior, q = setting(3)
    q.base_dist.loc[0] = 50.0
    assert float(log_prob(prior.among(q), q.mean)[0].detach()) < -1000
    assert float(log_prob(prior(), q.mean)[0].detach()) > -10


def test_a_model_is_trained_on_others_and_judged_by_exemplars():
    data = lb.read("digits", limit=120)
    model, objective = lb.catalogue.build(
        "vae", data.schema, latents=2, hidden=(8,), prior="exemplar", exemplars=20
    )
    lb.fit(model, objective, data, lb.Training(epochs=1, batch_size=32), seed=0)
    batch = Batch(data.train.x[:5])
    assert model.eval().trace(batch).latents["z"].p.batch_shape == ()
    assert model.train().trace(batch).latents["z"].p.batch_shape == (5,)
    assert int(model.prior.place) > 40


def test_a_batch_of_one_meets_the_kept_ones_and_several_processes_are_refused():
    prior, q = setting(1)
    assert torch.equal(prior.among(q).components.mean, prior.means)
    prior, q = setting(3)
    two = Group()
    two.size = 2
    with together(two), pytest.raises(SettingError, match="prior=vamp"):
        prior.among(q)
