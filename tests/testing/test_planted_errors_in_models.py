"""The checks of whole models are checked: each of these errors is planted, and must be seen."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

from lowerbound import likelihoods, priors
from lowerbound.data import Batch
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.testing import (
    LinearGaussian,
    Planted,
    assert_close_gradient,
    check_calibration,
    check_known_answer,
    check_known_gradient,
    check_model,
)

REFERENCE = LinearGaussian.random(2, 4, orthogonal=True)
X = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
POINTS = torch.linspace(-2.0, 2.0, 7, dtype=torch.float64)

CHECKS: dict[str, Callable] = {
    "known model": lambda make: check_known_answer(REFERENCE, make(REFERENCE)),
    "known gradient": lambda make: check_known_gradient(REFERENCE, make(REFERENCE)),
    "model": lambda make: check_model(make(), Batch(X)),
    "calibration": lambda q: check_calibration(REFERENCE, q),
    "gradient": lambda function: assert_close_gradient(function, [POINTS]),
}

PLANTED: dict[str, Planted] = {}


def enter(words: str, check: str, says: str, wrong, right) -> None:
    PLANTED[f"{check}: {words}"] = Planted(words, CHECKS[check], says, wrong, right)


def plant(words: str, check: str, says: str, right) -> Callable:
    def decorate(wrong):
        enter(words, check, says, wrong, right)
        return wrong

    return decorate


# --- whole models with a known answer


def exact(reference: LinearGaussian) -> VAE:
    return reference.vae(DiagonalGaussian)


def model_with(change: Callable) -> Callable:
    """The exact model, its trace changed after the fact."""

    class Changed(VAE):
        def trace(self, batch, samples=1, gradient="total"):
            return change(self, batch, super().trace(batch, samples, gradient))

    def make(reference=None):
        model = small_model() if reference is None else exact(reference)
        return Changed(model.prior, model.posterior, model.likelihood)

    return make


def plant_trace(words: str, check: str, says: str) -> Callable:
    def decorate(change):
        right = small_model if check == "model" else exact
        enter(words, check, says, model_with(change), right)
        return change

    return decorate


def small_model() -> VAE:
    return VAE(
        priors.StandardNormal(2),
        DiagonalGaussian(MLP((4,), (2, 2), (8,))),
        likelihoods.Gaussian(MLP((2,), (1, 4), (8,))),
    )


@plant_trace("the entropy is detached", "known gradient", "for the encoder")
def detached_entropy(model, batch, trace):
    return replace(trace, log_qz=trace.log_qz.detach())


@plant_trace("the closed rate is detached", "known gradient", "closed rate")
def detached_rate(model, batch, trace):
    return replace(trace, kl={"z": trace.kl["z"].detach()})


@plant_trace("the gradient of log p(x|z) does not pass through z", "known gradient", "encoder")
def detached_z(model, batch, trace):
    law = model.likelihood(trace.z.detach())
    return replace(trace, log_px=law.log_prob(batch.x))


@plant_trace("log q(z|x) is taken at the mean, not at the draw", "known model", "log p\\(x, z\\)")
def density_at_the_mean(model, batch, trace):
    q = model.posterior(batch.x)
    return replace(trace, log_qz=q.log_prob(q.mean).expand_as(trace.log_qz))


@plant_trace("log p(z) is taken at the mean, not at the draw", "model", "log_pz of the trace")
def prior_at_the_mean(model, batch, trace):
    mean = model.posterior(batch.filled()).mean.expand_as(trace.z)
    return replace(trace, log_pz=model.prior().log_prob(mean))


@plant_trace("the rate is zero", "model", "drawn KL")
def zero_rate(model, batch, trace):
    return replace(trace, kl={"z": 0 * trace.kl["z"]})


def with_kl(formula: Callable) -> Callable:
    def change(model, batch, trace):
        q = trace.posterior.base_dist
        return replace(trace, kl={"z": formula(q.loc.double(), q.scale.double()).unsqueeze(0)})

    return change


RATES = [
    ("the rate is KL(p || q)", lambda m, s: s.log() + (1 + m**2) / (2 * s**2) - 0.5),
    ("the rate lacks its half", lambda m, s: m**2 + s**2 - 1 - 2 * s.log()),
    (
        "the rate has the log-scale with the wrong sign",
        lambda m, s: (m**2 + s**2 - 1) / 2 + s.log(),
    ),
    ("the rate forgets the mean", lambda m, s: (s**2 - 1) / 2 - s.log()),
    (
        "the rate takes the log-variance for the log-scale",
        lambda m, s: (m**2 + s**2 - 1) / 2 - 2 * s.log(),
    ),
]


def wide_model() -> VAE:
    """Far from the prior, so that a wrong rate is a different number."""
    model = small_model()
    with torch.no_grad():
        model.posterior.network.layers[-1].bias.copy_(torch.tensor([1.5, -1.0, -1.0, 0.5]))
    return model


def wide_with(change: Callable) -> Callable:
    def make():
        model = wide_model()
        planted = model_with(change)()
        planted.prior, planted.posterior = model.prior, model.posterior
        planted.likelihood = model.likelihood
        return planted

    return make


for words, formula in RATES:
    enter(words, "model", "drawn KL", wide_with(with_kl(formula)), wide_model)


@plant_trace("the trace is float32", "model", "float64")
def float32_trace(model, batch, trace):
    return replace(trace, log_px=trace.log_px.float())


@plant_trace("all draws are the same draw", "model", "share their noise|share")
def one_draw(model, batch, trace):
    z = trace.z[:1].expand_as(trace.z)
    return replace(trace, z=z, log_px=model.likelihood(z).log_prob(batch.filled()))


@plant_trace("the mask is ignored", "model", "mask|unobserved|observed")
def ignored_mask(model, batch, trace):
    law = model.likelihood(trace.z)
    return replace(trace, log_px=law.log_prob(batch.filled()))


@plant_trace(
    "cells are filled before but their terms not dropped after", "model", "nothing was observed"
)
def filled_only(model, batch, trace):
    law = model.likelihood(trace.z)
    return replace(trace, log_px=law.log_prob(batch.filled()))


@plant_trace("terms are dropped after but cells not filled before", "model", "gradient|bound")
def dropped_only(model, batch, trace):
    law = model.likelihood(trace.z)
    return replace(trace, log_px=law.log_prob(batch.x, batch.observed))


@plant_trace("the mask is multiplied, and nan times zero is nan", "model", "changes when|finite")
def multiplied_mask(model, batch, trace):
    if batch.observed is None:
        return trace
    x = batch.x * batch.observed
    return replace(trace, log_px=model.likelihood(trace.z).log_prob(x, batch.observed))


@plant_trace("log p(x|z) is the mean over the observed cells", "model", "mask|log_px")
def mean_over_observed(model, batch, trace):
    observed = torch.ones_like(batch.x) if batch.observed is None else batch.observed
    return replace(trace, log_px=trace.log_px / observed.flatten(1).sum(dim=1).clamp(min=1))


@plant_trace("rows are mixed by their batch's mean", "model", "another row")
def mixed_rows(model, batch, trace):
    return replace(trace, log_px=trace.log_px + 0.1 * trace.log_px.mean(dim=1, keepdim=True))


@plant("a parameter is never used", "model", "no gradient of the bound reaches", small_model)
def unused_parameter():
    model = small_model()
    model.register_parameter("idle", nn.Parameter(torch.ones(1)))
    return model


# --- calibration and gradients


def posterior_off(shift: float, factor: float) -> Callable:
    def posterior(x):
        q = REFERENCE.posterior(x)
        return MultivariateNormal(q.mean + shift, q.covariance_matrix * factor**2)

    return posterior


enter(
    "the posterior is too wide",
    "calibration",
    "variance",
    posterior_off(0, 1.2),
    REFERENCE.posterior,
)
enter(
    "the posterior is too narrow",
    "calibration",
    "variance",
    posterior_off(0, 0.8),
    REFERENCE.posterior,
)
enter(
    "the posterior is shifted", "calibration", "mean", posterior_off(0.1, 1.0), REFERENCE.posterior
)
enter(
    "a derivative passes through a clamp",
    "gradient",
    "is off by",
    lambda x: x + (x.clamp(-1, 1) - x).detach(),
    lambda x: x.clamp(-1.1, 1.1),
)
enter(
    "a derivative is nan where the value is not",
    "gradient",
    "not finite",
    lambda x: torch.where(x > 0.5, x.sqrt(), x),
    lambda x: torch.where(x > 0.5, x.clamp(min=0.1).sqrt(), x),
)


def test_there_are_planted_errors_for_every_check():
    assert len(PLANTED) >= 25
    assert {name.split(":")[0] for name in PLANTED} == set(CHECKS)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_caught_by_a_named_check(name: str):
    PLANTED[name].must_be_caught()
