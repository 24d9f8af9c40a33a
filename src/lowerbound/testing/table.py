"""The conformance table: every prior, posterior, likelihood, objective and recipe there is.

A test asserts that it equals what the packages export, so that no part escapes the checks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lowerbound import likelihoods, objectives, posteriors, priors
from lowerbound.core.conditional import Conditional
from lowerbound.data import Batch, Field, Schema
from lowerbound.networks import MLP
from lowerbound.seeding import seeded
from lowerbound.training import WarmUp

#: Makes a prior of so many latent units.
PRIORS: Mapping[str, Callable[[int], Conditional]] = {"StandardNormal": priors.StandardNormal}


@dataclass(frozen=True)
class Around:
    """A part that is made around a network.

    Attributes:
        build: From the network to the part.
        parameters: From the size of the event to the leading axes of the network's output.
    """

    build: Callable[[nn.Module], Conditional]
    parameters: Callable[[int], tuple[int, ...]]


#: Posteriors; the network puts out `parameters(latents)`.
POSTERIORS: Mapping[str, Around] = {
    "DiagonalGaussian": Around(
        posteriors.DiagonalGaussian, posteriors.DiagonalGaussian.parameters_shape
    ),
    "FullGaussian": Around(posteriors.FullGaussian, posteriors.FullGaussian.parameters_shape),
}


@dataclass(frozen=True)
class OfCells:
    """A likelihood, made around a decoder.

    Attributes:
        build: From the decoder and the event's shape to the likelihood.
        parameters: Parameters a cell that the decoder puts out.
    """

    build: Callable[[nn.Module, tuple[int, ...]], likelihoods.Likelihood]
    parameters: int


#: Likelihoods, and a Gaussian with each of its scales.
LIKELIHOODS: Mapping[str, OfCells] = {
    "Bernoulli": OfCells(lambda net, shape: likelihoods.Fields(net, likelihoods.Bernoulli()), 1),
    "Categorical": OfCells(
        lambda net, shape: likelihoods.Fields(net, likelihoods.Categorical(7)), 7
    ),
    "DiscretizedLogistic": OfCells(
        lambda net, shape: likelihoods.Fields(net, likelihoods.DiscretizedLogistic(9)), 2
    ),
    "Gaussian": OfCells(
        lambda net, shape: likelihoods.Fields(net, likelihoods.Gaussian(None, 3.0, 2.0)), 1
    ),
    "FixedScale": OfCells(
        lambda net, shape: likelihoods.Fields(
            net, likelihoods.Gaussian(likelihoods.FixedScale(0.4))
        ),
        1,
    ),
    "SharedScale": OfCells(
        lambda net, shape: likelihoods.Fields(
            net, likelihoods.Gaussian(likelihoods.SharedScale(0.4))
        ),
        1,
    ),
    "PerDimensionScale": OfCells(
        lambda net, shape: likelihoods.Fields(
            net,
            likelihoods.Gaussian(
                likelihoods.PerDimensionScale(shape, 0.4), torch.full(shape, -1.0)
            ),
        ),
        1,
    ),
}


@dataclass(frozen=True)
class Claim:
    """An objective, and what it claims to be.

    Attributes:
        build: Makes it.
        bound: It is at most log p(x) in expectation.
        tight: It equals log p(x) where the posterior is exact.
    """

    build: Callable[[], objectives.Objective]
    bound: bool = True
    tight: bool = True


#: Objectives, and what each claims.
OBJECTIVES: Mapping[str, Claim] = {
    "ELBO": Claim(lambda: objectives.ELBO(samples=2)),
    "IWAE": Claim(lambda: objectives.IWAE(samples=3)),
    "StickingTheLanding": Claim(lambda: objectives.StickingTheLanding(samples=2)),
    "DReG": Claim(lambda: objectives.DReG(samples=3)),
    "BetaELBO": Claim(lambda: objectives.BetaELBO(beta=2.5, samples=2), tight=False),
    "FreeBits": Claim(lambda: objectives.FreeBits(objectives.ELBO(2), 0.1), tight=False),
    "Annealed": Claim(lambda: objectives.Annealed(objectives.ELBO(2), WarmUp(0.5))),
}

#: Every recipe of the catalogue, and settings that keep its model small.
RECIPES: Mapping[str, Mapping[str, object]] = {
    name: {"latents": 3, "hidden": [16], "channels": 4}
    for name in ("auto", "vae", "beta-vae", "iwae")
}


def _schema(kind: str, shape: tuple[int, ...], levels: int | None, precision: str) -> Schema:
    name = "image" if len(shape) == 3 else "x"
    mean, scale = ((2.0,), (3.0,)) if kind == "real" else (None, None)
    field = Field(name, kind, shape, levels, mean=mean, scale=scale)
    return Schema((field,), shape, precision=precision)  # type: ignore[arg-type]


_KINDS = {
    "binary": ("binary", 2, "float32"),
    "8-bit": ("ordinal", 256, "float32"),
    "ordinal": ("ordinal", 6, "float32"),
    "real": ("real", None, "float32"),
    "real-float64": ("real", None, "float64"),
}
_SHAPES = {
    "1": (1,),
    "5": (5,),
    "1x1x1": (1, 1, 1),
    "1x28x28": (1, 28, 28),
    "3x5x7": (3, 5, 7),
}

#: Kinds of data by name: binary, 8-bit, ordinal and real, as vectors and as images of odd shapes.
SCHEMAS: Mapping[str, Schema] = {
    f"{kind} {shape}": _schema(name, _SHAPES[shape], levels, precision)
    for kind, (name, levels, precision) in _KINDS.items()
    for shape in _SHAPES
    if not (kind == "8-bit" and shape == "5")
}


def example_batch(schema: Schema, rows: int = 4, *, seed: int = 0) -> Batch:
    """Random data of a schema, in its dtype.

    Example:
        >>> example_batch(SCHEMAS["binary 5"], rows=2).x.shape
        torch.Size([2, 5])
    """
    shape = (rows, *schema.shape)
    with seeded(seed):
        if schema.levels is not None:
            return Batch(torch.randint(schema.levels, shape).to(schema.dtype))
        return Batch(2.0 + 3.0 * torch.randn(shape, dtype=schema.dtype))


def posterior_of(name: str, shape: tuple[int, ...] = (4,), latents: int = 3) -> Conditional:
    """A posterior of the table around a small network, for x of `shape`."""
    entry = POSTERIORS[name]
    return entry.build(MLP(shape, entry.parameters(latents), hidden=(8,)))


def likelihood_of(
    name: str, shape: tuple[int, ...] = (2,), latents: int = 3
) -> likelihoods.Likelihood:
    """A likelihood of the table around a small decoder, for x of `shape`."""
    entry = LIKELIHOODS[name]
    return entry.build(MLP((latents,), (entry.parameters, *shape), hidden=(8,)), shape)


def latent_batch(draws: int = 3, rows: int = 2, latents: int = 3, *, seed: int = 0) -> Tensor:
    """Standard normal z, `(K, B, D)`, float64."""
    with seeded(seed):
        return torch.randn(draws, rows, latents, dtype=torch.float64)
