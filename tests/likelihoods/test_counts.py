"""The law of counts: in units of its column's mean, held where its numbers are numbers."""

import pytest
import torch
from scipy import stats

from lowerbound.likelihoods import NegativeBinomial
from lowerbound.likelihoods.negative_binomial import LEAST

F64 = torch.float64


def test_a_network_that_puts_out_0_gives_each_column_its_mean():
    unit = torch.tensor([0.3, 1e6], dtype=F64)
    law = NegativeBinomial(unit).law(torch.zeros(4, 2, 2))
    assert torch.allclose(law.mean, unit.expand(4, 2))
    assert law.variance[0, 0].item() == pytest.approx(0.3 + 0.09)


def test_log_mean_comes_first_and_log_size_second():
    law = NegativeBinomial(2.0).law(torch.tensor([[0.5, 1.2]], dtype=F64))
    mean, size = 2.0 * torch.tensor(0.5).exp().item(), torch.tensor(1.2, dtype=F64).exp().item()
    expected = stats.nbinom(size, size / (size + mean)).logpmf(7)
    assert law.log_prob(torch.tensor([7])).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("far", [-1e4, 1e4])
def test_an_extreme_network_gives_numbers_and_gradients(far):
    output = torch.full((1, 2), far, requires_grad=True)
    law = NegativeBinomial(1e6).law(output)
    assert abs(law.log_mean.item() - torch.tensor(1e6, dtype=F64).log().item()) <= 20
    assert -7 <= law.log_size.item() <= 14
    for k in (0, 1, 2**31 - 1):
        value = law.log_prob(torch.tensor([k]))
        (gradient,) = torch.autograd.grad(value.sum(), output, retain_graph=True)
        assert bool(torch.isfinite(value).all() & torch.isfinite(gradient).all())
    assert bool(torch.isfinite(law.sample((100,))).all())


def test_a_column_that_is_always_0_has_a_mean_that_has_a_logarithm():
    assert NegativeBinomial(0.0).log_unit.exp().item() == pytest.approx(LEAST)
    law = NegativeBinomial(0.0).law(torch.zeros(1, 2))
    assert bool(torch.isfinite(law.log_prob(torch.tensor([0]))).all())
