"""The conformance table: every prior, posterior, likelihood, network, objective and recipe.

A test asserts that it equals what the packages export and what the slots of a recipe can hold, so
that no part escapes the checks.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lowerbound import likelihoods, networks, objectives, posteriors, priors
from lowerbound.core import Conditional
from lowerbound.data import Batch, Field, Schema
from lowerbound.distributions import Bins
from lowerbound.likelihoods import Cells, Fields, Gaussian, outputs_of
from lowerbound.networks import MLP, Pair
from lowerbound.seeding import seeded
from lowerbound.training import WarmUp

#: Priors, from their place in a model, small.
PRIORS: Mapping[str, Callable[[priors.Site], Conditional]] = {
    "StandardNormal": priors.BUILDERS["standard-normal"],
    "Mixture": partial(priors.BUILDERS["mixture"], components=4),
    "VampPrior": partial(priors.BUILDERS["vamp"], components=3),
    "ExemplarPrior": partial(priors.BUILDERS["exemplar"], exemplars=5),
    "FlowPrior": partial(priors.BUILDERS["flow"], layers=2, width=8),
    "Gaussian": partial(priors.BUILDERS["gaussian"], covariance="full"),
    "AutoregressivePrior": partial(priors.BUILDERS["autoregressive"], layers=2, width=8),
    "Categorical": priors.BUILDERS["categorical"],
    "Bernoulli": priors.BUILDERS["bernoulli"],
    "CodesPrior": lambda site: priors.CodesPrior(site.latents, codes=3, width=8),
    "GivenPrior": priors.BUILDERS["given"],
    "HeavyTailed": priors.BUILDERS["student"],
    "Gamma": partial(priors.BUILDERS["gamma"], concentration=0.7),
    "Dirichlet": partial(priors.BUILDERS["dirichlet"], concentration=0.7),
    "Sphere": priors.BUILDERS["sphere"],
}

#: Posteriors; each is made around a network that puts out its `parameters_shape(latents)`.
POSTERIORS: Mapping[str, Any] = {family.__name__: family for family in posteriors.BUILDERS.values()}
#: Settings that keep a posterior of the table small.
SMALL: Mapping[str, Mapping[str, Any]] = {
    "FlowPosterior": {"layers": 2, "width": 8},
    "VectorQuantised": {"codes": 4, "size": 1},
    "ResidualQuantised": {"codes": 4, "size": 1, "levels": 2},
}

#: Parts that need two units at least.
_PLURAL = ("Dirichlet", "DirichletPosterior", "PowerSphericalPosterior", "Sphere")

#: Laws of cells, from the shape of the event, or for each law the columns that have it.
Laws = Cells | Mapping[tuple[int, ...], Cells]


def _mixed(shape: tuple[int, ...]) -> Mapping[tuple[int, ...], Cells]:
    """Lay out columns of every kind in turn."""
    kinds: list[Cells] = [
        likelihoods.NegativeBinomial(3.0),
        Gaussian(likelihoods.PerDimensionScale((1,), 0.4), 1000.0, 2.0),
        likelihoods.Categorical(3, ordered=False),
        likelihoods.Bernoulli(),
    ]
    places = range(math.prod(shape))
    return {(place,): kinds[place % len(kinds)] for place in reversed(places)}


def _bins(shape: tuple[int, ...]) -> list[Bins]:
    """Columns of words, and of whole numbers with gaps between their atoms, in turn."""
    kinds = [
        Bins((3, 5, 2)),
        Bins((4, 1, 0, 3, 6, 0), (2.0, 5.0), (0.5, 3.5, 9.5), whole=True, low=0.0),
    ]
    return [kinds[place % len(kinds)] for place in range(math.prod(shape))]


#: Likelihoods: a law for all cells, a Gaussian with each of its scales, and fields of many kinds.
LIKELIHOODS: Mapping[str, Callable[[tuple[int, ...]], Laws]] = {
    "Bernoulli": lambda shape: likelihoods.Bernoulli(),
    "Beta": lambda shape: likelihoods.Beta(torch.full(shape, 100.0)),
    "Binned": lambda shape: {tuple(range(math.prod(shape))): likelihoods.Binned(_bins(shape))},
    "Categorical": lambda shape: likelihoods.Categorical(7),
    "CensoredGaussian": lambda shape: likelihoods.CensoredGaussian(
        torch.full(shape, -1.0), 2.5, 1.0, 2.0
    ),
    "ContinuousBernoulli": lambda shape: likelihoods.ContinuousBernoulli(torch.full(shape, 100.0)),
    "CumulativeLogit": lambda shape: likelihoods.CumulativeLogit(5, shape),
    "DiscretizedLogistic": lambda shape: likelihoods.DiscretizedLogistic(9),
    "HurdleLogNormal": lambda shape: likelihoods.HurdleLogNormal(
        likelihoods.LogNormal(torch.ones(shape), 0.4)
    ),
    "LogNormal": lambda shape: likelihoods.LogNormal(torch.ones(shape), 0.4),
    "LogisticMixture": lambda shape: likelihoods.LogisticMixture(9, components=2),
    "Poisson": lambda shape: likelihoods.Poisson(torch.full(shape, 4.0)),
    "RoundedLogistic": lambda shape: likelihoods.RoundedLogistic(torch.full(shape, -4.0), 2.0),
    "StudentT": lambda shape: likelihoods.StudentT(shape, 3.0, 2.0),
    "TruncatedGaussian": lambda shape: likelihoods.TruncatedGaussian(
        torch.full(shape, -1.0), 2.5, 1.0, 2.0
    ),
    "ZeroInflatedNegativeBinomial": lambda shape: likelihoods.ZeroInflatedNegativeBinomial(4.0),
    "NegativeBinomial": lambda shape: likelihoods.NegativeBinomial(torch.full(shape, 4.0)),
    "Gaussian": lambda shape: Gaussian(None, 3.0, 2.0),
    "FixedScale": lambda shape: Gaussian(likelihoods.FixedScale(0.4)),
    "SharedScale": lambda shape: Gaussian(likelihoods.SharedScale(0.4)),
    "PerDimensionScale": lambda shape: Gaussian(
        likelihoods.PerDimensionScale(shape, 0.4), torch.full(shape, -1.0)
    ),
    "Fields": _mixed,
}

#: Pairs of an encoder and a decoder, small.
NETWORKS: Mapping[str, Callable[[], Pair]] = {
    "Convolution": partial(networks.BUILDERS["convolution"], channels=4),
    "MLP": partial(networks.BUILDERS["mlp"], hidden=(8, 4)),
    "Residual": partial(networks.BUILDERS["residual"], channels=4),
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
    "RLOO": Claim(lambda: objectives.RLOO(samples=2)),
    "DisARM": Claim(lambda: objectives.DisARM(samples=2)),
    "Enumerated": Claim(lambda: objectives.Enumerated()),
    "CIWAE": Claim(lambda: objectives.CIWAE(samples=3)),
    "MIWAE": Claim(lambda: objectives.MIWAE(samples=4, groups=2)),
    "PIWAE": Claim(lambda: objectives.PIWAE(samples=4, groups=2)),
    "Renyi": Claim(lambda: objectives.Renyi(samples=3)),
    "BetaELBO": Claim(lambda: objectives.BetaELBO(beta=2.5, samples=2), tight=False),
    "FreeBits": Claim(lambda: objectives.FreeBits(objectives.ELBO(2), 0.1), tight=False),
    "Annealed": Claim(lambda: objectives.Annealed(objectives.ELBO(2), WarmUp(0.5))),
    "Staged": Claim(lambda: objectives.Staged(objectives.ELBO(2)), tight=False),
}

#: Objectives that only guide a training and bound nothing: each has tests of its own.
GUIDES = (
    "Capacity", "Discrepancy", "Disentangled", "GECO", "Gumbel", "SemiSupervised",
    "TotalCorrelation",
)  # fmt: skip

#: Every recipe of the catalogue, and settings that keep its model small.
_NAMES = "auto vae beta-vae iwae table discrete beta-tc dip mmd capacity geco fsq count-vae"
RECIPES: Mapping[str, Mapping[str, object]] = {
    name: {"latents": 3, "hidden": [16], "channels": 4} for name in _NAMES.split()
} | {"vq": {"latents": 4, "codes": 4, "size": 2, "hidden": [16], "channels": 4}}


def _schema(kind: str, shape: tuple[int, ...], levels: int | None, precision: str) -> Schema:
    name = "image" if len(shape) == 3 else "x"
    mean, scale = {"real": ((2.0,), (3.0,)), "count": ((4.0,), (2.0,))}.get(kind, (None, None))
    field = Field(name, kind, shape, levels, mean=mean, scale=scale)
    return Schema((field,), shape, precision=precision)  # type: ignore[arg-type]


_KINDS = {
    "binary": ("binary", 2, "float32"),
    "8-bit": ("ordinal", 256, "float32"),
    "ordinal": ("ordinal", 6, "float32"),
    "count": ("count", None, "float32"),
    "real": ("real", None, "float32"),
    "real-float64": ("real", None, "float64"),
}
_SHAPES = {"1": (1,), "5": (5,), "1x1x1": (1, 1, 1), "1x28x28": (1, 28, 28), "3x5x7": (3, 5, 7)}

_MIXED = Schema(
    (
        Field("likes", "binary", levels=2, mean=(0.4,), scale=(0.5,)),
        Field("colour", "categorical", levels=3, categories=("blue", "green", "red")),
        Field("visits", "count", mean=(4.0,), scale=(2.0,), missing=True),
        Field("height", "real", mean=(1000.0,), scale=(3.0,), missing=True),
        Field("grade", "ordinal", levels=5, mean=(2.0,), scale=(1.4,)),
        Field("weight", "real", mean=(-2.0,), scale=(0.1,)),
    ),
    (6,),
)

#: Kinds of data by name: each as vectors and as images of odd shapes, and a table of all of them.
SCHEMAS: Mapping[str, Schema] = {
    **{
        f"{kind} {shape}": _schema(name, _SHAPES[shape], levels, precision)
        for kind, (name, levels, precision) in _KINDS.items()
        for shape in _SHAPES
        if f"{kind} {shape}" not in ("8-bit 5", "count 1x1x1", "count 1x28x28")
    },
    "mixed 6": _MIXED,
}


def example_batch(schema: Schema, rows: int = 4, *, seed: int = 0) -> Batch:
    """Draw random data of a schema, in its dtype."""
    with seeded(seed):
        cells = [_cells(field, rows, schema.dtype) for field in schema.modelled]
    x = cells[0] if len(cells) == 1 else torch.cat(cells, dim=1)
    return Batch(x.reshape(rows, *schema.shape))


def _cells(field: Field, rows: int, dtype: torch.dtype) -> Tensor:
    """Draw `(rows, cells)` of a field."""
    shape = (rows, field.cells)
    if field.levels is not None:
        return torch.randint(field.levels, shape).to(dtype)
    if field.kind == "count":
        return torch.poisson(torch.full(shape, 4.0)).to(dtype)
    mean, scale = (field.mean or (0.0,))[0], (field.scale or (1.0,))[0]
    return mean + scale * torch.randn(shape, dtype=dtype)


def prior_of(name: str, latents: int = 3) -> Conditional:
    """Make a prior of the table, beside a small posterior for those that are made of it."""
    inputs, latents = (4,), max(latents, 1 + (name in _PLURAL))
    q = posterior_of("DiagonalGaussian", inputs, latents)
    return PRIORS[name](priors.Site(latents, inputs, q))


def posterior_of(name: str, shape: tuple[int, ...] = (4,), latents: int = 3) -> Conditional:
    """Make a posterior of the table around a small network, for x of `shape`."""
    family, latents = POSTERIORS[name], max(latents, 1 + (name in _PLURAL))
    latents *= SMALL.get(name, {}).get("levels", 1)
    network = MLP(shape, family.parameters_shape(latents), hidden=(8,))
    return family(network, **SMALL.get(name, {}))


def likelihood_of(name: str, shape: tuple[int, ...] = (2,), latents: int = 3) -> Fields:
    """Make a likelihood of the table around a small decoder, for x of `shape`."""
    return around_decoder(LIKELIHOODS[name](shape), shape, latents)


def around_decoder(laws: Laws, shape: tuple[int, ...], latents: int = 3) -> Fields:
    """Put a small decoder around the law of cells, for x of `shape`."""
    return Fields(MLP((latents,), outputs_of(laws, shape), hidden=(8,)), laws)


def latent_batch(draws: int = 3, rows: int = 2, latents: int = 3, *, seed: int = 0) -> Tensor:
    """Draw standard normal z, `(K, B, D)`, float64."""
    with seeded(seed):
        return torch.randn(draws, rows, latents, dtype=torch.float64)
