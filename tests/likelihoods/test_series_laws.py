"""Laws of series: one scale a channel, which does not follow z."""

import math

import pytest
import torch
from scipy import stats

from lowerbound.catalogue.flat import view_of
from lowerbound.core import Batch
from lowerbound.data import Field, Schema
from lowerbound.likelihoods import BUILDERS, Site

MEAN = torch.tensor([[3.0, -100.0]], dtype=torch.float64)
UNIT = torch.tensor([[2.0, 50.0]], dtype=torch.float64)
SITE = Site("real", (5, 2), mean=MEAN, scale=UNIT)


@pytest.mark.parametrize("name", ["gaussian", "student-t"])
def test_the_scale_of_a_series_is_one_a_channel(name):
    law = BUILDERS[name](SITE).double()
    assert law.parameters_per_cell == 1
    with torch.no_grad():
        law.scale.log_scale.copy_(torch.tensor([[math.log(0.5), math.log(0.1)]]))
    x = torch.randn(4, 5, 2, dtype=torch.float64) * 3
    found = law.law(torch.ones(4, 5, 2, 1, dtype=torch.float64)).log_prob(x)
    centre, scale = MEAN + UNIT, UNIT * torch.tensor([[0.5, 0.1]], dtype=torch.float64)
    if name == "gaussian":
        expected = stats.norm.logpdf(x, centre, scale)
    else:
        nu = 2 + torch.nn.functional.softplus(law.tails.detach())
        assert nu.shape == (1, 2)
        expected = stats.t.logpdf(x, nu, centre, scale)
    torch.testing.assert_close(found.detach(), torch.as_tensor(expected))


def test_the_scale_never_falls_below_its_floor():
    law = BUILDERS["student-t"](SITE).double()
    with torch.no_grad():
        law.scale.log_scale.fill_(-50.0)
    spread = law.law(torch.zeros(1, 5, 2, 1, dtype=torch.float64)).scale
    assert bool((spread >= 1e-4 * UNIT * (1 - 1e-9)).all())


def test_a_student_of_vectors_has_a_scale_that_follows_z_unless_it_is_told():
    vector = Site("real", (3,))
    assert BUILDERS["student-t"](vector).parameters_per_cell == 2
    assert BUILDERS["student-t"](vector, scale="per-dimension").parameters_per_cell == 1


def test_the_encoder_of_series_is_told_of_gaps_and_sees_nothing_in_them():
    field = Field("x", "real", (5, 2), mean=(3.0, -100.0), scale=(2.0, 50.0))
    view = view_of(Schema((field,), (5, 2)))
    assert view.shape((5, 2)) == (10, 2)
    x = torch.randn(1, 5, 2)
    known = torch.ones(1, 5, 2, dtype=torch.bool)
    known[0, 3, 1] = False
    seen = view(Batch(x, known))
    x[0, 3, 1] = math.nan
    assert torch.equal(view(Batch(x, known)), seen)
    assert seen[0, 3, 1] == 0
    assert seen[0, 8, 1] == 0
    assert seen[0, 5:].sum() == 9
