"""The flow as a posterior: it can be exact, remembers its draws, and starts as a Gaussian."""

import pytest
import torch

from lowerbound.data import Batch
from lowerbound.distributions import CellNormal, Flow, Independent, log_prob
from lowerbound.errors import SettingError, ShapeError
from lowerbound.flows import Affine, Masked
from lowerbound.networks import MLP
from lowerbound.posteriors import DiagonalGaussian, FlowPosterior
from lowerbound.testing import LinearGaussian, check_close, check_posterior

F64 = torch.float64


def made(maps="coupling", units="affine", latents=3, amount=0.0):
    torch.manual_seed(0)
    q = FlowPosterior(MLP((4,), (3, latents), (8,)), layers=2, maps=maps, units=units, width=8)
    with torch.no_grad():
        for parameter in q.parameters():
            parameter.add_(amount * torch.randn_like(parameter))
    return q


def test_a_linear_autoregressive_map_closes_the_gap_of_a_linear_gaussian_model():
    # a diagonal q leaves half of sum log L_dd - log det L, L the precision of p(z|x)
    reference = LinearGaussian.random(latents=3, dimensions=5)
    x = reference.simulate(4).x
    exact = reference.posterior(x)
    factor, mean = exact.scale_tril[0], exact.loc
    maps = Masked(3, Affine(), 0, hidden=()).double()
    with torch.no_grad():
        maps.bias[:, 1] = 3 * torch.atanh(torch.diagonal(factor).log() / 3)
        maps.layers[0].weight[0::2] = factor.tril(-1)
    start = torch.linalg.solve_triangular(factor, mean.unsqueeze(-1), upper=False).squeeze(-1)
    base = Independent(CellNormal(start, torch.ones_like(start)), 1)
    q = Flow(base, maps, outward=True)
    z = q.rsample((6,))
    log_px, log_pz = reference.vae().log_joint(Batch(x), {"z": z})
    weight = log_px + log_pz - log_prob(q, z)
    check_close(weight, reference.log_evidence(x), "log p(x, z) - log q(z|x)")
    precision = torch.linalg.inv(exact.covariance_matrix[0])
    gap = 0.5 * (torch.diagonal(precision).log().sum() - torch.logdet(precision))
    assert float(gap) > 0.01  # so that there was something to close


@pytest.mark.parametrize("maps", ["coupling", "autoregressive"])
def test_it_starts_as_the_diagonal_gaussian(maps):
    q, x = made(maps), torch.randn(5, 4)
    z = torch.randn(5, 3)
    mean_and_scale = torch.nn.Sequential(q.network, _First())
    expected = log_prob(DiagonalGaussian(mean_and_scale)(x), z)
    assert torch.allclose(log_prob(q(x), z), expected, atol=1e-4)


class _First(torch.nn.Module):
    def forward(self, output):
        return output[..., :2, :]


@pytest.mark.parametrize("maps", ["coupling", "autoregressive"])
@pytest.mark.parametrize("units", ["affine", "spline"])
def test_the_density_of_its_own_draw_is_that_of_the_way_back(maps, units):
    q = made(maps, units, amount=0.3).double()(torch.randn(5, 4, dtype=F64))
    z = q.rsample((2,))
    assert torch.allclose(log_prob(q, z), log_prob(q, z.clone()), atol=1e-6)
    # every draw under every q, as the aggregate posterior needs
    pairs = log_prob(q, z[0].unsqueeze(1))
    assert pairs.shape == (5, 5)
    assert torch.allclose(torch.diagonal(pairs), log_prob(q, z[0].clone()), atol=1e-6)


def test_the_layers_are_told_of_x():
    q = made(amount=0.3)(torch.randn(2, 4))
    u = torch.zeros(2, 3)
    same = Flow(Independent(CellNormal(u, u + 1), 1), q.maps, q.context, outward=True)
    one, other = same.push(u)[0]
    assert not torch.allclose(one, other)


@pytest.mark.parametrize("maps", ["coupling", "autoregressive"])
def test_it_climbs_the_ladder(maps):
    check_posterior(made(maps, amount=0.1), torch.randn(4, 4))


def test_impossible_sizes_and_networks_are_refused():
    with pytest.raises(SettingError, match="from 1 to 64 layers"):
        FlowPosterior(MLP((4,), (3, 2)), layers=0)
    with pytest.raises(ShapeError, match=r"build it with outputs=\(3, latents\)"):
        FlowPosterior(MLP((4,), (2, 2)))(torch.zeros(1, 4))
