"""A variational autoencoder in one hundred lines: python vae_in_100_lines.py fashion-small

The twin of `lowerbound fit`: a test holds bounds equal, benchmarks/twin.py what both learn.
"""

import copy
import math
import sys

import torch
from torch import nn
from torch.nn.functional import logsigmoid

import lowerbound as lb


def mlp(inputs, hidden, outputs):
    """Fully connected layers with the SiLU between them; hidden weights of variance 1 / inputs."""
    sizes = zip((inputs, *hidden), (*hidden, outputs), strict=True)
    layers = [(nn.Linear(a, b), nn.SiLU()) for a, b in sizes]
    for linear, _ in layers[:-1]:
        nn.init.normal_(linear.weight, std=linear.in_features**-0.5)
        nn.init.zeros_(linear.bias)
    return nn.Sequential(*sum(layers, ())[:-1])


def log_discretized_logistic(x, location, log_scale, levels):
    """log(F(b) - F(a)) for the bin (a, b) of level x; the end bins reach to infinity."""
    low, high, half = x > 0, x < levels - 1, 1 / (levels - 1)
    rate, centre = (-log_scale.clamp(-9, 5)).exp(), 2 * half * x - 1 - location
    below = torch.where(high, logsigmoid((centre + half) * rate), 0.0)
    above = torch.where(low, logsigmoid((half - centre) * rate), 0.0)
    return below + above + torch.where(low & high, (-torch.expm1(-2 * half * rate)).log(), 0.0)


class VAE(nn.Module):
    """p(z) = N(0, I), q(z|x) = N(m, diag s^2), p(x|z) Bernoulli or discretised logistic."""

    def __init__(self, x, levels, latents=32, hidden=(512, 512)):
        super().__init__()
        self.levels, self.parameters_per_cell = levels, 1 if levels == 2 else 2
        self.register_buffer("location", mean := x.mean(0, dtype=torch.get_default_dtype()))
        self.register_buffer("unit", (x - mean).square().mean().sqrt())
        self.encoder = mlp(len(mean), hidden, 2 * latents)
        self.decoder = mlp(latents, hidden[::-1], self.parameters_per_cell * len(mean))
        self.encoder[-1].weight.data *= 0.1  # q(z|x) starts near the prior
        self.encoder[-1].bias.data.zero_()
        start = mean.clamp(0.001, 0.999).logit() if levels == 2 else 2 * mean / (levels - 1) - 1
        self.decoder[-1].bias.data[: len(mean)] = start

    def log_likelihood(self, x, z):
        """log p(x|z), summed over the cells in float64."""
        p = self.decoder(z).chunk(self.parameters_per_cell, dim=-1)
        if self.levels > 2:
            return log_discretized_logistic(x, *p, self.levels).sum(-1, dtype=torch.float64)
        return (x * logsigmoid(p[0]) + (1 - x) * logsigmoid(-p[0])).sum(-1, dtype=torch.float64)

    def elbo(self, x):
        """log p(x) >= E_q[log p(x|z)] - KL(q(z|x) || p(z)), by one draw of z; nats, (B,)."""
        mean, h = self.encoder((x - self.location) / self.unit).chunk(2, dim=-1)
        scale = torch.where(h > 0, 1 + h, h.clamp(-15, 0).exp())  # exp(h), but tame beyond 1
        z = mean + scale * torch.randn_like(mean)
        kl = 0.5 * (mean**2 + scale**2 - 1) - scale.log()
        return self.log_likelihood(x, z) - kl.sum(-1, dtype=torch.float64)


def train(model, x, validation, epochs, batch_size=128, learning_rate=2e-3, average=0.999):
    """Adam, warm-up then cosine; returns the averaged model that validates best."""
    mean_model, best_bound, per_epoch = copy.deepcopy(model), -math.inf, -(-len(x) // batch_size)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    for epoch in range(epochs):
        for step, chosen in enumerate(torch.randperm(len(x)).split(batch_size), epoch * per_epoch):
            done = step / (epochs * per_epoch)
            down = 0.01 + 0.99 * (1 + math.cos(math.pi * (done - 0.05) / 0.95)) / 2
            optimizer.param_groups[0]["lr"] = learning_rate * min(done / 0.05, down)
            optimizer.zero_grad()
            (-model.elbo(x[chosen]).mean()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 100.0)
            optimizer.step()
            for slow, fast in zip(mean_model.parameters(), model.parameters(), strict=True):
                slow.data.lerp_(fast.data, max(1 - average, 9 / (11 + step)))
        if (bound := evaluate(mean_model, validation)) > best_bound:
            best, best_bound = copy.deepcopy(mean_model), bound
    return best


def evaluate(model, x):
    """The mean ELBO over a data set, nats per example, under the same noise each time."""
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        return float(torch.cat([model.elbo(part) for part in x.split(500)]).mean())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(print("usage: python vae_in_100_lines.py DATA", file=sys.stderr) or 2)
    data = lb.read(sys.argv[1])
    xs = [part.x.flatten(1) for part in (data.train, data.validation, data.test)]
    vae = train(VAE(xs[0], data.schema.levels), xs[0], xs[1], epochs=20)
    print(f"held-out ELBO {evaluate(vae, xs[2]):.2f} nats per example")
