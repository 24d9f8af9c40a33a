"""A careful script in plain PyTorch: data in memory, fused Adam, no more than is needed."""

import math
import time

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from sides.shapes import Case, decoder, encoder, run, weights


def train(case: Case, examples: Tensor, held_out: Tensor):
    networks = encoder(case), decoder(case)
    parameters = [p for network in networks for p in network.parameters()]
    log_scale = nn.Parameter(torch.zeros(case.shape))
    if case.likelihood == "learned":
        parameters.append(log_scale)
    mean = [p.detach().clone() for p in parameters]
    optimizer = torch.optim.Adam(parameters, lr=case.rate, fused=True)
    x = examples.float()
    began, ends = time.perf_counter(), []
    for _ in range(case.epochs):
        for chosen in torch.randperm(len(x)).split(case.batch):
            loss = loss_of(case, *networks, log_scale, x[chosen])
            optimizer.zero_grad()
            loss.backward()
            if case.clip is not None:
                nn.utils.clip_grad_norm_(parameters, case.clip)
            optimizer.step()
            if case.average is not None:
                with torch.no_grad():
                    live = [p.detach() for p in parameters]
                    torch._foreach_lerp_(mean, live, 1 - case.average)
        with torch.no_grad():
            sum(
                float(loss_of(case, *networks, log_scale, part))
                for part in held_out.float().split(500)
            )
        ends.append(time.perf_counter() - began)
    keep = lambda path: weights(path, networks, log_scale=log_scale)  # noqa: E731
    keep.ends = ends
    return keep


def loss_of(case: Case, encode, decode, log_scale: Tensor, x: Tensor) -> Tensor:
    mean, log_variance = encode(x).chunk(2, dim=-1)
    k, b = case.samples, len(x)
    if k == 1:
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
        return (kl - log_likelihood(case, decode(z), x, log_scale).sum()) / b
    noise = torch.randn(k, *mean.shape)
    z = mean + (0.5 * log_variance).exp() * noise
    out = decode(z.flatten(0, 1)).view(k, b, *case.shape)
    # log p(z) - log q(z|x): the constants of the two Gaussians cancel
    ratio = 0.5 * (noise.square() + log_variance - z.square()).sum(-1)
    return -(log_likelihood(case, out, x, log_scale) + ratio).logsumexp(0).mean() + math.log(k)


def log_likelihood(case: Case, out: Tensor, x: Tensor, log_scale: Tensor) -> Tensor:
    axes = tuple(range(-len(case.shape), 0))
    if case.likelihood == "bernoulli":
        return -cross_entropy(out, x.expand_as(out), reduction="none").sum(axes)
    if case.likelihood == "gaussian":
        return -0.5 * ((x - out).square() + math.log(2 * math.pi)).sum(axes)
    cells = ((x - out) * (-log_scale).exp()).square() + math.log(2 * math.pi)
    return (-0.5 * cells - log_scale).sum(axes)


if __name__ == "__main__":
    run(train)
