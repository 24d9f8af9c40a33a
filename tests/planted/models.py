"""Errors in the trace of a model: densities at the wrong place, wrong rates, mixed rows."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lowerbound.core import View
from lowerbound.core.trace import Gradient, Trace
from lowerbound.data import Batch
from lowerbound.likelihoods import Fields, Gaussian
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.posteriors import DiagonalGaussian
from lowerbound.priors import StandardNormal
from lowerbound.testing.calibration import check_known_answer
from lowerbound.testing.models import check_model
from lowerbound.testing.references.linear_gaussian import LinearGaussian
from planted.altered import altered
from planted.subject import Subject

REFERENCE = LinearGaussian.random(2, 4, orthogonal=True)
_X = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))

MODELS = Subject(
    "models",
    {
        "known model": lambda make: check_known_answer(REFERENCE, make()),
        "model": lambda make: check_model(make(), Batch(_X)),
    },
)

#: From a model, a batch and its trace to another trace.
Change = Callable[[VAE, Batch, Trace], Trace]


def exact_model() -> VAE:
    """The model whose posterior is exact."""
    return REFERENCE.vae(DiagonalGaussian)


def small_model() -> VAE:
    """A small model with a posterior far from the prior, so that a wrong rate is another number."""
    model = VAE(
        StandardNormal(2),
        DiagonalGaussian(MLP((4,), (2, 2), (8,))),
        Fields(MLP((2,), (1, 4), (8,)), Gaussian()),
    )
    last = model.posterior.network.layers[-1]  # type: ignore[union-attr,index]
    with torch.no_grad():
        last.bias.copy_(torch.tensor([1.5, -1.0, -1.0, 0.5]))  # type: ignore[union-attr]
    return model


def with_trace(build: Callable[[], VAE], change: Change) -> Callable[[], VAE]:
    """The same model, its trace changed after the fact."""

    class Changed(VAE):
        def trace(self, batch: Batch, samples: int = 1, gradient: Gradient = "total") -> Trace:
            return change(self, batch, super().trace(batch, samples, gradient))

    def make() -> VAE:
        model = build()
        return Changed(model.prior, model.posterior, model.likelihood)

    return make


def plant_trace(subject: Subject, check: str, says: str, right: Callable[[], VAE]) -> Any:
    """Plant a change of the trace."""
    return subject.plant(check, says, right, make=lambda change: with_trace(right, change))


def _known(says: str = "log p\\(x, z\\)") -> Any:
    return plant_trace(MODELS, "known model", says, exact_model)


def _plant(says: str) -> Any:
    return plant_trace(MODELS, "model", says, small_model)


# --- densities at the wrong place


@_known()
def _density_at_the_mean(model, batch, trace):
    """Log q(z|x) is taken at the mean, not at the draw."""
    q = model.posterior(batch.x)
    return altered(trace, log_qz=q.log_prob(q.mean).expand_as(trace.log_qz))


@_known()
def _decoded_mean(model, batch, trace):
    """The decoder is given the mean of q(z|x), not a draw."""
    law = model.likelihood(trace.latents["z"].q.mean)
    return altered(trace, log_px=law.log_prob(batch.x).expand_as(trace.log_px))


@_known()
def _other_row(model, batch, trace):
    """Log q(z|x) is that of another row of the batch."""
    return altered(
        trace, log_qz=trace.latents["z"].q.log_prob(trace.latents["z"].z.roll(1, dims=1))
    )


@_known()
def _reshaped(model, batch, trace):
    """Draws are reshaped where they should be transposed."""
    z = trace.latents["z"].z.transpose(0, 1).reshape(trace.latents["z"].z.shape)
    return altered(trace, log_px=model.likelihood(z).log_prob(batch.x))


@_known()
def _swapped(model, batch, trace):
    """Swapped terms: log p(z) and log q(z|x) are exchanged."""
    return altered(trace, log_pz=trace.log_qz, log_qz=trace.log_pz)


@_known()
def _variance_in_density(model, batch, trace):
    """Wrong scale: log q(z|x) takes the scale for the variance."""
    q = trace.latents["z"].q.base_dist
    law = torch.distributions.Normal(q.loc, q.scale.sqrt())
    return altered(trace, log_qz=law.log_prob(trace.latents["z"].z).sum(dim=-1))


@_known()
def _no_entropy_constant(model, batch, trace):
    """Dropped constant: log 2 pi cancels in the rate, but not with a unit left out of p(z)."""
    one = torch.distributions.Normal(0.0, 1.0).log_prob(trace.latents["z"].z[..., :-1])
    return altered(trace, log_pz=one.sum(dim=-1).double())


@_plant("log_pz of the trace")
def _prior_at_the_mean(model, batch, trace):
    """Log p(z) is taken at the mean, not at the draw."""
    mean = model.posterior(View()(batch)).mean.expand_as(trace.latents["z"].z)
    return altered(trace, log_pz=model.prior().log_prob(mean))


@_plant("log_px of the trace")
def _dropout(model, batch, trace):
    """Dropout on z is left on after training."""
    z = nn.functional.dropout(trace.latents["z"].z, 0.3, training=True)
    return altered(trace, log_px=model.likelihood(z).log_prob(View()(batch), batch.observed))


@_plant("drawn KL")
def _from_the_prior(model, batch, trace):
    """Z is drawn from the prior, not from q(z|x)."""
    z = torch.randn_like(trace.latents["z"].z)
    x = View()(batch)
    return altered(
        trace,
        z=z,
        log_px=model.likelihood(z).log_prob(x, batch.observed),
        log_pz=model.prior().log_prob(z),
        log_qz=model.posterior(x).log_prob(z),
    )


# --- rows, draws and numbers


@_plant("float64")
def _float32_trace(model, batch, trace):
    """The trace is float32."""
    return altered(trace, log_px=trace.log_px.float())


@_plant("share their noise")
def _one_draw(model, batch, trace):
    """Shared noise: the first draw of z is used for all K."""
    z = trace.latents["z"].z[:1].expand_as(trace.latents["z"].z)
    x = View()(batch)
    return altered(
        trace,
        z=z,
        log_px=model.likelihood(z).log_prob(x, batch.observed),
        log_pz=trace.log_pz[:1].expand_as(trace.log_pz),
        log_qz=trace.log_qz[:1].expand_as(trace.log_qz),
    )


@_plant("another row")
def _mixed_rows(model, batch, trace):
    """Rows are mixed by their batch's mean."""
    return altered(trace, log_px=trace.log_px + 0.1 * trace.log_px.mean(dim=1, keepdim=True))


@_plant("another row|log_pz")
def _summed_prior(model, batch, trace):
    """Log p(z) is broadcast and summed over the batch."""
    return altered(trace, log_pz=trace.log_pz.sum(dim=1, keepdim=True).expand_as(trace.log_pz))


@_plant("has shape")
def _kept_axis(model, batch, trace):
    """A sum keeps its axis, and broadcasts the batch against itself."""
    return altered(trace, log_pz=trace.log_pz.unsqueeze(-1) + trace.log_qz.unsqueeze(-2))


# --- rates


@_plant("drawn KL")
def _zero_rate(model, batch, trace):
    """The closed rate is clamped to zero from above."""
    return altered(trace, kl=trace.kl["z"].clamp(max=0.0))


@_plant("drawn KL")
def _floored_rate(model, batch, trace):
    """The closed rate has its free bits in it."""
    return altered(trace, kl=trace.kl["z"].clamp(min=1.5))


@_plant("drawn KL")
def _mean_rate(model, batch, trace):
    """Averaged instead of summed: the closed rate is the mean over its units."""
    return altered(trace, kl=trace.kl["z"].mean(dim=-1, keepdim=True))


@_plant("drawn KL")
def _batch_rate(model, batch, trace):
    """The closed rate is summed over the batch."""
    kl = trace.kl["z"]
    return altered(trace, kl=kl.sum(dim=1, keepdim=True).expand_as(kl))


def _with_kl(formula: Callable[[Tensor, Tensor], Tensor]) -> Change:
    def change(model: VAE, batch: Batch, trace: Trace) -> Trace:
        q = trace.latents["z"].q.base_dist  # type: ignore[attr-defined]
        return altered(trace, kl=formula(q.loc.double(), q.scale.double()).unsqueeze(0))

    return change


for _words, _formula in (
    ("swapped terms: the rate is KL(p || q)", lambda m, s: s.log() + (1 + m**2) / (2 * s**2) - 0.5),
    ("the rate lacks its half", lambda m, s: m**2 + s**2 - 1 - 2 * s.log()),
    (
        "the rate has the log-variance with the wrong sign",
        lambda m, s: (m**2 + s**2 - 1) / 2 + s.log(),
    ),
    ("the rate forgets the mean", lambda m, s: (s**2 - 1) / 2 - s.log()),
    ("the rate forgets the trace", lambda m, s: (m**2 - 1) / 2 - s.log()),
    (
        "wrong scale: the rate takes the log-variance for the log-scale",
        lambda m, s: (m**2 + s**2 - 1) / 2 - 2 * s.log(),
    ),
    (
        "wrong scale: the rate takes the scale for the variance",
        lambda m, s: (m**2 + s - 1 - s.log()) / 2,
    ),
    ("dropped constant: the rate lacks its minus one", lambda m, s: (m**2 + s**2) / 2 - s.log()),
):
    _wrong = with_trace(small_model, _with_kl(_formula))
    MODELS.enter(_words, "model", "drawn KL", _wrong, small_model)
