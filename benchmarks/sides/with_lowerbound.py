"""`lowerbound.fit` on the networks of `shapes`."""

import torch
from torch import Tensor, nn

import lowerbound as lb
from lowerbound.data import Data, Examples, Field, Schema
from sides.shapes import Case, decoder, encoder, run, weights


def schema_of(case: Case) -> Schema:
    """What the data is."""
    kind, levels = ("binary", 2) if case.likelihood == "bernoulli" else ("real", None)
    return Schema((Field("x", kind, case.shape, levels),), case.shape)


def build(case: Case) -> lb.VAE:
    """The model, on networks of its own."""
    read = nn.Sequential(Floats(), encoder(case), Halved(case.latents))
    draw = nn.Sequential(Rows(decoder(case)))
    if case.likelihood == "bernoulli":
        likelihood = lb.likelihoods.Fields(draw, lb.likelihoods.Bernoulli())
    else:
        learned = lb.likelihoods.PerDimensionScale(case.shape)
        fixed = lb.likelihoods.FixedScale(1.0)
        likelihood = lb.likelihoods.Fields(
            draw, lb.likelihoods.Gaussian(learned if case.likelihood == "learned" else fixed)
        )
    posterior = lb.posteriors.DiagonalGaussian(read)
    return lb.VAE(lb.priors.StandardNormal(case.latents), posterior, likelihood)


class Floats(nn.Module):
    """Bytes to numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float()


class Halved(nn.Module):
    """From what all networks put out, a mean and a log variance, to a mean and its half."""

    def __init__(self, latents: int) -> None:
        super().__init__()
        self.latents = latents
        self.register_buffer("factor", torch.tensor([[1.0], [0.5]]))

    def forward(self, out: Tensor) -> Tensor:
        return out.unflatten(-1, (2, self.latents)) * self.factor


class Rows(nn.Module):
    """From `(K, B, latents)` to `(K, B, 1, *shape)` by a network that knows one batch axis."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, z: Tensor) -> Tensor:
        out = self.network(z.flatten(0, -2))
        return out.view(*z.shape[:-1], 1, *out.shape[1:])


def leave(model: lb.VAE, case: Case, path: str) -> None:
    """Write the weights, and what the judge has to know of our way to a scale."""
    networks = model.posterior.network[1], model.likelihood.network[0].network
    (law,) = model.likelihood.parts
    scale = getattr(getattr(law, "scale", None), "log_scale", torch.zeros(case.shape))
    half = model.posterior.network[2].factor[1]
    weights(path, networks, log_scale=scale, scale_factor=half)


def train(case: Case, examples: Tensor, held_out: Tensor):
    model = build(case)
    objective = lb.ELBO() if case.samples == 1 else lb.IWAE(case.samples)
    parts = Examples(examples), Examples(held_out), Examples(held_out)
    settings = lb.Training(
        epochs=case.epochs,
        batch_size=case.batch,
        learning_rate=case.rate,
        warm_up=0.0,
        final_rate=1.0,
        clip=case.clip,
        average=case.average,
        compile=case.compile,
        precision=case.precision,
    )
    data = Data(schema_of(case), *parts, source=case.name)
    result = lb.fit(model, objective, data, settings, seed=case.seed)
    keep = lambda path: leave(model, case, path)  # noqa: E731
    keep.ends = [epoch.seconds for epoch in result.history]
    keep.precision = result.execution.precision
    return keep


if __name__ == "__main__":
    run(train)
