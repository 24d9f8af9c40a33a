"""Every objective on the flat VAE, to the bit, against its formula written out on its draws."""

import math

import pytest
import torch

import lowerbound as lb
from lowerbound.distributions import analytic_kl, detached, log_prob
from lowerbound.seeding import seeded


def formulas(log_px, log_pz, log_qz, kl):
    """Value of each objective, from the densities of its draws, as before there were groups."""
    weight = log_px + 1.0 * (log_pz - log_qz)
    return {
        "ELBO": log_px.mean(dim=0) - kl,
        "drawn ELBO": log_px.mean(dim=0) - (log_qz - log_pz).mean(dim=0),
        "BetaELBO": log_px.mean(dim=0) - 4.0 * kl,
        "IWAE": weight.logsumexp(dim=0) - math.log(len(weight)),
    }


OBJECTIVES = {
    "ELBO": lb.ELBO(3),
    "drawn ELBO": lb.ELBO(3, analytic=False),
    "sticking": lb.StickingTheLanding(3),
    "BetaELBO": lb.BetaELBO(4.0, 3),
    "IWAE": lb.IWAE(3),
    "DReG": lb.DReG(3),
}
SAME = {"sticking": "drawn ELBO", "DReG": "IWAE"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("family", [lb.posteriors.DiagonalGaussian, lb.posteriors.FullGaussian])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_value_and_gradient_are_those_of_the_formula_to_the_bit(name, family, dtype):
    shape = family.parameters_shape(4)
    with seeded(3):
        model = lb.VAE(
            lb.priors.StandardNormal(4),
            family(lb.networks.MLP((6,), shape, (8,))),
            lb.likelihoods.Fields(lb.networks.MLP((4,), (1, 6), (8,)), lb.likelihoods.Bernoulli()),
        ).to(dtype)
        x = (torch.rand(7, 6) > 0.5).to(dtype)
    parameters = list(model.parameters())
    with seeded(1):
        value = OBJECTIVES[name](model, lb.Batch(x)).value
    with seeded(1):
        q = model.posterior(x)
        z = q.rsample((3,))
        p = model.prior()
        score = detached(q) if OBJECTIVES[name].gradient == "path" else q
        expected = formulas(
            log_prob(model.likelihood(z), x), log_prob(p, z), log_prob(score, z),
            analytic_kl(q, p).sum(dim=-1),
        )[SAME.get(name, name)]  # fmt: skip
    assert torch.equal(value, expected)
    if name == "DReG":  # its encoder's gradient is another one
        return
    got, should = (
        torch.autograd.grad(bound.sum(), parameters, allow_unused=True)
        for bound in (value, expected)
    )
    for one, other in zip(got, should, strict=True):
        assert torch.equal(one, other)
