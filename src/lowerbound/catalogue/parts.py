"""From names to parts: the one place where a string becomes a factor of a model."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from lowerbound import likelihoods, networks, posteriors, priors
from lowerbound.catalogue.start import InitName, begin, start_at_mean
from lowerbound.data import Schema
from lowerbound.errors import SettingError
from lowerbound.models import VAE

LikelihoodName = Literal["auto", "bernoulli", "gaussian", "discretized-logistic", "categorical"]
PosteriorName = Literal["diagonal", "full"]
NetworkName = Literal["auto", "mlp", "residual"]
ActivationName = Literal["silu", "relu", "tanh"]
InputsName = Literal["standardized", "symmetric", "raw"]
ScaleName = Literal["auto", "fixed", "shared", "per-dimension"]

#: Latent units beyond this are not chosen by themselves: the ELBO leaves those it cannot use idle.
MOST_LATENTS = 32
#: Images of up to so many cells get an MLP: on two cores it is far ahead after the same minutes
#: (benchmarks/results/networks.json). Beyond, its first layer outgrows a convolutional pair.
SMALL_IMAGE = 1024
#: With fewer training examples hidden layers start small. A choice between what was measured:
#: 1,439 digits do not gain from even ones, 5,400 garments do (benchmarks/results/starts.json).
ENOUGH = 3000
#: Parameters beyond this are taken for a slip of the keyboard.
MOST_PARAMETERS = 2_000_000_000


@dataclass(frozen=True)
class Parts:
    """The factors of a VAE, by name. "auto" and None are chosen from the schema.

    Args:
        latents: Number of latent units.
        likelihood: p(x|z), by the kind of the data if "auto".
        posterior: q(z|x): "diagonal", or "full" for correlated units.
        network: Encoder and decoder: "mlp", or "residual" for convolutions on images.
        hidden: Widths of an MLP's hidden layers, encoder first; the decoder has them reversed.
        activation: Between the layers of an MLP.
        channels: Width of a residual network's first stage.
        blocks: Residual blocks in each stage.
        init: First weights. "even": hidden layers of an MLP hand on numbers of the size they are
            given; "small": they are as torch draws them; with both q(z|x) starts near the prior
            and p(x|z) near the mean. "glorot", "torch": of all layers. "auto": "even" for MLPs and
            3,000 training examples or more, else "small".
        inputs: What the encoder sees: x from the mean of the training examples, in units of their
            spread ("standardized"); levels between -1 and 1 ("symmetric"); or x as it is ("raw").
        scale: Standard deviation of a Gaussian likelihood.
        sigma: Its value, or where it starts, in units of the data's own standard deviation.
    """

    latents: int | None = None
    likelihood: LikelihoodName = "auto"
    posterior: PosteriorName = "diagonal"
    network: NetworkName = "auto"
    hidden: tuple[int, ...] = (512, 512)
    activation: ActivationName = "silu"
    channels: int = 32
    blocks: int = 1
    init: InitName = "auto"
    inputs: InputsName = "standardized"
    scale: ScaleName = "auto"
    sigma: float = 1.0

    def __post_init__(self) -> None:
        if self.latents is not None and not 1 <= self.latents <= 65536:
            raise SettingError(f"latents must be from 1 to 65536, got {self.latents}")
        if len(self.hidden) > 64 or not all(1 <= width <= 65536 for width in self.hidden):
            raise SettingError(
                f"hidden must be at most 64 widths from 1 to 65536, got {_few(self.hidden)}"
            )
        if not 1 <= self.channels <= 4096 or not 0 <= self.blocks <= 64:
            raise SettingError(
                "channels must be from 1 to 4096 and blocks from 0 to 64, got "
                f"{self.channels} and {self.blocks}"
            )
        if not (math.isfinite(self.sigma) and self.sigma > 0):
            raise SettingError(f"sigma must be a positive number, got {self.sigma}")

    def chosen(self, schema: Schema, examples: int | None = None) -> "Parts":
        """The same with every choice made, for so many training examples; None for very many."""
        likelihood = self.likelihood
        if likelihood == "auto":
            likelihood = likelihood_for(schema)
        network = self.network
        if network == "auto":
            large = schema.is_image and schema.dimensions > SMALL_IMAGE
            network = "residual" if large else "mlp"
        latents = self.latents
        if latents is None:
            latents = max(1, min(MOST_LATENTS, (schema.dimensions + 1) // 2))
        scale = self.scale
        if scale == "auto":
            scale = "shared" if schema.is_image else "per-dimension"
        init = self.init
        if init == "auto":
            many = examples is None or examples >= ENOUGH
            init = "even" if many and network == "mlp" else "small"
        return replace(
            self, likelihood=likelihood, network=network, latents=latents, scale=scale, init=init
        )

    def assemble(self, schema: Schema) -> VAE:
        """The VAE of these parts, for data of this schema.

        Raises:
            SettingError: Two parts do not go together, or with the data.
        """
        parts = self.chosen(schema)
        if parts.network == "residual" and not schema.is_image:
            raise SettingError("network 'residual' needs images, the data has none; use mlp")
        if parts.network == "residual" and parts.init in ("even", "glorot"):
            raise SettingError(
                f"init '{parts.init}' is for --set network=mlp, and the network here is residual; "
                "give init=small, init=torch, or leave it out"
            )
        check_likelihood(parts.likelihood, schema)
        latents = parts.latents
        if latents is None:  # chosen() always sets it
            raise SettingError("latents were not chosen")
        posterior = {
            "diagonal": posteriors.DiagonalGaussian,
            "full": posteriors.FullGaussian,
        }[parts.posterior]
        encoder = parts._encoder(schema, posterior.parameters_shape(latents))
        decoder = parts._decoder(schema, latents)
        if not next(encoder.parameters()).is_meta:  # there sizes are counted and nothing else
            begin(encoder, decoder, parts.init)
            if parts.init != "torch" and parts.likelihood in ("bernoulli", "discretized-logistic"):
                start_at_mean(decoder, schema)
        return VAE(
            priors.StandardNormal(latents),
            posterior(nn.Sequential(standardize(schema, parts.inputs), encoder)),
            parts._likelihood(schema, decoder),
        )

    @property
    def _nonlinearity(self) -> type[nn.Module]:
        return {"silu": nn.SiLU, "relu": nn.ReLU, "tanh": nn.Tanh}[self.activation]

    def _encoder(
        self, schema: Schema, outputs: tuple[int, ...]
    ) -> networks.MLP | networks.ResidualEncoder:
        if self.network == "mlp":
            return networks.MLP(schema.shape, outputs, self.hidden, self._nonlinearity)
        return networks.ResidualEncoder(schema.shape, outputs, self.channels, self.blocks)

    def _decoder(self, schema: Schema, latents: int) -> networks.MLP | networks.ResidualDecoder:
        parameters = {
            "bernoulli": 1,
            "gaussian": 1,
            "categorical": schema.levels or 2,
            "discretized-logistic": 2,
        }[self.likelihood]
        outputs = (parameters, *schema.shape)
        if self.network == "mlp":
            return networks.MLP((latents,), outputs, self.hidden[::-1], self._nonlinearity)
        return networks.ResidualDecoder((latents,), outputs, self.channels, self.blocks)

    def _likelihood(self, schema: Schema, decoder: nn.Module) -> likelihoods.Likelihood:
        levels = schema.levels or 2
        if self.likelihood == "bernoulli":
            return likelihoods.Bernoulli(decoder)
        if self.likelihood == "gaussian":
            return likelihoods.Gaussian(decoder, self._scale(schema), *units_of(schema))
        if self.likelihood == "categorical":
            return likelihoods.Categorical(decoder, levels)
        return likelihoods.DiscretizedLogistic(decoder, levels)

    def _scale(self, schema: Schema) -> nn.Module:
        if self.scale == "fixed":
            return likelihoods.FixedScale(self.sigma)
        if self.scale == "shared":
            return likelihoods.SharedScale(self.sigma)
        return likelihoods.PerDimensionScale(schema.shape, self.sigma)


def likelihood_for(schema: Schema) -> LikelihoodName:
    """The likelihood that a kind of data is given by itself."""
    if schema.kind == "binary":
        return "bernoulli"
    return "gaussian" if schema.kind == "real" else "discretized-logistic"


def check_likelihood(name: str, schema: Schema) -> None:
    """Raise `SettingError`, with the choices, if a likelihood does not fit the kind of data."""
    fitting = {
        "binary": ("bernoulli", "categorical"),
        "real": ("gaussian",),
        "ordinal": ("discretized-logistic", "categorical"),
    }[schema.kind]
    if name in fitting:
        return
    choices = " or ".join(f"--likelihood {choice}" for choice in fitting)
    if name == "bernoulli" and schema.is_discrete:
        raise SettingError(
            f"likelihood 'bernoulli' needs values 0 or 1, and a grey level is no probability: "
            f"the data is {schema.describe()}; use {choices}, or --binarize"
        )
    if name == "gaussian" and schema.is_discrete:
        raise SettingError(
            f"likelihood 'gaussian' is a density and the data is {schema.describe()}, whose "
            f"values are countable: its log-likelihood could grow without bound; use {choices}"
        )
    raise SettingError(f"likelihood '{name}' does not fit {schema.describe()}; use {choices}")


def standardize(schema: Schema, inputs: InputsName) -> networks.Standardize:
    """The layer through which an encoder sees the data."""
    if inputs == "raw":
        return networks.Standardize(0.0, 1.0)
    if inputs == "symmetric":
        if schema.levels is None:
            raise SettingError(
                "inputs 'symmetric' is for levels, and the data is real numbers; use standardized"
            )
        return networks.Standardize(*_middle(schema))
    return networks.Standardize(*units_of(schema))


def units_of(schema: Schema) -> tuple[Tensor, Tensor]:
    """Where the data lies and how far it spreads, broadcastable against an example."""
    if schema.mean is not None and schema.scale is not None:
        return torch.as_tensor(schema.mean), torch.as_tensor(schema.scale)
    return _middle(schema)


def _middle(schema: Schema) -> tuple[Tensor, Tensor]:
    """The units in which the lowest level is -1 and the highest 1."""
    middle = ((schema.levels or 2) - 1) / 2
    return torch.tensor(middle), torch.tensor(middle)


def _few(values: tuple[int, ...]) -> str:
    return str(values) if len(values) <= 8 else f"{len(values)} of them"
