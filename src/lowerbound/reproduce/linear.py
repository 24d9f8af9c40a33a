"""Training a linear VAE, and the exact evidence of the linear Gaussian model that it is."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

import torch
from torch import Tensor

from lowerbound import likelihoods, posteriors, priors
from lowerbound.catalogue.settings import convert
from lowerbound.core import Model, View, device_of, dtype_of
from lowerbound.data import Data
from lowerbound.errors import UnknownNameError
from lowerbound.models import VAE
from lowerbound.networks import MLP
from lowerbound.objectives import ELBO
from lowerbound.reproduce.entry import Entry
from lowerbound.seeding import seeded
from lowerbound.testing import LinearGaussian
from lowerbound.training import Callback, Fit, Training, fit


def training_of(
    entry: Entry, epochs: int | None = None, settings: Mapping[str, Any] | None = None
) -> Training:
    """Collect the training settings of a linear entry."""
    kinds = get_type_hints(Training)
    chosen = {name: value for name, value in entry.settings.items() if name in kinds}
    for name, value in (settings or {}).items():
        if name not in kinds:
            raise UnknownNameError("setting", name, kinds)
        chosen[name] = convert(name, value, kinds[name])
    if epochs is not None:
        chosen["epochs"] = epochs
    return Training(**chosen)


def train(
    entry: Entry,
    data: Data,
    training: Training,
    *,
    seed: int,
    device: torch.device | str = "cpu",
    callbacks: Sequence[Callback] = (),
) -> tuple[VAE, Fit]:
    """Train the linear VAE of an entry, in the precision of the data, by `fit`."""
    latents, samples = int(entry.settings["latents"]), int(entry.settings["samples"])
    with seeded(seed):
        model = linear_vae(data, latents)
    result = fit(
        model, ELBO(samples), data, training, seed=seed, device=device, callbacks=callbacks
    )
    return model, result


def linear_vae(data: Data, latents: int) -> VAE:
    """Make N(0, I), a linear encoder with diagonal covariance, a linear decoder with one scale."""
    width, location, unit = data.schema.dimensions, data.schema.mean, data.schema.scale
    if location is None or unit is None:  # every linear entry has both
        raise ValueError("a linear VAE needs data that was measured")
    encoder = MLP((width,), (2, latents), hidden=())
    decoder = MLP((latents,), (1, width), hidden=())
    law = likelihoods.Gaussian(likelihoods.SharedScale(), location, unit)
    model = VAE(
        priors.StandardNormal(latents),
        posteriors.DiagonalGaussian(encoder),
        likelihoods.Fields(decoder, law),
        View(location, unit),
    )
    return model.to(data.schema.dtype)


def judge(model: Model, data: Data, latents: int) -> dict[str, Any]:
    """Set the exact evidence of a trained decoder beside the maximum; as `judge.judge`."""
    x = data.test.load().x.double()
    mean, covariance = x.mean(dim=0), torch.cov(x.T, correction=0)
    weight, bias, scale = decoder_of(model)
    value = mean_evidence(weight, bias, scale, mean, covariance)
    best = LinearGaussian.maximum_likelihood(x, latents)
    exact = mean_evidence(best.weight, best.bias, best.scale, mean, covariance)
    return {
        "figure": -value,
        "figure_at_maximum": -exact,
        "gap": exact - value,
        "standard_error_images": 0.0,
        "samples": 0,
        "images": len(x),
        "images_with_all_samples": len(x),
        "active_units": latents,
        "largest_principal_angle_degrees": angle(best.weight, weight),
        "seed": 0,
    }


@torch.no_grad()
def decoder_of(model: Model) -> tuple[Tensor, Tensor, Tensor]:
    """Return W, b and s of p(x|z) = N(W z + b, s^2 I), in the units of the data, float64.

    They are read off p(x|z) at z = 0 and at each unit vector.
    """
    ((name, space),) = model.latents.items()
    eye = torch.eye(space.units, dtype=dtype_of(model), device=device_of(model))
    law = model.decode({name: torch.cat([torch.zeros_like(eye[:1]), eye])})
    mean, scale = law.mean.cpu().double(), law.stddev[0, 0].cpu().double()
    return (mean[1:] - mean[0]).T, mean[0], scale


def mean_evidence(
    weight: Tensor, bias: Tensor, scale: Tensor, mean: Tensor, covariance: Tensor
) -> float:
    """Compute the mean of log N(x; b, W W^T + s^2 I) over data of a mean and covariance, nats.

    -1/2 [X log 2 pi + log |C| + tr(C^-1 (S + (m - b)(m - b)^T))]: no row is looked at again.
    """
    eye = torch.eye(len(bias), dtype=weight.dtype)
    marginal = weight @ weight.T + scale.square() * eye
    apart = mean - bias
    spread = covariance + torch.outer(apart, apart)
    distance = torch.linalg.solve(marginal, spread).diagonal().sum()
    constant = len(bias) * math.log(2 * math.pi)
    return -0.5 * float(constant + torch.linalg.slogdet(marginal).logabsdet + distance)


def angle(one: Tensor, other: Tensor) -> float:
    """Compute the largest principal angle between two column spaces, degrees."""
    one, other = torch.linalg.qr(one).Q, torch.linalg.qr(other).Q
    outside = other - one @ (one.T @ other)  # its sine: a cosine near 1 would be rounded
    return math.degrees(math.asin(min(1.0, float(torch.linalg.matrix_norm(outside, 2)))))
