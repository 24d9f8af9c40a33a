"""Rules for an estimate of log p(x), on a model whose evidence, rate and ELBO are known."""

import math
from collections.abc import Callable

import torch
from torch.distributions import MultivariateNormal, kl_divergence

from lowerbound import evaluation
from lowerbound.data import Examples
from lowerbound.models import VAE
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.testing.assertions import assert_mean, check_close
from lowerbound.testing.laws import check_shape
from lowerbound.testing.references.linear_gaussian import LinearGaussian

#: From a model, examples and draws for each, and `seed=`, to bounds of each example.
Evidence = Callable[..., evaluation.Evidence]

#: Copies of each example: more than are encoded at a time, so that chunks of examples meet.
COPIES = 600
#: Draws for each: more than are decoded at a time, so that chunks of draws meet; a prime.
SAMPLES = 31


def check_evidence(evidence: Evidence, *, seed: int = 0) -> None:
    """Run the ladder on a function that bounds log p(x) of each example.

    With the exact posterior the importance-weighted bound is log p(x), example by example. With
    another one exp(bound) has the mean p(x), ELBO, rate and distortion have their closed forms, the
    bound's spread over copies of an example is that of as many independent draws, and no two copies
    share their draws. Cells that were not observed are summed out. The seed decides; the caller's
    random state stays as it was.

    Args:
        evidence: Called as `evidence(model, examples, samples, seed=seed)`.

    Source: Burda, Grosse & Salakhutdinov (2016), equation 8, arXiv 1509.00519.

    Example:
        >>> import lowerbound as lb
        >>> check_evidence(lb.evaluation.evidence)
    """
    reference = LinearGaussian.random(2, 4, orthogonal=True)
    _check_exact(evidence, reference, seed)
    _check_loose(evidence, reference, seed)
    _check_observed(evidence, reference, seed)


def _check_exact(evidence: Evidence, reference: LinearGaussian, seed: int) -> None:
    x = reference.simulate(COPIES).x
    model = reference.vae(DiagonalGaussian)
    before = torch.get_rng_state()
    found = evidence(model, Examples(x), 7, seed=seed)
    if not torch.equal(before, torch.get_rng_state()):
        raise AssertionError("evidence changes the caller's random state")
    for name in ("elbo", "log_likelihood", "distortion", "rate"):
        check_shape(getattr(found, name), (COPIES,), f"{name} of the evidence")
    log_px = reference.log_evidence(x)
    check_close(found.log_likelihood, log_px, "the bound of each example at the exact posterior")
    rate = kl_divergence(reference.posterior(x), _standard(2))
    check_close(found.rate, rate, "the rate of each example in closed form")
    total = -(found.distortion + found.rate)
    check_close(found.elbo, total, "the ELBO, -(distortion + rate),")
    again = evidence(model, Examples(x), 7, seed=seed).elbo
    other = evidence(model, Examples(x), 7, seed=seed + 1).elbo
    if not torch.equal(again, found.elbo) or torch.equal(other, found.elbo):
        raise AssertionError("the seed must decide the draws of evidence, and nothing else")


def _check_loose(evidence: Evidence, reference: LinearGaussian, seed: int) -> None:
    """Assert that copies of three examples are independent estimates of three numbers each."""
    model = _loosened(reference)
    few = reference.simulate(3, seed=1).x
    x = few.repeat(COPIES, 1)
    found = evidence(model, Examples(x), SAMPLES, seed=seed)
    elbo, log_likelihood, distortion, rate = (
        getattr(found, name).reshape(COPIES, 3)
        for name in ("elbo", "log_likelihood", "distortion", "rate")
    )
    for values in log_likelihood.unbind(dim=1):
        if len(values.unique()) < COPIES:
            raise AssertionError("examples share their noise: two copies have the same draws")
    with torch.no_grad():
        cells = model.posterior(few)
        q = MultivariateNormal(cells.mean, torch.diag_embed(cells.variance))
        log_px = reference.log_evidence(few)
        bound = log_px - kl_divergence(q, reference.posterior(few))
        spent = kl_divergence(q, _standard(2))
        # copies of log p(x|z) spread as one draw does, over the number of draws
        z = q.sample(torch.Size([20_000]))
        single = model.likelihood(z).log_prob(few).var(dim=0)
    squares = SAMPLES * (distortion - distortion.mean(dim=0)).square() / single
    name = "the spread over copies as a share of that of independent draws"
    assert_mean(squares, 1.0, resolves=0.6, name=name)
    name = "the mean of exp(bound) as a share of p(x)"
    assert_mean((log_likelihood - log_px).exp(), 1.0, resolves=0.03, name=name)
    check_close(rate, spent, "the rate of each copy in closed form")
    assert_mean(distortion, -bound - spent, resolves=0.1, name="the distortion of copies")
    assert_mean(elbo, bound, resolves=0.1, name="the ELBO of copies of an example")


def _check_observed(evidence: Evidence, reference: LinearGaussian, seed: int) -> None:
    """Assert that the evidence of three of four cells is that of a smaller model."""
    few = reference.simulate(1, seed=2).x
    observed = torch.tensor([[True, True, True, False]])
    weight, bias = reference.weight[:3], reference.bias[:3]
    expected = LinearGaussian(weight, bias, reference.scale).log_evidence(few[:, :3])
    x = torch.where(observed, few, torch.full((), float("nan")).double())
    examples = Examples(x.expand(COPIES, -1).clone(), observed.expand(COPIES, -1).clone())
    found = evidence(_loosened(reference, 1.5), examples, 2 * SAMPLES, seed=seed)
    if not bool(torch.isfinite(found.log_likelihood).all()):
        raise AssertionError("what an unobserved cell holds reaches the evidence: not finite")
    ratio = (found.log_likelihood - expected).exp()
    name = "the mean of exp(bound) of observed cells as a share of p(x)"
    assert_mean(ratio, 1.0, resolves=0.3, name=name)


def _loosened(reference: LinearGaussian, factor: float = 1.3) -> VAE:
    """Shift and widen the posterior of the model: weights vary, but not wildly."""
    model = reference.vae(DiagonalGaussian)
    *_, bias = model.posterior.parameters()
    with torch.no_grad():
        bias[:2] += 0.1
        bias[2:] += math.log(factor)
    return model


def _standard(latents: int) -> MultivariateNormal:
    return MultivariateNormal(torch.zeros(latents).double(), torch.eye(latents).double())
