"""Errors that change no value, only the gradient that a model learns from."""

from typing import Any

import torch
from torch import nn

from lowerbound.data import Batch
from lowerbound.models import VAE
from lowerbound.testing.assertions import assert_close_gradient
from lowerbound.testing.calibration import check_known_gradient, check_path_gradient
from lowerbound.testing.models import check_model
from planted.altered import altered
from planted.models import REFERENCE, exact_model, plant_trace, small_model
from planted.subject import Subject

_X = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
_POINTS = torch.linspace(-2.0, 2.0, 7, dtype=torch.float64)

GRADIENTS = Subject(
    "gradients",
    {
        "known gradient": lambda make: check_known_gradient(REFERENCE, make()),
        "path gradient": lambda make: check_path_gradient(REFERENCE, make()),
        "model": lambda make: check_model(make(), Batch(_X)),
        "gradient": lambda function: assert_close_gradient(function, [_POINTS]),
    },
)


def _plant(says: str) -> Any:
    return plant_trace(GRADIENTS, "known gradient", says, exact_model)


@_plant("for the encoder")
def _detached_entropy(model, batch, trace):
    """Detached entropy: log q(z|x) is cut off from the encoder."""
    return altered(trace, log_qz=trace.log_qz.detach())


@_plant("closed rate")
def _detached_rate(model, batch, trace):
    """Detached entropy: the closed rate is cut off from the encoder."""
    return altered(trace, kl=trace.kl["z"].detach())


@_plant("encoder")
def _detached_z(model, batch, trace):
    """The gradient of log p(x|z) does not pass through z."""
    law = model.likelihood(trace.latents["z"].z.detach())
    return altered(trace, log_px=law.log_prob(batch.x))


@_plant("for W|for b")
def _detached_decoder(model, batch, trace):
    """The decoder is held constant."""
    held = {name: weight.detach() for name, weight in model.likelihood.named_parameters()}
    law = torch.func.functional_call(model.likelihood, held, (trace.latents["z"].z,))
    return altered(trace, log_px=law.log_prob(batch.x))


@_plant("encoder")
def _detached_prior(model, batch, trace):
    """The gradient of log p(z) does not pass through z."""
    return altered(trace, log_pz=model.prior().log_prob(trace.latents["z"].z.detach()))


class _NoPath(VAE):
    """A path-wise gradient is asked for, and the total one is given."""

    def trace(self, batch, samples=1, gradient="total"):
        return super().trace(batch, samples, "total")


class _StillPath(VAE):
    """A path-wise gradient does not pass through z either."""

    def trace(self, batch, samples=1, gradient="total"):
        trace = super().trace(batch, samples, gradient)
        still = altered(trace, log_qz=trace.log_qz.detach())
        return still if gradient == "path" else trace


class _NoGradient(VAE):
    """A path-wise gradient is none at all."""

    def trace(self, batch, samples=1, gradient="total"):
        trace = super().trace(batch, samples, gradient)
        still = altered(
            trace,
            log_px=trace.log_px.detach() + 0 * trace.log_px,
            log_pz=trace.log_pz.detach(),
            log_qz=trace.log_qz.detach(),
        )
        return still if gradient == "path" else trace


class _AlwaysPath(VAE):
    """The total gradient is asked for, and the path-wise one, without its score, is given."""

    def trace(self, batch, samples=1, gradient="total"):
        return super().trace(batch, samples, "path")


def _as(kind: type[VAE]) -> Any:
    def make() -> VAE:
        model = exact_model()
        return kind(model.prior, model.posterior, model.likelihood)

    return make


for _kind, _says in (
    (_NoPath, "every draw"),
    (_StillPath, "every draw"),
    (_NoGradient, "the mean path"),
    (_AlwaysPath, "score"),
):
    GRADIENTS.plant("path gradient", _says, exact_model, make=_as)(_kind)


@GRADIENTS.plant("model", "no gradient of the bound reaches", small_model)
def _unused() -> VAE:
    """A parameter is never used."""
    model = small_model()
    model.register_parameter("idle", nn.Parameter(torch.ones(1)))
    return model


@GRADIENTS.plant("gradient", "is off by", lambda x: x.clamp(-1.1, 1.1))
def _through_a_clamp(x):
    """A derivative passes through a clamp."""
    return x + (x.clamp(-1, 1) - x).detach()


@GRADIENTS.plant("gradient", "is off by", lambda x: x.exp())
def _half(x):
    """A derivative is half of what it should be."""
    return (x.exp() + x.exp().detach()) / 2


@GRADIENTS.plant("gradient", "not finite", lambda x: torch.where(x > 0.5, x.clamp(min=0.1), 0.0))
def _nan_branch(x):
    """A derivative is nan where the value is not."""
    return torch.where(x > 0.5, x.sqrt(), x)
