"""Stages: the decoder alone, a cheap rate, the full price."""

import torch

import lowerbound as lb
from lowerbound.objectives import ELBO, Staged


def model() -> tuple[lb.VAE, lb.Batch]:
    torch.manual_seed(0)
    made = lb.VAE(
        lb.priors.StandardNormal(2),
        lb.posteriors.DiagonalGaussian(lb.networks.MLP((3,), (2, 2), hidden=(4,))),
        lb.likelihoods.Fields(
            lb.networks.MLP((2,), (1, 3), hidden=(4,)), lb.likelihoods.Bernoulli()
        ),
    )
    return made.double(), lb.Batch(torch.randint(0, 2, (5, 3)).double())


def test_alone_the_decoder_is_at_zero_and_the_encoder_has_no_gradient():
    vae, batch = model()
    bound = Staged(ELBO()).at(0.1)(vae, batch)
    law = vae.likelihood(torch.zeros(1, 2, dtype=torch.float64))
    torch.testing.assert_close(bound.value, law.log_prob(batch.x))
    bound.value.sum().backward()
    found = [p.grad for p in vae.posterior.parameters()]
    assert all(grad is None or not bool(grad.any()) for grad in found)
    assert any(bool(p.grad.any()) for p in vae.likelihood.parameters() if p.grad is not None)


def test_the_price_of_a_nat_rises_to_one():
    vae, batch = model()
    staged = Staged(ELBO(), alone=0.2, cheap=0.4, full=0.8, price=0.1, floor=0.0)
    for fraction, price in ((0.3, 0.1), (0.6, 0.55), (0.8, 1.0), (1.0, 1.0)):
        torch.manual_seed(3)
        bound = staged.at(fraction)(vae, batch)
        torch.testing.assert_close(bound.value, -bound.distortion - price * bound.rate)


def test_held_out_data_judges_by_the_bound_itself():
    staged = Staged(ELBO(samples=2))
    assert staged.criterion == ELBO(samples=2)
    assert staged.ripe == staged.full
