"""The deep Markov model: a linear Gaussian state space model is its known answer."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import MultivariateNormal

import lowerbound as lb
from lowerbound.catalogue import assemble
from lowerbound.core import Batch, View
from lowerbound.data import Examples, Field, Schema
from lowerbound.distributions import Markov
from lowerbound.distributions.markov import gated
from lowerbound.errors import SettingError
from lowerbound.evaluation import information
from lowerbound.likelihoods import Fields, FixedScale, Gaussian
from lowerbound.models import DeepMarkov
from lowerbound.networks import PerStep, Transition
from lowerbound.networks.steps import LEAST
from lowerbound.testing import assert_mean, check_model

STEPS, NOISE, DECAY, JUMP = 6, 0.5, 0.8, 0.6
WEIGHTS = torch.tensor([[1.0], [-0.5]], dtype=torch.float64)


def inverse_softplus(value):
    return value + torch.log(-torch.expm1(-torch.as_tensor(value, dtype=torch.float64)))


def joint(steps):
    """Covariance of z `(T,)`, and the map from z to the mean of x, flattened."""
    variances = [1.0]
    for _ in range(steps - 1):
        variances.append(DECAY**2 * variances[-1] + JUMP**2)
    cov = torch.tensor(
        [[variances[min(i, j)] * DECAY ** abs(i - j) for j in range(steps)] for i in range(steps)],
        dtype=torch.float64,
    )
    return cov, torch.kron(torch.eye(steps, dtype=torch.float64), WEIGHTS)


def evidence(x):
    """Exact log p(x), `(B,)`, of `(B, T, 2)`."""
    cov, out = joint(x.shape[1])
    law = out @ cov @ out.T + NOISE**2 * torch.eye(len(out), dtype=torch.float64)
    zero = torch.zeros(len(law), dtype=torch.float64)
    return MultivariateNormal(zero, law).log_prob(x.flatten(1))


class Smoother(nn.Module):
    """The exact gate, shift and spread, as `DeepMarkov` takes them."""

    def forward(self, seen, lengths=None):
        found = torch.zeros(len(seen), seen.shape[1], 3, 1, dtype=torch.float64)
        own = [seen.shape[1]] * len(seen) if lengths is None else lengths.tolist()
        for row, steps in enumerate(own):
            cov, out = joint(steps)
            noise = NOISE**2 * torch.eye(len(out), dtype=torch.float64)
            gain = cov @ out.T @ torch.linalg.inv(out @ cov @ out.T + noise)
            mean = gain @ seen[row, :steps, :2].flatten()
            post = cov - gain @ out @ cov
            for t in range(steps):
                gate = post[t, t - 1] / post[t - 1, t - 1] if t else torch.tensor(0.5)
                wide = post[t, t] - (gate * post[t, t - 1] if t else 0.0)
                shift = mean[t] - (gate * mean[t - 1] if t else 0.0)
                raw = inverse_softplus(wide.sqrt() - LEAST) - 0.54
                found[row, t, :, 0] = torch.stack([torch.logit(gate), shift, raw])
        return found


def kalman():
    transition = Transition(1, 4).double()
    decoder = PerStep(1, (1, STEPS, 2), 4).double()
    wide = inverse_softplus(JUMP - LEAST) - 0.54
    with torch.no_grad():
        for part in (transition.outer, transition.linear, decoder.outer, decoder.past):
            for parameter in part.parameters():
                parameter.zero_()
        transition.outer.bias[1] = wide
        transition.linear.weight[0, 0] = DECAY
        transition.first[1] = inverse_softplus(1.0 - LEAST) - 0.54
        decoder.past.weight.copy_(WEIGHTS)
    likelihood = Fields(decoder, Gaussian(FixedScale(NOISE)))
    return DeepMarkov(transition, Smoother(), likelihood, View(masked=True), STEPS, 1)


def simulated(count, steps=STEPS, seed=0):
    torch.manual_seed(seed)
    cov, out = joint(steps)
    z = MultivariateNormal(torch.zeros(steps, dtype=torch.float64), cov).sample((count,))
    x = (z @ out.T).reshape(count, steps, 2)
    return x + NOISE * torch.randn_like(x)


def test_exact_conditionals_make_every_draw_the_evidence():
    x, model = simulated(5), kalman()
    weight = model.trace(Batch(x), 4).log_weight
    torch.testing.assert_close(weight, evidence(x).expand(4, 5), rtol=0, atol=1e-9)


def test_a_series_that_has_ended_has_the_evidence_of_what_there_is():
    x, model = simulated(3), kalman()
    known = torch.ones(3, STEPS, 2, dtype=torch.bool)
    known[1, 4:] = False
    weight = model.trace(Batch(x, known), 4).log_weight
    exact = torch.cat([evidence(x[:1]), evidence(x[1:2, :4]), evidence(x[2:])])
    torch.testing.assert_close(weight, exact.expand(4, 3), rtol=0, atol=1e-9)


def test_what_follows_the_end_is_drawn_by_the_prior():
    x, model = simulated(1), kalman()
    known = torch.ones(1, STEPS, 2, dtype=torch.bool)
    known[:, 4:] = False
    torch.manual_seed(1)
    z = model.trace(Batch(x, known), 4000).latents["z"].z[:, 0, :, 0].detach()
    jumps = z[:, 4:] - DECAY * z[:, 3:5]
    assert_mean(jumps, torch.zeros(2, dtype=torch.float64), resolves=0.1)
    assert_mean(jumps.square(), torch.full((2,), JUMP**2, dtype=torch.float64), resolves=0.1)


def test_series_of_other_lengths_are_weighed_by_all_steps():
    # steps after an end were in no density, so that a draw weighed more under a shorter series:
    # 38.8 nats of mismatch where the rate was 0.2
    x, model = simulated(300), kalman()
    known = torch.ones(300, STEPS, 2, dtype=torch.bool)
    known[::2, 2:] = False
    found = information(model, Examples(x, known))
    with torch.no_grad():
        latent = model.trace(Batch(x, known), 20).latents["z"]
        rate = float((latent.log_q - latent.log_p).mean())
    # the posterior is exact: its mean over the data is the prior, and all of the rate is I(x; z)
    assert found.mutual_information.lower.mean < rate + 0.3
    assert found.mutual_information.upper.mean == pytest.approx(rate, abs=0.3)
    assert 0 <= found.mismatch.lower.mean <= found.mismatch.upper.mean < 0.3


def test_the_rate_along_the_draws_has_the_mean_of_the_drawn_one():
    torch.manual_seed(0)
    zero = torch.zeros(1, 3, 2, dtype=torch.float64)
    numbers = [torch.rand(1, 3, 2, dtype=torch.float64) + 0.2 for _ in range(3)]
    q = Markov(gated(lambda: (numbers[0], numbers[1], numbers[2])), zero)
    p = Markov(Transition(2, 3).double().requires_grad_(False), zero)
    z = q.rsample((20_000,))
    along = q.kl_along(p, z).sum(dim=-1)
    drawn = q.log_prob(z) - p.log_prob(z)
    assert_mean(along - drawn, torch.zeros(1, dtype=torch.float64), resolves=0.1)
    assert float(along.var()) < 0.5 * float(drawn.var())


SCHEMA = Schema(
    (Field("x", "real", (5, 2), mean=(2.0, 5.0), scale=(3.0, 0.1), missing=True),),
    (5, 2),
    precision="float64",
)
SMALL = {"latents": 2, "hidden": 4}


def test_the_recipe_climbs_the_ladder():
    made = assemble("dmm", SCHEMA, SMALL, seed=0)
    check_model(made.model, Batch(torch.randn(4, 5, 2, dtype=torch.float64)), made.objective)


def test_padding_changes_no_bit_of_bound_or_gradient():
    made = assemble("dmm", SCHEMA, SMALL, seed=0)
    model = made.model.double().eval()
    x = torch.randn(3, 5, 2, dtype=torch.float64)
    known = torch.ones(3, 5, 2, dtype=torch.bool)
    known[0, 3:], known[1, 1, 0] = False, False
    found = []
    for junk in (0.0, 1e30, math.nan):
        torch.manual_seed(0)
        bound = lb.ELBO(2)(model, Batch(torch.where(known, x, junk), known)).value
        model.zero_grad()
        bound.sum().backward()
        grads = [one.grad.clone() for one in model.parameters() if one.grad is not None]
        found.append([bound.detach(), *grads])
    assert all(torch.equal(a, b) for one in found for a, b in zip(one, found[0], strict=True))


def test_a_series_has_the_bound_alone_that_it_has_beside_longer_ones():
    made = assemble("dmm", SCHEMA, SMALL, seed=0)
    model = made.model.double().eval()
    x = torch.randn(2, 5, 2, dtype=torch.float64)
    known = torch.ones(2, 5, 2, dtype=torch.bool)
    known[0, 3:] = False
    z = torch.randn(1, 2, 5, 2, dtype=torch.float64)
    beside = model.trace_at(Batch(x, known), {"z": z}).log_weight[0, 0].detach()
    alone = model.trace_at(Batch(x[:1, :3]), {"z": z[:, :1, :3]}).log_weight[0, 0].detach()
    assert float(beside) == pytest.approx(float(alone), rel=1e-12)


def test_the_decoder_with_context_learns_alone_and_then_with_latents():
    generator = np.random.default_rng(0)
    rolls = (generator.random((60, 6, 4)) < 0.3).astype(float)
    rolls[::2, 4:] = np.nan
    data = lb.read(rolls, axes="tc")
    told = {**SMALL, "context": True, "writer": 5, "epochs": 2}
    made = assemble("dmm", data.schema, told, examples=len(data.train), seed=0)
    fit = lb.fit(made.model, made.objective, data, made.training, seed=0)
    assert math.isfinite(fit.history[-1].held_out.bound)
    assert made.model.sample(3).law.sample().shape == (3, 6, 4)


def test_context_is_for_zeros_and_ones_and_dmm_for_series():
    with pytest.raises(SettingError, match="zeros and ones"):
        assemble("dmm", SCHEMA, {"context": True})
    with pytest.raises(SettingError, match="use vae"):
        assemble("dmm", Schema((Field("x", "real", (4,)),), (4,)))


@pytest.mark.slow
def test_training_comes_within_a_hundredth_of_a_nat_a_step():
    steps = 12
    x, held = simulated(3000, steps, seed=1), simulated(500, steps, seed=2)
    field = Field("x", "real", (steps, 2), mean=(0.0,), scale=(1.0,))
    schema = Schema((field,), (steps, 2))
    told = {
        "latents": 1, "hidden": 24, "likelihood": "gaussian", "likelihood.scale": "shared",
        "epochs": 40, "learning_rate": 5e-3, "keep": "last",
    }  # fmt: skip
    made = assemble("dmm", schema, told, examples=3000, seed=0)
    rows = lb.read(x[:40].float().numpy(), axes="tc")
    few = Examples(held[:50].float())
    data = lb.Data(schema, Examples(x.float()), few, few, rows.source)
    lb.fit(made.model, made.objective, data, made.training, seed=0)
    torch.manual_seed(0)
    with torch.no_grad():
        bound = lb.ELBO(20)(made.model.eval(), Batch(held.float())).value
    short = (evidence(held) - bound) / steps
    error = float(short.std()) / len(short) ** 0.5
    assert float(short.mean()) < 0.01 + 3 * error
    assert error < 0.003
